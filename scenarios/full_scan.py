"""Every row of every shard, one after another, in one thread of the caller.

Rows per second, compressed source bytes per second, CPU time of all threads, and in passes of their
own the memory: what the kernel saw, what allocators say of themselves, and what memray saw. The page
cache is warm. Batches are dropped as soon as they have been counted, as a training loop would. What is
left is read twice: once everything was dropped and collected, and after the allocators were trimmed.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstbyte.api import ALL, Bench, Metric, Repetitions
from firstbyte.model import Param
from firstbyte.worker import pagecache
from firstbyte.worker.instruments.allocators import Ledgers, aftermath

ORDER = 20
QUICK_VARIANTS = ALL
INSTRUMENTS = ("clock", "proc_memory", "heap")
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("rows_per_s", "rows per second of wall time", better="higher", headline=True),
    Metric("bytes_per_s", "bytes of the files read per second of wall time", better="higher"),
    Metric("wall_ns", "wall time of the whole scan"),
    Metric("cpu_ns", "CPU time of all threads of the process"),
    Metric("peak_rss_anon_bytes", "highest RssAnon during the scan", headline=True),
    Metric(
        "peak_rss_anon_above_base_bytes",
        "the same, less RssAnon before it (after the import)",
        headline=True,
    ),
    Metric("base_rss_anon_bytes", "RssAnon after the import, before the scan", better=""),
    Metric("end_rss_anon_bytes", "RssAnon just after the scan"),
    Metric("dropped_rss_anon_bytes", "RssAnon once everything was dropped and collected"),
    Metric("trimmed_rss_anon_bytes", "RssAnon after the allocators were trimmed"),
    Metric("peak_rss_file_bytes", "highest RssFile (with shared memory) during the scan"),
    Metric("vm_hwm_bytes", "VmHWM, reset before the scan: counts file pages as well"),
    Metric("peak_heap_bytes", "highest heap in use as memray saw it"),
    Metric("total_allocated_bytes", "all bytes ever requested as memray saw it"),
    Metric("allocation_count", "all allocations as memray saw them", better=""),
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
        if bench.instrument == "clock":
            seconds = span["wall_ns"] / 1e9
            values = {"rows_per_s": sum(delivered) / seconds, "bytes_per_s": size_bytes / seconds}
        if ledgers:
            values = {**ledgers.peaks(), **aftermath(ledgers)}
        bench.emit(values)
        for index, rows in enumerate(delivered):
            bench.check_rows(index, rows)
    if ledgers:
        ledgers.close()
    if bench.final_process and bench.instrument == "clock":
        for index in range(len(bench.shards)):
            bench.verify(index)


def _scan(bench: Bench, index: int) -> int:
    """Rows of one shard, read to its end."""
    rows = 0
    path = bench.shards[index].path
    with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
        for batch in reader:
            rows += reader.rows(batch)
    return rows
