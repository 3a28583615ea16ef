"""The same small file read again and again in one process: the raw series in which a leak shows.

In this order, so that each finding is as undisturbed as it can be: one cold scan of a longer file
and one of a file about twice as long, noted batch by batch (accumulation); what stays after
everything was dropped, and after a trim (retention, fragmentation); then the repeated scans, each
followed by garbage collection, a trim and a reading of every allocator (leaks, threads and files
left behind); at last files with new names, and those once more (caches). Under memray: two spans,
the second with twice the scans of the first. The figures are raw (`firstbyte.worker.leak_series`);
what they mean is for `firstbyte leaks` to say.

`shape` says how the repeated scans use the reader (`firstbyte.worker.shapes`): a whole scan where nothing is
said. All shapes but that leave out what comes before and after the repeated uses.

With the environment that `firstbyte leaks` sets, glibc keeps no per-thread caches and Python's
objects come from malloc: live bytes are then exact. `quiet` says whether this was so.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from firstbyte.api import EXTREMES, Backend, Bench, Metric, Purpose, Repetitions, Shard
from firstbyte.model import Param
from firstbyte.worker.elsewhere import do_elsewhere
from firstbyte.worker.instruments.allocators import AFTERMATH, Ledgers, Series, aftermath
from firstbyte.worker.instruments.proc_memory import PEAK
from firstbyte.worker.kernel import living_threads
from firstbyte.worker.leak_series import (
    ATTEMPT,
    BUDGET_SECONDS,
    CAPTURED_SCANS,
    LEAST_USES,
    LEFT_CHILDREN,
    LEFT_DESCRIPTORS,
    LEFT_THREADS,
    OVERTIME,
    SCANS,
    Attempt,
    LeakSeries,
    NotedScan,
    Role,
)
from firstbyte.worker.ledgers import COUNTS, RESIDENT, SHARED_FILES, Moment, is_ledger
from firstbyte.worker.quiet import is_quiet
from firstbyte.worker.shapes import NEEDS, SHAPE, Shape
from firstbyte.worker.shared_folder import SharedFolderWatch
from firstbyte.worker.uses import IN_PROCESS, Opening, damage

PURPOSE = Purpose.LEAKS
ORDER = 40
NEEDS_ROWS = True
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("proc_memory", "heap")
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("rss_anon_growth_bytes", "RssAnon after the last scan less after the first third"),
    replace(PEAK, headline=True),
    Metric(SCANS, "repeated scans in the process", better=""),
    *AFTERMATH,
    Metric(LEFT_THREADS, "threads left behind by a scan"),
    Metric(LEFT_DESCRIPTORS, "open files left behind by a scan"),
    Metric(LEFT_CHILDREN, "processes left behind by a scan"),
)

WARM_SCANS = 20
DISTINCT_FILES = 96
DEFAULT_BUDGET_SECONDS = 30.0
"""The repeated scans stop after this long, however many were asked for; BUDGET_SECONDS replaces it."""
DISTINCT_SHARE = 0.25
MIN_DISTINCT_FILES = 8
LONGER = 1.5
MIN_BATCH_ROWS = 64
"""Places are kept for batches of at least this many rows; later ones of smaller batches are not
noted.
"""

THREADS_END_SECONDS = 0.05
"""Threads of a reader that was dropped may end a moment later; nobody waits longer for one."""
THREADS_END_STEP_SECONDS = 0.001
PATIENCE_SECONDS = 0.5
"""What a process waits in vain for threads to end, in all."""

GLANCE_SCANS = 24
GLANCE_BUDGET_SECONDS = 1.0
"""The quick profile's look at the series; too short for a verdict, which `firstbyte leaks` gives."""


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return NEEDS[_shape(params)]


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    if profile == "full":
        return Repetitions(processes=1, per_process=300)
    return Repetitions(processes=int(instrument == "proc_memory"), per_process=GLANCE_SCANS)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class _Task:
    """What a process needs to make the series; it can be sent to another one."""

    create_backend: Callable[[], Backend]
    shards: Sequence[Shard]
    columns: Sequence[str] | None
    batch_rows: int
    repetitions: int
    params: Mapping[str, Param]

    @property
    def shape(self) -> Shape:
        return _shape(self.params)

    @property
    def repeated(self) -> Path:
        """The file of the repeated uses."""
        return self.shards[_shortest(self.shards)].path

    @property
    def budget_seconds(self) -> float:
        glance = self.repetitions <= GLANCE_SCANS
        default = GLANCE_BUDGET_SECONDS if glance else DEFAULT_BUDGET_SECONDS
        return float(self.params.get(BUDGET_SECONDS, default))


