"""How a run was obtained, as label and text: the same lines under every table and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firstbyte.visibility.shown import ShownRun


def how_obtained(shown: ShownRun) -> list[tuple[str, str]]:
    """Command, date, git state, host, versions and corpora of the run, in that order.

    Versions are those that the backends reported of themselves; nested details are left to the
    HTML report.
    """
    run = shown.run
    versions: dict[str, list[str]] = {}
    for name, version in (pair for record in shown.records for pair in record.versions.items()):
        if version not in (known := versions.setdefault(name, [])):
            known.append(version)
    lines = [
        ("command", run.command),
        ("run", f"{run.run_id}, profile {run.profile}{_extent(shown)}"),
        ("started", run.started),
        ("finished", run.finished or "not finished"),
        ("git", flat(run.git) or "not a git checkout"),
        ("host", brief(run.host)),
        (
            "versions",
            flat({name: " or ".join(versions[name]) for name in sorted(versions)})
            or "none reported",
        ),
    ]
    lines.extend((f"corpus {name}", brief(manifest)) for name, manifest in run.corpora.items())
    return lines


def _extent(shown: ShownRun) -> str:
    return "" if shown.run.planned_cells is None else f", {shown.extent}"


def brief(values: Mapping[str, Any]) -> str:
    """The top level of a mapping as one line; what is nested or empty is left out."""
    return flat(
        {k: v for k, v in values.items() if v not in ("", None) and not isinstance(v, Mapping)}
    )


def flat(values: Mapping[str, Any]) -> str:
    """A mapping as one line: `cpu: ..., cores: 2`. Nested mappings and lists keep their names."""
    return ", ".join(f"{name}: {_text(value)}" for name, value in values.items())


def rows(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A mapping as label and text, nested names joined by a dot."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found.extend(rows(value, f"{label}."))
        else:
            found.append((label, _text(value)))
    return found


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({flat(value)})"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return " ".join(_text(item) for item in value)
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
