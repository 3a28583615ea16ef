"""How much of a scan's peak is the allocator's: as shipped, and with the pool normalised.

Libraries bring allocators that keep what they have freed. With `pool=normalised` the worker is started
with the variables that its backend declares (`[normalised]` in `backend.toml`): the allocator of the
system, or one that gives back at once. For a backend without an allocator of its own these are none, and the
two differ by chance only; one whose allocator has no such switch has `pool=shipped` only.
The work is that of `full_scan`; slack is what the peak holds above the base beside what the allocators
themselves say was live at their peak, for backends that can be asked. It holds whatever else the library
takes as well: it is an upper bound of what the allocator keeps.

What it does not show: which of the two a user will see. As shipped is what an import gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from firstbyte.api import ALL, NORMALISED, POOL, SHIPPED, Bench, Metric, ReadsInSpan, Repetitions
from firstbyte.model import Param
from firstbyte.worker import pagecache
from firstbyte.worker.instruments.allocators import OWN_PEAK, Ledgers
from firstbyte.worker.instruments.proc_memory import PEAK, PEAK_ABOVE_BASE

ORDER = 25
READS = ReadsInSpan.WHOLE
QUICK_VARIANTS = ALL
INSTRUMENTS = ("proc_memory",)
GRID: Mapping[str, tuple[Param, ...]] = {POOL: (SHIPPED, NORMALISED)}
SLACK = Metric(
    "allocator_slack_bytes",
    "peak above the base, less the live bytes at the allocators' peak",
    better="",
)
METRICS = (
    replace(PEAK, headline=True),
    replace(PEAK_ABOVE_BASE, headline=True),
    OWN_PEAK,
    replace(SLACK, headline=True),
)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"scan"} | ({NORMALISED} if params[POOL] == NORMALISED else set()))


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=5 if profile == "full" else 1, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    if not {OWN_PEAK.name, PEAK_ABOVE_BASE.name} <= values.keys():
        return {}
    return {SLACK.name: max(0.0, values[PEAK_ABOVE_BASE.name] - values[OWN_PEAK.name])}


def run(bench: Bench) -> None:
    for shard in bench.shards:
        pagecache.warm(shard.path)
    ledgers = Ledgers(bench.backend)
    for _ in range(bench.repetitions):
        ledgers.reset_peaks()
        with bench.span():
            delivered = [_scan(bench, index) for index in range(len(bench.shards))]
        bench.emit(ledgers.peaks())
        for index, rows in enumerate(delivered):
            bench.check_rows(index, rows)
    ledgers.close()


def _scan(bench: Bench, index: int) -> int:
    """Rows of one shard, read to its end."""
    path = bench.shards[index].path
    with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
        return sum(reader.rows(batch) for batch in reader)
