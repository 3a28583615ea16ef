"""Rules B and C: what one series of memory readings, one per scan, says, and how sure that is.

Both look at a series after its first third is dropped.

* **B**, for live bytes (glibc's statistics, an allocator's own counter): the 99 % lower bound of
  the Theil-Sen slope is above a threshold.
* **C**, for RssAnon, which shows leaks in allocators that nothing can ask: the same, with a
  threshold that follows the noise. Resident memory wanders in steps, so a nominal p-value means
  nothing there.

They ask in addition that the minimum rises from block to block and that no single rise makes up
most of the growth: a warm-up or one step is not a leak.

Thresholds come from clean runs of pyarrow, polars, datafusion, arro3 and duckdb; they are
validated on other runs (METHODOLOGY). With glibc's per-thread caches off (`quiet`), the live
bytes of most readers are constant to the byte; with them on, chunks parked in the caches of
worker threads look live and drift by some 100 KiB in all, which is why the allowance is a sum and
not a slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from firstbyte.analysis.stats import Slope, theil_sen
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import KERNELS

KIB = 1024

CONFIDENCE = 0.99
MIN_TAIL_SCANS = 61
"""Scans that must remain once the first third is dropped."""
MIN_SCANS = MIN_TAIL_SCANS * 3 // 2 + 1
FIT_POINTS = 300
"""Longer series are condensed to about this many block medians: Theil-Sen looks at all pairs."""
BLOCKS = 5
LARGEST_SHARE = 0.6
"""No single rise between two blocks may make up more of the whole growth than this."""

LIVE_FLOOR_BYTES = 48.0
"""Least slope per scan that rule B calls a leak, with glibc's per-thread caches off."""
LIVE_DRIFT_BYTES = 150 * KIB
"""What per-thread caches may add over a whole series when they are on."""
RESIDENT_FLOOR_BYTES = 1024.0
"""Least slope per scan that rule C calls a leak."""
NOISE_FACTOR = 2.0
"""The slope that noise of range R can imitate over n scans is taken as this times R / n."""


@dataclass(frozen=True, slots=True)
class SeriesFinding:
    """What one series says. All sizes are bytes; slopes and thresholds are bytes per scan."""

    ledger: str
    rule: str
    scans: int
    slope: Slope
    noise_bytes: float
    """Range of the residuals about the fitted line."""
    threshold_bytes: float
    detectable_bytes: float
    """The smallest leak per scan that the rule would have flagged in a series as noisy as this
    one.
    """
    rising: bool

    @property
    def flagged(self) -> bool:
        return self.rising and self.slope.low > self.threshold_bytes


def judge_series(
    ledger: str, values: Sequence[float], *, quiet: bool, floor_bytes: float | None = None
) -> SeriesFinding:
    """Apply rule C to the ledgers of the kernel and rule B to any other.

    `floor_bytes` replaces the rule's own floor, for whoever looks for smaller leaks and pays with
    more scans. Raises ValueError for a series that is too short.
    """
    tail = [float(value) for value in values[len(values) // 3 :]]
    if len(tail) < MIN_TAIL_SCANS:
        raise ValueError(
            f"{ledger}: {len(values)} scans are too few for a verdict, "
            f"at least {MIN_SCANS} are needed"
        )
    x, y = condensed(tail)
    slope = theil_sen(x, y, CONFIDENCE)
    noise = residual_range(tail, slope.estimate)
    resident = ledger in KERNELS
    floor = floor_bytes
    if floor is None:
        floor = RESIDENT_FLOOR_BYTES if resident else LIVE_FLOOR_BYTES
    threshold = max(floor, NOISE_FACTOR * noise / len(tail))
    if not resident and not quiet:
        threshold = max(threshold, LIVE_DRIFT_BYTES / len(values))
    return SeriesFinding(
        ledger=ledger,
        rule="C" if resident else "B",
        scans=len(values),
        slope=slope,
        noise_bytes=noise,
        threshold_bytes=threshold,
        detectable_bytes=threshold + (slope.estimate - slope.low),
        rising=rises_evenly(tail),
    )


def condensed(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Positions and medians of consecutive blocks, at most about FIT_POINTS of them."""
    size = -(-len(values) // FIT_POINTS)
    starts = range(0, len(values) - size + 1, size)
    medians = [sorted(values[start : start + size])[size // 2] for start in starts]
    return [start + (size - 1) / 2 for start in starts], medians


def residual_range(values: Sequence[float], slope: float) -> float:
    """Range of the readings about a line of that slope."""
    residuals = [value - slope * index for index, value in enumerate(values)]
    return max(residuals) - min(residuals)


def rises_evenly(values: Sequence[float]) -> bool:
    """The block minima rise every time, and no single rise dominates."""
    size = len(values) // BLOCKS
    minima = [min(values[block * size : (block + 1) * size]) for block in range(BLOCKS)]
    rises = [after - before for before, after in pairwise(minima)]
    return min(rises) > 0 and max(rises) <= LARGEST_SHARE * sum(rises)


def grows_by_count(counts: Sequence[float]) -> bool:
    """Rule D: the least number of threads (open files, processes) rises from block to block."""
    tail = counts[len(counts) // 3 :]
    return len(tail) >= MIN_TAIL_SCANS and rises_evenly(tail)


def judge_process(
    noted: LeakSeries, live_floor_bytes: float | None = None
) -> dict[str, SeriesFinding]:
    """The findings of the repeated scans of one process, by ledger."""
    return {
        ledger: judge_series(
            ledger,
            values,
            quiet=noted.quiet,
            floor_bytes=None if ledger in KERNELS else live_floor_bytes,
        )
        for ledger, values in noted.repeated.items()
    }
