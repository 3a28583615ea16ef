"""Every row of every shard, one after another, in one thread of the caller.

Rows per second, compressed source bytes per second, CPU time of all threads, and in passes of their
own the memory: what the kernel saw, what allocators say of themselves, and what memray saw. The page
cache is warm. Batches are dropped as soon as they have been counted, as a training loop would. What is
left is read twice: once everything was dropped and collected, and after the allocators were trimmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from firstbyte.api import ALL, Bench, KeptBatches, Metric, Purpose, ReadsInSpan, Repetitions
from firstbyte.model import Param
from firstbyte.worker import pagecache
from firstbyte.worker.instruments.allocators import AFTERMATH, OWN_PEAK, Ledgers, aftermath
from firstbyte.worker.instruments.proc_memory import PEAK, PEAK_ABOVE_BASE

PURPOSE = Purpose.WHOLE_SCAN
ORDER = 20
READS = ReadsInSpan.WHOLE
QUICK_VARIANTS = ALL
INSTRUMENTS = ("clock", "proc_memory", "heap")
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("rows_per_s", "rows per second of wall time", better="higher", headline=True),
    Metric("bytes_per_s", "bytes of the files read per second of wall time", better="higher"),
    replace(PEAK, headline=True),
    replace(PEAK_ABOVE_BASE, headline=True),
    OWN_PEAK,
    *AFTERMATH,
)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"scan"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    if profile == "full":
        return Repetitions(processes=5, per_process=1)
    return Repetitions(processes=1, per_process=2 if instrument == "clock" else 1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    for shard in bench.shards:
        pagecache.warm(shard.path)
    size_bytes = sum(shard.path.stat().st_size for shard in bench.shards)
    ledgers = Ledgers(bench.backend) if bench.instrument == "proc_memory" else None
    for _ in range(bench.repetitions):
        if ledgers:
            ledgers.reset_peaks()
        with bench.span() as span:
            delivered = [_scan(bench, index) for index in range(len(bench.shards))]
        values: dict[str, float] = {}
        if bench.instrument == "clock" and span["wall_ns"] > 0:  # a clock may stand still
            seconds = span["wall_ns"] / 1e9
            values = {"rows_per_s": sum(delivered) / seconds, "bytes_per_s": size_bytes / seconds}
        if ledgers:
            values = {**ledgers.peaks(), **aftermath(ledgers).values()}
        bench.emit(values)
        for index, rows in enumerate(delivered):
            bench.check_rows(index, rows)
    if ledgers:
        ledgers.close()
    if kept := bench.keep():
        with bench.span():
            for index in range(len(bench.shards)):
                _scan(bench, index, kept)
        bench.check_kept(kept)


def _scan(bench: Bench, index: int, kept: KeptBatches | None = None) -> int:
    """Rows of one shard, read to its end."""
    rows = 0
    path = bench.shards[index].path
    with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
        for batch in reader:
            rows += reader.rows(batch)
            if kept is not None:
                kept.take(index, reader, batch)
    return rows
