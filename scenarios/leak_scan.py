"""The same small file read again and again in one process: the raw series in which a leak shows.

In this order, so that each finding is as undisturbed as it can be: one cold scan of a longer file
and one of a file about twice as long, noted batch by batch (accumulation); what stays after
everything was dropped, and after a trim (retention, fragmentation); then the repeated scans, each
followed by garbage collection, a trim and a reading of every allocator (leaks, threads and files
left behind); at last files with new names, and those once more (caches). Under memray: two spans,
the second with twice the scans of the first. The figures are raw (`firstbyte.worker.leak_series`);
what they mean is for `firstbyte leaks` to say.

With the environment that `firstbyte leaks` sets, glibc keeps no per-thread caches and Python's
objects come from malloc: live bytes are then exact. `quiet` says whether this was so.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from firstbyte.api import EXTREMES, Bench, Metric, Purpose, Repetitions
from firstbyte.model import Param
from firstbyte.worker.instruments.allocators import AFTERMATH, Ledgers, Series, aftermath
from firstbyte.worker.instruments.proc_memory import PEAK
from firstbyte.worker.kernel import holdings
from firstbyte.worker.leak_series import (
    ATTEMPT,
    BUDGET_SECONDS,
    CAPTURED_SCANS,
    LEFT_DESCRIPTORS,
    LEFT_THREADS,
    SCANS,
    Attempt,
    LeakSeries,
    NotedScan,
    Role,
)
from firstbyte.worker.ledgers import RESIDENT, Moment
from firstbyte.worker.quiet import is_quiet

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

GLANCE_SCANS = 24
GLANCE_BUDGET_SECONDS = 1.0
"""The quick profile's look at the series; too short for a verdict, which `firstbyte leaks` gives."""


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    if profile == "full":
        return Repetitions(processes=1, per_process=300)
    return Repetitions(processes=int(instrument == "proc_memory"), per_process=GLANCE_SCANS)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    # Everything that exists now stays: collections between scans then look at new objects only.
    gc.collect()
    gc.freeze()
    repeated = min(range(len(bench.shards)), key=lambda index: bench.shards[index].rows)
    path = bench.shards[repeated].path
    if bench.instrument == "heap":
        _heap_spans(bench, path)
    else:
        _series(bench, path)
    if bench.final_process:
        bench.check_rows(repeated, _scan(bench, path))
        bench.verify(repeated)


def _heap_spans(bench: Bench, path: Path) -> None:
    for _ in range(WARM_SCANS):
        _scan(bench, path)
    for scans in (CAPTURED_SCANS, 2 * CAPTURED_SCANS):
        with bench.span():
            for _ in range(scans):
                _scan(bench, path)
            gc.collect()
        bench.emit({SCANS: scans})


def _series(bench: Bench, path: Path) -> None:
    ledgers = Ledgers(bench.backend)
    base = ledgers.read()
    within = {
        role: _within(bench, ledgers, bench.shards[index].path)
        for role, index in _lengths(bench).items()
    }
    for _ in range(min(WARM_SCANS, bench.repetitions // 4)):
        _scan(bench, path)
    left = aftermath(ledgers)
    before = holdings()
    with bench.span():
        repeated, scan_seconds = _repeats(bench, ledgers, path)
    after = holdings()
    distinct, same_again = _distinct(bench, ledgers, path, scan_seconds)
    ledgers.close()
    resident = repeated[RESIDENT]
    scans = len(resident)
    noted = LeakSeries(
        repeated=repeated,
        moments={Moment.BASE: base, **left.moments},
        free_bytes=left.free_bytes,
        left_threads_per_scan=(after.threads - before.threads) / scans,
        left_descriptors_per_scan=(after.descriptors - before.descriptors) / scans,
        scan_seconds=scan_seconds,
        quiet=is_quiet(),
        distinct=distinct,
        same_again=same_again,
        within=within,
    )
    growth = float(resident[-1] - resident[scans // 3])
    bench.emit({**noted.values(), "rss_anon_growth_bytes": growth}, noted.series())


def _budget_seconds(bench: Bench) -> float:
    glance = bench.repetitions <= GLANCE_SCANS
    default = GLANCE_BUDGET_SECONDS if glance else DEFAULT_BUDGET_SECONDS
    return float(bench.params.get(BUDGET_SECONDS, default))


def _lengths(bench: Bench) -> dict[Role, int]:
    """The longest file and the longest that is clearly shorter; none if all are about as long.

    The shortest file is that of the repeated scans, and too small to show a rate.
    """
    by_rows = sorted(range(len(bench.shards)), key=lambda index: bench.shards[index].rows)
    longest = bench.shards[by_rows[-1]].rows
    shorter = [index for index in by_rows[1:] if bench.shards[index].rows * LONGER <= longest]
    if not shorter:
        return {}
    return {Role.SHORT: shorter[-1], Role.LONG: by_rows[-1], Role.LONG_AGAIN: by_rows[-1]}


def _within(bench: Bench, ledgers: Ledgers, path: Path) -> NotedScan:
    """One cold scan, noted after every batch; the batches are dropped as they come."""
    rows_in_file = next(shard.rows for shard in bench.shards if shard.path == path)
    noted = Series(ledgers, rows_in_file // MIN_BATCH_ROWS + 2)
    consumed = array("q", bytes(8 * (rows_in_file // MIN_BATCH_ROWS + 2)))
    rows = batches = 0
    with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
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
        held=noted.by_ledger(),
        after=ledgers.settle(),
        file_bytes=float(file_bytes),
    )


def _repeats(
    bench: Bench, ledgers: Ledgers, path: Path
) -> tuple[Mapping[str, Sequence[float]], float]:
    """The repeated scans, each followed by collection, trim and a reading of all ledgers, and the
    seconds that one took.
    """
    noted = Series(ledgers, bench.repetitions)
    budget = _budget_seconds(bench)
    began = time.monotonic()
    scans = 0
    while scans < bench.repetitions and time.monotonic() - began < budget:
        _note_scan(bench, ledgers, path, noted)
        scans += 1
    return noted.by_ledger(), (time.monotonic() - began) / scans


def _note_scan(bench: Bench, ledgers: Ledgers, path: Path, noted: Series) -> None:
    _scan(bench, path)
    gc.collect()
    ledgers.trim()
    noted.note()


def _distinct(
    bench: Bench, ledgers: Ledgers, path: Path, scan_seconds: float
) -> tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]]:
    """Scans of copies under new names, then of the same copies again, as far as the time allows;
    nothing in later processes of an investigation.
    """
    budget = _budget_seconds(bench) * DISTINCT_SHARE
    count = min(DISTINCT_FILES, int(budget / (2 * scan_seconds)))
    first = bench.params.get(ATTEMPT, Attempt.FIRST) == Attempt.FIRST
    if not first or not path.is_file() or count < MIN_DISTINCT_FILES:
        return {}, {}
    with tempfile.TemporaryDirectory(prefix="firstbyte-leak-scan-") as folder:
        copies = [Path(folder) / f"{number:03d}-{path.name}" for number in range(count)]
        for copy in copies:
            shutil.copyfile(path, copy)
        new, again = (Series(ledgers, count) for _ in range(2))
        for noted in (new, again):
            for copy in copies:
                _note_scan(bench, ledgers, copy, noted)
    return new.by_ledger(), again.by_ledger()


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def _scan(bench: Bench, path: Path) -> int:
    """Rows of one file, read to its end; nothing of the reader outlives the call."""
    rows = 0
    with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
        for batch in reader:
            rows += reader.rows(batch)
    return rows
