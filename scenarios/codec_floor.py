"""The codec alone over the pages that a scan reads: the floor under the CPU time of `full_scan`.

The backend's `decompress` reads and decompresses every page of every shard in the calling thread
and throws the bytes away; nothing is decoded and no batch is made. The page cache is warm and the
shards are those of `full_scan`, so `full_scan`'s CPU time over this one says what a reader spends on
top of the codec, whoever the reader is, as long as it reads the same pages.

Beside it stands the floor under a scan's memory, where the backend knows it: a page and the dictionary
of each column, decompressed, of the row group where that is most, and the largest batch. The layout
of the files decides it.

What it does not show: whether another build of the codec would be faster. A reader that links a
better one can fall below this floor; so can one that lets dictionaries go, below that of memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstbyte.api import EXTREMES, Bench, Metric, ReadsInSpan, Repetitions, Unsupported
from firstbyte.model import Param
from firstbyte.worker import pagecache

ORDER = 72
READS = ReadsInSpan.OPENING
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("clock",)
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric(
        "cpu_ns",
        "CPU time of the codec, reading included",
        better="",
        headline=True,
        floor_of=("full_scan", "cpu_ns"),
    ),
    Metric("wall_ns", "wall time of the same", better=""),
    Metric("decompressed_bytes", "bytes that came out of the codec", better=""),
    Metric(
        "memory_floor_bytes",
        "pages in hand and a batch, of the shard with most",
        better="",
        floor_of=("full_scan", "peak_rss_above_base_bytes"),
    ),
)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset()


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=5 if profile == "full" else 0, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    decompress = getattr(bench.backend, "decompress", None)
    if decompress is None:
        raise Unsupported("has no codec-only pass")
    memory_floor = getattr(bench.backend, "memory_floor", None)
    for shard in bench.shards:
        pagecache.warm(shard.path)
    for _ in range(bench.repetitions):
        with bench.span():
            size_bytes = sum(
                decompress(shard.path, columns=bench.columns) for shard in bench.shards
            )
        values = {"decompressed_bytes": float(size_bytes)}
        if memory_floor is not None:
            floors = [
                memory_floor(shard.path, columns=bench.columns, batch_rows=bench.batch_rows)
                for shard in bench.shards
            ]
            values["memory_floor_bytes"] = float(max(floors))
        bench.emit(values)
    # It opens no reader, and delivers no rows to be counted: that the backend reads these shards rightly is
    # checked.
    for index in range(len(bench.shards)):
        bench.verify(index)
