"""1,000 uses of one small shard in one process, and what is still there after them.

`use=whole` reads the corpus's smallest shard to its end and closes the reader. `use=abandoned` takes
one batch and drops the reader without closing it. Twenty uses come first, to fill caches and start
pools. Then live bytes are read by the backend's own exact counter before the first use, after each
one, and after the last, with threads and open files beside them. A backend without a counter gives
RssAnon and glibc's live bytes only, which are not exact: allocators keep what was freed, glibc counts
what its threads' caches hold as live, some tens of kilobytes, and does not see an allocator linked
into a library. Before the first and the last reading garbage is collected and allocators are trimmed.

A half ends after 30 seconds, however many uses are left: `uses_count` says how many there were.
What it does not show: whether what is left grows without end; that is for `firstbyte leaks` to say.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path

from firstbyte.api import EXTREMES, Bench, Metric, Repetitions
from firstbyte.model import Param
from firstbyte.worker.instruments.allocators import Ledgers
from firstbyte.worker.kernel import holdings
from firstbyte.worker.ledgers import GLIBC, RESIDENT, SHARED, counts_live
from firstbyte.worker.shapes import Shape
from firstbyte.worker.uses import IN_PROCESS, Opening

ORDER = 76
NEEDS_ROWS = True
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("proc_memory",)
GRID: Mapping[str, tuple[Param, ...]] = {
    "use": (Shape.WHOLE.value, Shape.ABANDONED.value),
    "uses": (1000,),
}
METRICS = (
    Metric("left_live_bytes", "live bytes that all uses left, by its own counter", headline=True),
    Metric("most_left_live_bytes", "the most of them after any one use", headline=True),
    Metric("left_threads", "threads that all uses left", headline=True),
    Metric("left_descriptors", "open files that all uses left", headline=True),
    Metric("left_rss_anon_bytes", "RssAnon that all uses left"),
    Metric("left_rss_shmem_bytes", "shared memory (RssShmem) that all uses left"),
    Metric("left_glibc_live_bytes", "glibc's live bytes that all uses left"),
    Metric("uses_count", "uses within the time", better="", headline=True),
)

WARM_USES = 20
SETTLED_SECONDS = 3.0
"""Age of a shard from which on readers trust its metadata: some keep none of a file that was changed just
now, and would fill their caches in the middle of the measurement."""
BUDGET_SECONDS = 30.0
"""A half stops after this long, however many uses are left; `budget_s` replaces it."""


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=int(profile == "full"), per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    smallest = min(range(len(bench.shards)), key=lambda index: bench.shards[index].rows)
    path = bench.shards[smallest].path
    use = IN_PROCESS[Shape(str(bench.params["use"]))]
    opening = Opening(bench.backend, bench.columns, bench.batch_rows)
    ledgers = Ledgers(bench.backend)
    uses = int(bench.params["uses"])
    _settle(path)
    deadline = time.monotonic() + float(bench.params.get("budget_s", BUDGET_SECONDS))
    for _ in range(min(WARM_USES, uses)):
        use(opening, path)
    before, held_before = _settled(ledgers), holdings()
    most_live = 0
    delivered: set[int] = set()
    done = 0
    with bench.span():
        while done < uses and (not done or time.monotonic() < deadline):
            delivered.add(use(opening, path))
            most_live = max(most_live, _live(ledgers.read()))
            done += 1
    after, held_after = _settled(ledgers), holdings()
    ledgers.close()
    values = _left(before, after) | {
        "left_threads": float(held_after.threads - held_before.threads),
        "left_descriptors": float(held_after.descriptors - held_before.descriptors),
        "uses_count": float(done),
    }
    if "left_live_bytes" in values:
        values["most_left_live_bytes"] = float(most_live - _live(before))
    bench.emit(values)
    if bench.params["use"] == Shape.WHOLE:
        for rows in sorted(delivered):
            bench.check_rows(smallest, rows)


def _settle(path: Path) -> None:
    age_seconds = time.time() - path.stat().st_mtime
    time.sleep(min(SETTLED_SECONDS, max(0.0, SETTLED_SECONDS - age_seconds)))


def _settled(ledgers: Ledgers) -> dict[str, int]:
    gc.collect()
    ledgers.trim()
    return ledgers.settle()


def _counters(readings: Mapping[str, int]) -> list[int]:
    """What the backend's own counters said."""
    return [size for name, size in readings.items() if counts_live(name) and name != GLIBC]


def _live(readings: Mapping[str, int]) -> int:
    return sum(_counters(readings))


def _left(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    left = {
        f"left_{name}": float(after[name] - before[name])
        for name in (RESIDENT, SHARED, GLIBC)
        if name in before
    }
    if _counters(before):
        left["left_live_bytes"] = float(_live(after) - _live(before))
    return left
