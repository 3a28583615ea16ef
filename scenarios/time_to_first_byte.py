"""How long until the first record's text is in hand, as a Python `str`.

`start=cold` is a fresh process, from spawn to the `str`: the interpreter's start, the import of the
library, open, first batch, first record. `start=reopened` is a process that has read the shard
before: open, first batch, first record. `cache=warm` has the shard in the page cache;
`cache=evicted` has asked the kernel to drop it, and `resident_ratio` says how much stayed. The
libraries' own files stay cached in both. `harness_ns`, the harness's own work between the
interpreter's start and the import, is stated and left out of `first_byte_ns`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from firstbyte.api import ALL, Bench, Metric, Purpose, ReadsInSpan, Repetitions, Unsupported
from firstbyte.model import Param
from firstbyte.worker import pagecache

PURPOSE = Purpose.FIRST_ROW
ORDER = 10
READS = ReadsInSpan.OPENING
QUICK_VARIANTS = ALL
INSTRUMENTS = ("clock",)
GRID: Mapping[str, tuple[Param, ...]] = {
    "start": ("cold", "reopened"),
    "cache": ("warm", "evicted"),
}
METRICS = (
    Metric(
        "first_byte_ns",
        "total, up to the first record's text as a Python str",
        headline=True,
        parts=("spawn_ns", "import_ns", "open_ns", "first_batch_ns", "first_record_ns"),
    ),
    Metric("spawn_ns", "start of the process up to the worker's first line (cold only)"),
    Metric("import_ns", "import of the backend's library (cold only)"),
    Metric("open_ns", "making a reader over the shard"),
    Metric("first_batch_ns", "first batch out of the reader"),
    Metric("first_record_ns", "first record of that batch as a Python object"),
    Metric("import_rss_anon_bytes", "RssAnon gained by the import (cold only)"),
    Metric("import_rss_shmem_bytes", "RssShmem gained by the import (cold only)"),
    Metric("import_rss_file_bytes", "RssFile gained by the import (cold only)"),
    Metric("harness_ns", "the harness's own start-up work, left out of the total", better=""),
    Metric("resident_ratio", "part of the shard in the page cache before it was opened", better=""),
)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"} if params["start"] == "reopened" else {"scan"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    thorough = profile == "full"
    if params["start"] == "cold":
        # The warm cells come first: after them the library's files are cached for the others.
        return Repetitions(
            processes=15 if thorough else 3,
            per_process=1,
            warmup_processes=int(thorough or params["cache"] == "warm"),
            cold=True,
        )
    if thorough:
        return Repetitions(processes=3, per_process=15)
    return Repetitions(processes=int(params["cache"] == "warm"), per_process=5)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    if not bench.shards[0].rows:
        raise Unsupported("the first shard has no rows, so there is no first record")
    cold = bench.params["start"] == "cold"
    if not cold:
        _first_byte(bench)
    for _ in range(bench.repetitions):
        _set_page_cache(bench)
        resident_ratio = pagecache.resident_ratio(bench.shards[0].path)
        values, text, rows = _first_byte(bench)
        if cold:
            values |= bench.startup
            # A worker run by hand does not know when it was spawned.
            values["first_byte_ns"] += bench.startup.get("spawn_ns", 0) + bench.startup["import_ns"]
        bench.emit(values | {"resident_ratio": resident_ratio})
        bench.check_first_value(0, text, rows)


def _set_page_cache(bench: Bench) -> None:
    path = bench.shards[0].path
    if bench.params["cache"] == "evicted":
        pagecache.evict(path)
    else:
        pagecache.warm(path)


def _first_byte(bench: Bench) -> tuple[dict[str, float], object, int]:
    with bench.span():
        began_ns = time.monotonic_ns()
        with bench.backend.open(
            bench.shards[0].path, columns=bench.columns, batch_rows=bench.batch_rows
        ) as reader:
            opened_ns = time.monotonic_ns()
            batch = next(reader, None)
            batch_ns = time.monotonic_ns()
            if batch is None:
                raise RuntimeError("the reader ended before its first batch")
            text = reader.first_value(batch, bench.text_column)
            record_ns = time.monotonic_ns()
            rows = reader.rows(batch)
    return (
        {
            "open_ns": opened_ns - began_ns,
            "first_batch_ns": batch_ns - opened_ns,
            "first_record_ns": record_ns - batch_ns,
            "first_byte_ns": record_ns - began_ns,
        },
        text,
        rows,
    )
