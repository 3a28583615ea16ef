"""The result as the terminal shows it: what needs attention, everything, how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from firstbyte.gate.outputs._rows import HEADINGS, WOULD_SEE, GateRow, rows, sentence
from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome
from firstbyte.inert import inert
from firstbyte.units import duration

_STYLES = {
    GateOutcome.REGRESSED: "bold red",
    GateOutcome.INCONCLUSIVE: "yellow",
    GateOutcome.IMPROVED: "green",
    GateOutcome.PASS: "",
}
_LEFT = {"case", "metric", "verdict"}
_QUIET = "dim"
_WIDTHS = {
    "metric": 14,
    "base": 8,
    "head": 8,
    "change [interval]": 14,
    "pairs": 5,
    "would see": 9,
    "verdict": 12,
}
_NARROWEST = 160
"""Columns below which cases stand above their figures instead of beside them."""


def render(given: GateResult) -> RenderableType:
    return _Drawn(given)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The result, drawn when the width is known."""

    result: GateResult

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result = self.result
        lines = rows(result.verdicts)
        counts = ", ".join(f"{number} {outcome}" for outcome, number in result.counts().items())
        yield Text(sentence(result), style=_STYLES[result.outcome] or "bold")
        yield from (Text(inert(line), style="bold yellow") for line in result.not_gated)
        yield Text(f"{result.head} against {result.base}", style="bold")
        yield from _tables(lines, wide=options.max_width >= _NARROWEST)
        yield from (_reason(line) for line in lines if line.outcome is not GateOutcome.PASS)
        yield from (Text(f"note: {inert(note)}", style="yellow") for note in result.notes)
        yield Text(f"{result.rule} {WOULD_SEE}.", style=_QUIET)
        yield Text(f"Self-check: {result.certificate}", style=_QUIET)
        yield Text(f"{result.outcome}", style=_STYLES[result.outcome] or "bold") + Text(
            f": {counts or 'nothing was measured'}; {result.pairs} pairs in"
            f" {duration(result.seconds)}; exit code {result.exit_code}",
            style="",
        )


def _tables(lines: list[GateRow], *, wide: bool) -> list[RenderableType]:
    """One table, or where that is too wide, one under the name of each case."""
    if wide:
        return [_table(lines, wide=True)]
    parts: list[RenderableType] = []
    for case, group in groupby(lines, key=lambda line: line.case):
        parts += [Text(case, style="underline"), _table(list(group), wide=False)]
    return parts


def _table(lines: list[GateRow], *, wide: bool) -> Table:
    headings = HEADINGS if wide else HEADINGS[1:]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="left" if heading in _LEFT else "right",
            no_wrap=heading == "verdict" and not wide,
            overflow="fold",
            min_width=0 if wide else _WIDTHS[heading],
        )
    for line in lines:
        cells = [Text(cell) for cell in (line.cells if wide else line.cells[1:])]
        cells[-1].stylize(_STYLES[line.outcome])
        table.add_row(*cells)
    return table


def _reason(line: GateRow) -> Padding:
    text = Text(f"{line.verdict} ", _STYLES[line.outcome]) + Text(f"{line.case} {line.metric}: ")
    return Padding(text + Text(line.rule), (0, 0, 0, 2))
