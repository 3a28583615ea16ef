"""What a run found, as a table in Markdown."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from .peers import PEERS
from .pool import Outcome

BEGIN, END = "<!-- differential -->", "<!-- /differential -->"
FAULTS = ("wrong rows", "refused", "abort", "hang", "untyped error", "over the budget")
PACKAGES = {"pyarrow": "pyarrow", "duckdb": "duckdb", "polars": "polars", "arro3": "arro3-io"}


def markdown(outcomes: Sequence[Outcome], command: str) -> str:
    """The table, how it came about, and where peers stood alone."""
    lines = [
        "| files | reader | read | typed errors | wrong rows | refused, though two read |"
        " aborts | hangs | untyped errors | over the budget |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for outcome in outcomes:
        lines += _rows(outcome)
    lines += ["", *(_sentence(outcome) for outcome in outcomes)]
    versions = ", ".join(f"{name} {version(PACKAGES[name])}" for name in PEERS)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines += [
        "",
        f"`{command}`, {today}, Python {platform.python_version()}, {versions}.",
    ]
    return "\n".join(lines)


def _rows(outcome: Outcome) -> list[str]:
    of = outcome.counts
    processes = [of["abort"], of["hang"]]
    if outcome.task == "lshd":
        return [
            _row(
                f"{outcome.files} LSHD, a quarter sound",
                f"legacy, {rung}",
                of[f"sound {rung} rows"] + of[f"damaged {rung} rows"],
                of[f"damaged {rung} error"],
                of[f"sound {rung} wrong rows"] + of[f"damaged {rung} wrong rows"],
                0,
                *processes,
                of[f"sound {rung} untyped error"] + of[f"damaged {rung} untyped error"],
                of[f"sound {rung} over the budget"] + of[f"damaged {rung} over the budget"],
            )
            for rung in ("r0", "r1", "r2", "r3")
        ]
    rows = []
    for reader in ("crate", "pure_python"):
        sound = outcome.task == "valid"
        read = of[f"{reader} right"] + of[f"{reader} alone"] if sound else of[f"{reader} rows"]
        errors = of[f"{reader} refuses"] if sound else of[f"{reader} error"]
        wrong = of[f"{reader} wrong rows"] + of[f"{reader} wrong comparison"]
        rows.append(
            _row(
                f"{outcome.files} {'sound' if sound else 'damaged'}",
                reader,
                read,
                errors,
                wrong,
                of[f"{reader} refused"],
                *processes,
                of[f"{reader} untyped error"],
                of[f"{reader} over the budget"],
            )
        )
    return rows


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _sentence(outcome: Outcome) -> str:
    of = outcome.counts
    seed = f"Seed {outcome.seed}, {outcome.elapsed_s:.0f} s"
    if outcome.task == "valid":
        alone = ", ".join(
            f"{name} {of[f'{name} differs']} ({of[f'{name} refuses']} refused)" for name in PEERS
        )
        return (
            f"Sound: {seed}; {of['comparisons']} comparisons of `where` against Python's. Of"
            f" {of['crate undecided']} files no two witnesses agree. Peers that stand alone against two"
            f" witnesses: {alone}."
        )
    if outcome.task == "damaged":
        return f"Damaged: {seed}; {of['readers differ']} files of which our two readers see different rows."
    return f"LSHD: {seed}."


def put_into(path: Path, table: str) -> None:
    """Replace what is between the markers. Raises ValueError where they are missing."""
    text = path.read_text(encoding="utf-8")
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        raise ValueError(f"{path} lacks the markers {BEGIN} and {END}")
    path.write_text(f"{text[: begin + len(BEGIN)]}\n{table}\n{text[end:]}", encoding="utf-8")
