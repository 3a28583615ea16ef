"""The result as Markdown, for a pull-request comment or a job summary.

GitHub-flavoured: what needs attention first, what passed folded away.
"""

from __future__ import annotations

from collections.abc import Sequence

from firstbyte.gate.outputs._rows import HEADINGS, WOULD_SEE, GateRow, rows
from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome
from firstbyte.units import duration

_RIGHT = {"base", "head", "change [interval]", "pairs", "would see"}


def render(given: GateResult) -> str:
    all_rows = rows(given.verdicts)
    attention = [row for row in all_rows if row.outcome is not GateOutcome.PASS]
    quiet = [row for row in all_rows if row.outcome is GateOutcome.PASS]
    parts = [
        f"### Gate: {given.outcome}",
        f"{_escape(given.head)} against {_escape(given.base)}: {_counts(given)}; "
        f"{given.pairs} pairs in {duration(given.seconds)}.",
    ]
    if attention:
        parts += [_table(attention), "\n".join(_reasons(attention))]
    if quiet:
        summary = f"{len(quiet)} of {len(all_rows)} metrics passed"
        parts.append(f"<details><summary>{summary}</summary>\n\n{_table(quiet)}\n\n</details>")
    if not all_rows:
        parts.append("Nothing was measured, so nothing is known.")
    parts += ["\n".join(f"> {_escape(note)}" for note in given.notes)] if given.notes else []
    parts.append(f"{_escape(given.rule)} {WOULD_SEE}. Self-check: {_escape(given.certificate)}")
    return "\n\n".join(parts) + "\n"


def _counts(given: GateResult) -> str:
    counts = given.counts()
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "no verdict"


def _table(lines: Sequence[GateRow]) -> str:
    ruler = ["---:" if heading in _RIGHT else ":---" for heading in HEADINGS]
    table = [HEADINGS, ruler, *(tuple(map(_escape, line.cells)) for line in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def _reasons(lines: Sequence[GateRow]) -> list[str]:
    return [f"- {_escape(f'{line.case} {line.metric}: {line.rule}')}" for line in lines]


def _escape(text: str) -> str:
    """Keep what the programs said from becoming markup, a mention or another table cell."""
    flat = " ".join(text.split())
    for mark in "\\`*_|[]#":
        flat = flat.replace(mark, "\\" + mark)
    return (
        flat.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("@", "@&#8203;")
    )
