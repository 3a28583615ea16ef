"""The result as Markdown, for a pull-request comment or a job summary.

GitHub-flavoured: the verdict in a sentence, what was not gated, what needs attention; reasons, rules and
what passed folded away.
"""

from __future__ import annotations

from collections.abc import Sequence

from firstbyte.gate.outputs._rows import HEADINGS, WOULD_SEE, GateRow, rows, sentence
from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome
from firstbyte.units import duration

MOST_CHARACTERS = 65_536
"""What a comment on GitHub may have."""
ROOM_FOR_FOLDS = 2_000
"""Headings of tables and what folds them away."""
_RIGHT = {"base", "head", "change [interval]", "pairs", "would see"}


def render(given: GateResult) -> str:
    all_rows = rows(given.verdicts)
    attention = [row for row in all_rows if row.outcome is not GateOutcome.PASS]
    quiet = [row for row in all_rows if row.outcome is GateOutcome.PASS]
    head = [f"### Gate: {_escape(sentence(given))}"]
    if given.not_gated:
        head.append("\n".join(f"- **{_escape(line)}**" for line in given.not_gated))
    head.append(
        f"{_escape(given.head)} against {_escape(given.base)}: {_counts(given)}; "
        f"{given.pairs} pairs in {duration(given.seconds)}."
    )
    tail = ["\n".join(f"> {_escape(note)}" for note in given.notes)] if given.notes else []
    tail.append(
        _folded(
            "How it was judged",
            f"{_escape(given.rule)} {WOULD_SEE}. Self-check: {_escape(given.certificate)}",
        )
    )
    room = MOST_CHARACTERS - len("\n\n".join([*head, *tail])) - ROOM_FOR_FOLDS
    shown, hidden = [], 0
    for row in [*attention, *quiet]:
        room -= len(_line(row)) + len(_reason(row))
        shown += [row] if room > 0 else []
        hidden += room <= 0
    middle = []
    if open_rows := [row for row in shown if row.outcome is not GateOutcome.PASS]:
        middle += [_table(open_rows), _folded("Why", "\n".join(map(_reason, open_rows)))]
    if passed := [row for row in shown if row.outcome is GateOutcome.PASS]:
        middle.append(_folded(f"{len(quiet)} of {len(all_rows)} figures passed", _table(passed)))
    if hidden:
        middle.append(f"{hidden} rows are left out here, for want of room: the JSON file has them.")
    return "\n\n".join([*head, *middle, *tail]) + "\n"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _counts(given: GateResult) -> str:
    counts = given.counts()
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "no verdict"


def _table(lines: Sequence[GateRow]) -> str:
    ruler = ["---:" if heading in _RIGHT else ":---" for heading in HEADINGS]
    table = [f"| {' | '.join(cells)} |" for cells in (HEADINGS, ruler)]
    return "\n".join([*table, *map(_line, lines)])


def _line(row: GateRow) -> str:
    return f"| {' | '.join(map(_escape, row.cells))} |"


def _reason(row: GateRow) -> str:
    return f"- {_escape(f'{row.case} {row.metric}: {row.rule}')}"


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
