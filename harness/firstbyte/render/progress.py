"""Progress of a run on standard error: live on a terminal, one line per finished cell elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from firstbyte.inert import inert
from firstbyte.model import Cell, Status
from firstbyte.units import duration

_FAILED = "bold red"
_QUIET = "dim"


class Ended(Protocol):
    """A cell that ended: what progress tells of a record, which is none of its figures."""

    @property
    def cell(self) -> Cell: ...

    @property
    def status(self) -> Status: ...

    @property
    def reason(self) -> str: ...

    @property
    def duration_s(self) -> float: ...


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
        self._console = console or Console(stderr=True)
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

    def finished(self, record: Ended) -> None:
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
            self._console.print(Text(self._line(record)), soft_wrap=True)
        elif failed:
            where = inert(f"{record.cell.key}: {record.reason}")
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

    def _line(self, record: Ended) -> str:
        width = len(str(self._total))
        reason = f": {record.reason}" if record.reason else ""
        return inert(
            f"[{self._done:{width}}/{self._total}] {record.status:<7} {record.cell.key}{reason}"
            f" ({record.duration_s:.1f} s; {self._left()})"
        )

    def _left(self) -> str:
        return f"about {duration(self.remaining_s)} left"

    def _failed_text(self) -> Text:
        style = _FAILED if self._failures else _QUIET
        text = Text(f"{self._failures} failed", style)
        return text + Text(f", {self._skipped} skipped", _QUIET) if self._skipped else text
