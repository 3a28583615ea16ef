"""The terminal: live progress while a run goes on, and the readable tables at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from firstbyte.api import Metric
from firstbyte.engine.registry import Catalogue
from firstbyte.model import Cell, Record, Run, Status
from firstbyte.render import provenance
from firstbyte.render.tables import Column, Figure, Problem, RunView, Table
from firstbyte.units import DECIMAL_NOTE, duration

_BEST = "bold green"
_FAILED = "bold red"
_QUIET = "dim"
_HEADING_WIDTH = 14


def summary(
    run: Run,
    records: Iterable[Record],
    catalogue: Catalogue,
    *,
    report: str = "",
    scenarios: Sequence[str] | None = None,
    metrics: Callable[[RunView, str], list[Metric]] | None = None,
) -> Group:
    """Everything that the terminal shows of a run: notes, tables, failures, how it was obtained.

    `report` is the path of the HTML report, named last. `scenarios` limits the tables;
    `metrics` chooses the columns of a scenario and defaults to its headline metrics.
    """
    view = RunView(list(records), catalogue)
    parts: list[RenderableType] = [Text(f"Note: {note}", style="bold yellow") for note in run.notes]
    for scenario in view.scenarios() if scenarios is None else scenarios:
        chosen = metrics(view, scenario) if metrics else None
        parts.extend(_scenario(view, scenario, chosen))
    if view.records:
        parts.append(Text(_legend(), style=_QUIET))
    else:
        parts.append(Text("No records: nothing has been measured yet."))
    parts.append(Text(""))
    parts.append(Rule("how this was obtained", align="left", style=_QUIET))
    parts.append(_pairs(provenance.how_obtained(run, view.records)))
    parts.append(Text(f"cells: {_counts(view)}"))
    if report:
        parts.append(Text(f"report: {report}", style="bold", no_wrap=True, overflow="ignore"))
    return Group(*parts)


class Progress:
    """Live progress over the planned cells: done and total, current cell, time left, failures.

    On a terminal it is one panel that is redrawn; elsewhere one plain line per finished cell, so
    that a log stays readable. `plan` holds every cell that will be started with its estimated
    seconds; the estimate of what is left is scaled by how the finished cells kept to theirs.
    Use it as a context manager and call `started` and `finished` around each cell.
    """

    def __init__(
        self,
        plan: Sequence[tuple[Cell, float]],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console()
        self._clock = clock
        self._estimates = {cell.key: seconds for cell, seconds in plan}
        self._total = len(plan)
        self._current: Cell | None = None
        self._current_since = 0.0
        self._done = 0
        self._estimated_done_s = 0.0
        self._took_s = 0.0
        self._failures = 0
        self._skipped = 0
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def started(self, cell: Cell) -> None:
        """The cell's worker is about to be launched."""
        self._current = cell
        self._current_since = self._clock()

    def finished(self, record: Record) -> None:
        """The cell ended, well or not; failures are printed at once and stay on the screen."""
        if self._current is not None and self._current.key == record.cell.key:
            self._took_s += self._clock() - self._current_since
            self._estimated_done_s += self._estimates.get(record.cell.key, 0.0)
        self._estimates.pop(record.cell.key, None)
        self._current = None
        self._done += 1
        self._skipped += record.status is Status.SKIPPED
        failed = record.status not in (Status.OK, Status.SKIPPED)
        self._failures += failed
        if self._live is None:
            self._console.print(self._line(record), markup=False, highlight=False, soft_wrap=True)
        elif failed:
            where = f"{record.cell.key}: {record.reason}"
            self._console.print(Text(f"{record.status} ", _FAILED) + Text(where))

    @property
    def remaining_s(self) -> float:
        """Estimated seconds until the last planned cell has ended."""
        # Until something has finished the plan's own estimate is all there is.
        pace = self._took_s / self._estimated_done_s if self._estimated_done_s > 0 else 1.0
        left = pace * sum(self._estimates.values())
        if self._current is None:
            return left
        expected = pace * self._estimates.get(self._current.key, 0.0)
        return left - min(expected, self._clock() - self._current_since)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bar = ProgressBar(total=max(1, self._total), completed=self._done, width=32)
        head = Grid.grid(padding=(0, 1))
        head.add_row(bar, f"{self._done}/{self._total} cells", self._left(), self._failed_text())
        yield head
        if self._current is not None:
            running = duration(self._clock() - self._current_since)
            current = Text("now: ", _QUIET) + Text(f"{self._current.key} ({running})")
            current.truncate(options.max_width, overflow="ellipsis")
            yield current

    def _line(self, record: Record) -> str:
        width = len(str(self._total))
        reason = f": {record.reason}" if record.reason else ""
        return (
            f"[{self._done:{width}}/{self._total}] {record.status:<7} {record.cell.key}{reason}"
            f" ({record.duration_s:.1f} s; {self._left()})"
        )

    def _left(self) -> str:
        return f"about {duration(self.remaining_s)} left"

    def _failed_text(self) -> Text:
        style = _FAILED if self._failures else _QUIET
        text = Text(f"{self._failures} failed", style)
        return text + Text(f", {self._skipped} skipped", _QUIET) if self._skipped else text


def _scenario(
    view: RunView, scenario: str, metrics: Sequence[Metric] | None
) -> Iterable[RenderableType]:
    yield Text("")
    yield Rule(Text(scenario, style="bold"), align="left")
    known = view.catalogue.scenarios.get(scenario)
    if known is not None and known.doc:
        yield Text(known.doc.split("\n\n")[0].replace("\n", " "), style=_QUIET)
    seen: dict[str, Column] = {}
    for corpus in view.corpora(scenario):
        for table in view.tables(scenario, corpus, metrics):
            yield Text("")
            yield Wide(table)
            seen.update((column.metric, column) for column in table.columns)
    for column in seen.values():
        if column.help:
            source = f" [{column.instrument}]" if column.instrument else ""
            note = f"{column.title}: {column.help}{source}"
            yield Padding(Text(note, style=_QUIET), (0, 0, 0, 2))
    yield from problems(view.problems(scenario))


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
    caption = f"{table.caption}, " if table.caption else ""
    drawn = Grid(
        title=Text(f"{caption}corpus {table.corpus}", style="bold"),
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
        style = _QUIET if status in (Status.SKIPPED, "withheld") else _FAILED
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


def _figure(figure: Figure) -> Text:
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
    return ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"