def run(bench: Bench) -> None:
    _forget_what_exists()
    shape = _shape(bench.params)
    opening = Opening(bench.backend, bench.columns, bench.batch_rows)
    repeated = _shortest(bench.shards)
    path = bench.shards[repeated].path
    if bench.instrument == "heap":
        with _used(shape, path) as used:
            found = _heap_spans(bench, opening, used)
    else:
        found = _emit(bench, opening)
    for rows in sorted(found) if IN_PROCESS[shape] is IN_PROCESS[Shape.WHOLE] else ():
        bench.check_rows(repeated, rows)
    if bench.final_process:  # whatever the uses were: what is read of the shard is right
        bench.check_rows(repeated, IN_PROCESS[Shape.WHOLE](opening, path))


def _forget_what_exists() -> None:
    """Everything that exists now stays: collections between scans then look at new objects only."""
    gc.collect()
    gc.freeze()


def _shape(params: Mapping[str, Param]) -> Shape:
    return Shape(str(params.get(SHAPE, Shape.WHOLE)))


def _shortest(shards: Sequence[Shard]) -> int:
    return min(range(len(shards)), key=lambda index: shards[index].rows)


@contextmanager
def _used(shape: Shape, path: Path) -> Iterator[Path]:
    """What the uses are of: the file, or a folder of damaged copies of it."""
    if shape is not Shape.FAILING:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="firstbyte-leak-scan-") as folder:
        damage(path, Path(folder))
        yield Path(folder)


def _heap_spans(bench: Bench, opening: Opening, used: Path) -> set[int]:
    """What the uses gave, each number once: a set of them is as large after many uses as after the first."""
    use = IN_PROCESS[_shape(bench.params)]
    found = {use(opening, used) for _ in range(WARM_SCANS)}
    for scans in (CAPTURED_SCANS, 2 * CAPTURED_SCANS):
        with bench.span():
            for _ in range(scans):
                found.add(use(opening, used))
            gc.collect()
        bench.emit({SCANS: scans})
    return found


