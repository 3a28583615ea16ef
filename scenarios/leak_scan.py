"""The same small file read again and again in one process: the raw series in which a leak shows.

In this order, so that each finding is as undisturbed as it can be: one cold scan of a longer file
and one of a file about twice as long, noted batch by batch (accumulation); what stays after
everything was dropped, and after a trim (retention, fragmentation); then the repeated scans, each
followed by garbage collection, a trim and a reading of every allocator (leaks, threads and files
left behind); at last files with new names, and those once more (caches). Under memray: two spans,
the second with twice the scans of the first. The figures are raw; what they mean is for
`firstbyte leaks` to say.

With the environment that `firstbyte leaks` sets, glibc keeps no per-thread caches and Python's
objects come from malloc: live bytes are then exact. `quiet` says whether this was so.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from firstbyte.api import EXTREMES, Bench, Metric, Repetitions
from firstbyte.model import Param
from firstbyte.worker.instruments.allocators import AFTERMATH, Ledgers, Series, aftermath
from firstbyte.worker.instruments.proc_memory import PEAK

ORDER = 40
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("proc_memory", "heap")
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("rss_anon_growth_bytes", "RssAnon after the last scan less after the first third"),
    replace(PEAK, headline=True),
    Metric("scans_count", "repeated scans in the process", better="higher"),
    *AFTERMATH,
    Metric("left_threads_per_scan", "threads left behind by a scan"),
    Metric("left_descriptors_per_scan", "open files left behind by a scan"),
)

WARM_SCANS = 20
HEAP_SCANS = 20
DISTINCT_FILES = 96
DEFAULT_BUDGET_SECONDS = 30.0
"""The repeated scans stop after this long, however many were asked for; `budget_s` replaces it."""
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

QUIET_TUNABLE = "glibc.malloc.tcache_count=0"


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
    for scans in (HEAP_SCANS, 2 * HEAP_SCANS):
        with bench.span():
            for _ in range(scans):
                _scan(bench, path)
            gc.collect()
        bench.emit({"scans_count": scans})


def _series(bench: Bench, path: Path) -> None:
    ledgers = Ledgers(bench.backend)
    values = {f"base_{name}": float(value) for name, value in ledgers.read().items()}
    series: dict[str, Sequence[float]] = {}
    for role, index in _lengths(bench).items():
        values |= _accumulation(bench, ledgers, bench.shards[index].path, role, series)
    for _ in range(min(WARM_SCANS, bench.repetitions // 4)):
        _scan(bench, path)
    values |= aftermath(ledgers)
    with bench.span():
        values |= _repeats(bench, ledgers, path, series)
    if bench.params.get("role", "first") == "first":
        values |= _distinct(bench, ledgers, path, values["scan_seconds"], series)
    resident = series["rss_anon_bytes"]
    values["rss_anon_growth_bytes"] = resident[-1] - resident[len(resident) // 3]
    values["quiet"] = float(_quiet())
    ledgers.close()
    bench.emit(values, series)


def _budget_seconds(bench: Bench) -> float:
    glance = bench.repetitions <= GLANCE_SCANS
    default = GLANCE_BUDGET_SECONDS if glance else DEFAULT_BUDGET_SECONDS
    return float(bench.params.get("budget_s", default))


def _quiet() -> bool:
    return QUIET_TUNABLE in os.environ.get("GLIBC_TUNABLES", "") and (
        os.environ.get("PYTHONMALLOC") == "malloc"
    )


def _lengths(bench: Bench) -> dict[str, int]:
    """The longest file and the longest that is clearly shorter; none if all are about as long.

    The shortest file is that of the repeated scans, and too small to show a rate.
    """
    by_rows = sorted(range(len(bench.shards)), key=lambda index: bench.shards[index].rows)
    longest = bench.shards[by_rows[-1]].rows
    shorter = [index for index in by_rows[1:] if bench.shards[index].rows * LONGER <= longest]
    if not shorter:
        return {}
    return {"short": shorter[-1], "long": by_rows[-1], "repeated_long": by_rows[-1]}


def _accumulation(
    bench: Bench, ledgers: Ledgers, path: Path, role: str, series: dict[str, Sequence[float]]
) -> dict[str, float]:
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
    file_bytes = _size(path)
    series.update(noted.series(f"{role}_"))
    series[f"{role}_consumed_bytes"] = [
        file_bytes * count / rows_in_file for count in consumed[:batches]
    ]
    gc.collect()
    after = {f"{role}_after_{name}": float(value) for name, value in ledgers.settle().items()}
    return after | {f"{role}_file_bytes": float(file_bytes)}


def _repeats(
    bench: Bench, ledgers: Ledgers, path: Path, series: dict[str, Sequence[float]]
) -> dict[str, float]:
    """The repeated scans, each followed by collection, trim and a reading of all ledgers."""
    noted = Series(ledgers, bench.repetitions)
    budget = _budget_seconds(bench)
    before = _held_by_the_kernel()
    began = time.monotonic()
    scans = 0
    while scans < bench.repetitions and time.monotonic() - began < budget:
        _note_scan(bench, ledgers, path, noted)
        scans += 1
    seconds = (time.monotonic() - began) / scans
    after = _held_by_the_kernel()
    series.update(noted.series())
    left = {f"left_{what}_per_scan": (after[what] - before[what]) / scans for what in before}
    return left | {"scans_count": float(scans), "scan_seconds": seconds}


def _note_scan(bench: Bench, ledgers: Ledgers, path: Path, noted: Series) -> None:
    _scan(bench, path)
    gc.collect()
    ledgers.trim()
    noted.note()


def _held_by_the_kernel() -> dict[str, int]:
    return {
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
    }


def _distinct(
    bench: Bench,
    ledgers: Ledgers,
    path: Path,
    scan_seconds: float,
    series: dict[str, Sequence[float]],
) -> dict[str, float]:
    """Scans of copies under new names, then of the same copies again, as far as the time allows."""
    budget = _budget_seconds(bench) * DISTINCT_SHARE
    count = min(DISTINCT_FILES, int(budget / (2 * scan_seconds)))
    if not path.is_file() or count < MIN_DISTINCT_FILES:
        return {"distinct_files_count": 0.0}
    with tempfile.TemporaryDirectory(prefix="firstbyte-leak-scan-") as folder:
        copies = [Path(folder) / f"{number:03d}-{path.name}" for number in range(count)]
        for copy in copies:
            shutil.copyfile(path, copy)
        for role in ("distinct", "again"):
            noted = Series(ledgers, count)
            for copy in copies:
                _note_scan(bench, ledgers, copy, noted)
            series.update(noted.series(f"{role}_"))
    return {"distinct_files_count": float(count)}


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
