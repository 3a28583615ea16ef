"""How a run was obtained, as label and text: the same lines under every table and report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from harness.model import Run


def how_obtained(run: Run) -> list[tuple[str, str]]:
    """Command, date, git state, host, versions and corpora of the run, in that order."""
    lines = [
        ("command", command(run)),
        ("run", f"{run.run_id}, profile {run.profile}"),
        ("started", run.started),
        ("finished", run.finished or "not finished"),
        ("git", flat(run.git) or "not a git checkout"),
        ("host", flat(run.host)),
        ("versions", flat(run.versions)),
    ]
    lines.extend((f"corpus {name}", flat(manifest)) for name, manifest in run.corpora.items())
    return lines


def command(run: Run) -> str:
    """The command line that made the run, quoted so that it can be pasted into a shell."""
    return shlex.join(run.argv)


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
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