def _emit(bench: Bench, opening: Opening) -> set[int]:
    """What the uses gave, each number once."""
    task = _Task(
        bench.create_backend,
        bench.shards,
        bench.columns,
        bench.batch_rows,
        bench.repetitions,
        bench.params,
    )
    if task.shape is Shape.CHILDREN:
        with bench.span():
            made: tuple[LeakSeries, set[int]] = do_elsewhere(_noted_elsewhere, task)
    else:
        made = _noted(task, opening, bench.span)
    noted, found = made
    resident = noted.repeated[RESIDENT]
    growth = float(resident[-1] - resident[len(resident) // 3])
    bench.emit({**noted.values(), "rss_anon_growth_bytes": growth}, noted.series())
    return found


def _noted_elsewhere(task: _Task) -> tuple[LeakSeries, set[int]]:
    opening = Opening(task.create_backend(), task.columns, task.batch_rows)
    _forget_what_exists()
    return _noted(task, opening, nullcontext)


_Span = Callable[[], AbstractContextManager[object]]


def _noted(task: _Task, opening: Opening, span: _Span) -> tuple[LeakSeries, set[int]]:
    with _used(task.shape, task.repeated) as used:
        series = _Series(task, opening, used)
        return series.noted(span), series.found


class _Series:
    """The series of one process."""

    def __init__(self, task: _Task, opening: Opening, used: Path) -> None:
        self._task = task
        self._opening = opening
        self._used = used
        self._use = IN_PROCESS[task.shape]
        self._ledgers = Ledgers(opening.backend)
        self._errors = 0
        self._patience_seconds = PATIENCE_SECONDS
        self._uses = 0
        self.found: set[int] = set()
        """What the uses gave, each number once."""

    def noted(self, span: _Span) -> LeakSeries:
        """All of them; `span` is entered for the repeated uses."""
        task, ledgers = self._task, self._ledgers
        base = ledgers.read()
        within = {
            role: self._within(task.shards[index].path) for role, index in self._lengths().items()
        }
        for _ in range(min(WARM_SCANS, task.repetitions // 4)):
            self._use_once(self._used)
        left = aftermath(ledgers)
        with span():
            readings, scan_seconds = self._repeats()
        distinct, same_again = self._distinct(scan_seconds)
        ledgers.close()
        return LeakSeries(
            repeated={name: values for name, values in readings.items() if is_ledger(name)},
            moments={Moment.BASE: base, **left.moments},
            free_bytes=left.free_bytes,
            counts={name: readings[name] for name in COUNTS},
            errors_per_use=self._errors / self._uses if task.shape is Shape.FAILING else None,
            scan_seconds=scan_seconds,
            quiet=is_quiet(),
            distinct=distinct,
            same_again=same_again,
            within=within,
        )

    def _lengths(self) -> dict[Role, int]:
        """The longest file and the longest that is clearly shorter; none if all are about as long.

        The shortest file is that of the repeated scans, and too small to show a rate.
        """
        shards = self._task.shards
        by_rows = sorted(range(len(shards)), key=lambda index: shards[index].rows)
        longest = shards[by_rows[-1]].rows
        shorter = [index for index in by_rows[1:] if shards[index].rows * LONGER <= longest]
        if not shorter or self._task.shape is not Shape.WHOLE:
            return {}
        return {Role.SHORT: shorter[-1], Role.LONG: by_rows[-1], Role.LONG_AGAIN: by_rows[-1]}

    def _within(self, path: Path) -> NotedScan:
        """One cold scan, noted after every batch; the batches are dropped as they come."""
        rows_in_file = next(shard.rows for shard in self._task.shards if shard.path == path)
        places = rows_in_file // MIN_BATCH_ROWS + 2
        noted = Series(self._ledgers.read, places)
        consumed = array("q", bytes(8 * places))
        rows = batches = 0
        with self._opening.open(path) as reader:
            for batch in reader:
                rows += reader.rows(batch)
                if batches < len(consumed):
                    consumed[batches] = rows
                    noted.note()
                    batches += 1
        gc.collect()
        file_bytes = _size(path)
        return NotedScan(
            consumed_bytes=[file_bytes * count / rows_in_file for count in consumed[:batches]],
            held=noted.by_name(),
            after=self._ledgers.settle(),
            file_bytes=float(file_bytes),
        )

    def _repeats(self) -> tuple[Mapping[str, Sequence[float]], float]:
        """The repeated uses, each followed by collection, trim and a reading of everything, and the
        seconds that one took.
        """
        noted = Series(self._ledgers.read_all, self._task.repetitions)
        watch = SharedFolderWatch(self._task.repetitions)
        budget = self._task.budget_seconds
        began = time.monotonic()
        scans = 0
        least = int(self._task.params.get(LEAST_USES, 0))
        while scans < self._task.repetitions:
            seconds = time.monotonic() - began
            if seconds >= budget and (scans >= least or seconds >= OVERTIME * budget):
                break
            watch.before_use()
            self._note_use(self._used, noted, watch.after_use)
            scans += 1
        readings: dict[str, Sequence[float]] = dict(noted.by_name())
        held = zip(readings[SHARED_FILES], watch.left_bytes(), strict=True)
        readings[SHARED_FILES] = [memfds + left for memfds, left in held]
        return readings, (time.monotonic() - began) / scans

    def _use_once(self, path: Path) -> None:
        found = self._use(self._opening, path)
        self.found.add(found)
        self._uses += 1
        self._errors += found if self._task.shape is Shape.FAILING else 0

    def _await_threads(self, before: int) -> None:
        """Give threads that a use has started a moment to end. Those that stay are not waited for again and
        again.
        """
        began = time.monotonic()
        while living_threads() > before:
            waited = time.monotonic() - began
            if waited > min(THREADS_END_SECONDS, self._patience_seconds):
                self._patience_seconds = max(0.0, self._patience_seconds - waited)
                return
            time.sleep(THREADS_END_STEP_SECONDS)

    def _note_use(self, path: Path, noted: Series, done: Callable[[], None] = lambda: None) -> None:
        before = living_threads()
        self._use_once(path)
        gc.collect()
        self._await_threads(before)
        done()
        self._ledgers.trim()
        noted.note()

    def _distinct(
        self, scan_seconds: float
    ) -> tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]]:
        """Scans of copies under new names, then of the same copies again, as far as the time allows;
        nothing in later processes of an investigation.
        """
        task, path = self._task, self._task.repeated
        budget = task.budget_seconds * DISTINCT_SHARE
        count = min(DISTINCT_FILES, int(budget / (2 * scan_seconds)))
        first = task.params.get(ATTEMPT, Attempt.FIRST) == Attempt.FIRST
        whole = task.shape is Shape.WHOLE
        if not (first and whole and path.is_file()) or count < MIN_DISTINCT_FILES:
            return {}, {}
        with tempfile.TemporaryDirectory(prefix="firstbyte-leak-scan-") as folder:
            copies = [Path(folder) / f"{number:03d}-{path.name}" for number in range(count)]
            for copy in copies:
                shutil.copyfile(path, copy)
            new, again = (Series(self._ledgers.read, count) for _ in range(2))
            for noted in (new, again):
                for copy in copies:
                    self._note_use(copy, noted)
        return new.by_name(), again.by_name()


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
