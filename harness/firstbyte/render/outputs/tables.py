"""The tables of a run as the terminal shows them: notes, figures, failures, how it was obtained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from firstbyte.leaks.terminal import table as leak_table
from firstbyte.model import Status
from firstbyte.render import provenance
from firstbyte.render.request import Request
from firstbyte.render.tables import WITHHELD, Column, Problem, RunView, Table, TableFigure
from firstbyte.units import DECIMAL_NOTE

_BEST = "bold green"
_FAILED = "bold red"
_QUIET = "dim"
_HEADING_WIDTH = 14


def render(given: Request) -> Group:
    view = given.view
    parts: list[RenderableType] = [
        Text(f"Note: {note}", style="bold yellow") for note in view.notes
    ]
    for scenario in view.scenarios():
        parts.extend(_scenario(view, scenario))
    if view.records:
        parts.append(Text(_legend(), style=_QUIET))
    else:
        parts.append(Text("No records: nothing has been measured yet."))
    parts.append(Text(""))
    parts.append(Rule("how this was obtained", align="left", style=_QUIET))
    parts.append(_pairs(provenance.how_obtained(view.shown)))
    parts.append(Text(f"cells: {_counts(view)}"))
    if given.leaks:
        parts.append(leak_table(given.leaks.rows))
    if given.report:
        parts.append(Text(f"report: {given.report}", style="bold", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _scenario(view: RunView, scenario: str) -> Iterable[RenderableType]:
    yield Text("")
    yield Rule(Text(scenario, style="bold"), align="left")
    known = view.catalogue.scenarios.get(scenario)
    if known is not None and known.doc:
        yield Text(known.doc.split("\n\n")[0].replace("\n", " "), style=_QUIET)
    seen: dict[str, Column] = {}
    for corpus in view.corpora(scenario):
        for table in view.tables(scenario, corpus):
            yield Text("")
            yield Wide(table)
            seen.update((column.metric, column) for column in table.columns)
    for column in seen.values():
        if column.help:
            source = f" [{column.instrument}]" if column.instrument else ""
            note = f"{column.title}: {column.help}{source}"
            yield Padding(Text(note, style=_QUIET), (0, 0, 0, 2))
    yield from problems(view.problems(lambda cell: cell.scenario == scenario))


@dataclass(frozen=True, slots=True)
class Wide:
    """A table that never shortens a figure: columns that do not fit go on below, rows repeated."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(range(len(self.table.columns)))
        start = 0
        while start < len(columns):
            end = len(columns)
            drawn = grid(self.table, columns[start:end])
            while end > start + 1 and _width(console, options, drawn) > options.max_width:
                end -= 1
                drawn = grid(self.table, columns[start:end])
            if start:
                yield Text("")
            yield drawn
            start = end


def grid(table: Table, columns: Sequence[int]) -> Grid:
    """The chosen columns of a table as rich draws them: best marked, failures in their place."""
    named = ", ".join(filter(None, (table.caption, f"corpus {table.corpus}", *table.settings)))
    drawn = Grid(
        title=Text(named, style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1),
        header_style="bold",
    )
    drawn.add_column("backend:variant", no_wrap=True)
    for index in columns:
        heading = _heading(table, table.columns[index])
        drawn.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for row in table.rows:
        drawn.add_row(Text(row.label), *(_figure(row.figures[index]) for index in columns))
    return drawn


def _width(console: Console, options: ConsoleOptions, drawn: Grid) -> int:
    return Measurement.get(console, options.update_width(10_000), drawn).maximum


def problems(found: Sequence[Problem]) -> Iterable[RenderableType]:
    """One line per reason: cells that ended alike for the same reason are counted, not repeated."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in found:
        groups.setdefault((problem.status, problem.label, problem.reason), []).append(problem)
    if groups:
        yield Text("")
    for (status, label, reason), members in groups.items():
        where = members[0].where
        if len(members) > 1:
            where = f"{where} and {len(members) - 1} more"
        style = _QUIET if status in (Status.SKIPPED, WITHHELD) else _FAILED
        yield Padding(
            Text(f"{status} ", style) + Text(f"{label} ", "bold") + Text(f"({where}): {reason}"),
            (0, 0, 0, 2),
        )


def _heading(table: Table, column: Column) -> Text:
    words = [] if table.caption else wrap(column.title, _HEADING_WIDTH)
    lines = [*words, *column.varying]
    if column.unit.symbol:
        lines.append(column.unit.symbol)
    return Text("\n".join(lines), justify="right")


def _figure(figure: TableFigure) -> Text:
    if figure.failed:
        return Text(figure.text, style=_FAILED)
    if figure.median is None:
        return Text(figure.text, style=_QUIET)
    return Text(f"*{figure.text}", style=_BEST) if figure.best else Text(figure.text)


def _legend() -> str:
    return (
        "\nFigures are medians over all samples of a cell; * marks the best of a column among cells"
        f" that are OK.\n{DECIMAL_NOTE}. A word in place of a figure is how the cell ended;"
        " its reason stands below its table."
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> Grid:
    drawn = Grid.grid(padding=(0, 1))
    drawn.add_column(style=_QUIET, no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, text in pairs:
        drawn.add_row(escape(label), Text(text))
    return drawn


def _counts(view: RunView) -> str:
    counts = view.counts()
    text = ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"
    return f"{view.shown.extent}, {text}" if view.shown.lacking else text
