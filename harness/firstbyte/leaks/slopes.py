"""Rules B and C: what one series of memory readings, one per use, says, and how sure that is.

Both look at a series after its first third is dropped.

* **B**, for live bytes (glibc's statistics, an allocator's own counter): the 99 % lower bound of
  the Theil-Sen slope is above a threshold.
* **C**, for the ledgers of the kernel, which show leaks in allocators that nothing can ask: the same, with
  a threshold that follows the noise. Resident memory wanders in steps, so a nominal p-value means
  nothing there.

They ask in addition that the minimum rises from block to block and that no single rise makes up
most of the growth: a warm-up or one step is not a leak.

What is no part of a rate is taken out first (`firstbyte.leaks.steps`): lone readings, a few drops (an
allocator gives back) and one rise. A series that grows between its drops and has not gained more than the
largest of them may be a saw's tooth: it is `torn`, which only more uses can settle. A slope that is surely
above the floor, and that the noise could imitate, is `weak`, and is followed up like the others: nothing
that grows surely is passed over.

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

from firstbyte.analysis.stats import Slope
from firstbyte.leaks.steps import without_steps
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import KERNELS

KIB = 1024

MIN_TAIL_SCANS = 61
"""Scans that must remain once the first third is dropped."""
MIN_COUNTED_USES = 20
"""The same for counts, which are exact."""
MIN_SCANS = MIN_TAIL_SCANS * 3 // 2 + 1
BLOCKS = 5
LARGEST_SHARE = 0.6
"""No single rise between two blocks may make up more of the whole growth than this."""

LIVE_FLOOR_BYTES = 48.0
"""Least slope per scan that rule B calls a leak, with glibc's per-thread caches off."""
LIVE_DRIFT_BYTES = 150 * KIB
"""What per-thread caches may add over a whole series when they are on."""
KERNEL_FLOOR_BYTES = 1024.0
"""Least slope per scan that rule C calls a leak."""
NOISE_FACTOR = 2.0
"""The slope that noise of range R can imitate over n scans is taken as this times R / n."""


@dataclass(frozen=True, slots=True)
class SeriesFinding:
    """What one series says. All sizes are bytes; slopes and thresholds are bytes per use."""

    ledger: str
    rule: str
    scans: int
    slope: Slope
    """Of the series without its steps."""
    noise_bytes: float
    """Range of the residuals about the fitted line."""
    threshold_bytes: float
    detectable_bytes: float
    """The smallest leak per use that the rule would have flagged in a series as noisy as this
    one. A rise that was taken out counts: a leak that comes in such rises would have been.
    """
    rising: bool
    floor_bytes: float = 0.0
    """Least slope that counts, however quiet the series is."""
    dropped_bytes: float = 0.0
    """The largest drop that was taken out."""
    gained_bytes: float = 0.0
    """From the first block to the last, with all steps in."""

    @property
    def grows(self) -> bool:
        """Between its steps, beyond what the noise can imitate."""
        return self.rising and self.slope.low > self.threshold_bytes

    @property
    def flagged(self) -> bool:
        """Grows, and is further up than a drop that could still come would bring it down."""
        return self.grows and self.gained_bytes > self.dropped_bytes

    @property
    def torn(self) -> bool:
        """Grows between its drops, and they may take back all of it."""
        return self.grows and not self.flagged

    @property
    def suspicious(self) -> bool:
        """Flagged, torn, or weak: surely above the floor."""
        return self.grows or self.slope.low > self.floor_bytes


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
    kernels = ledger in KERNELS
    floor = floor_bytes
    if floor is None:
        floor = KERNEL_FLOOR_BYTES if kernels else LIVE_FLOOR_BYTES
    level = without_steps(tail, floor * len(tail) / NOISE_FACTOR)
    threshold = max(floor, NOISE_FACTOR * level.noise / len(tail))
    if not kernels and not quiet:
        threshold = max(threshold, LIVE_DRIFT_BYTES / len(values))
    return SeriesFinding(
        ledger=ledger,
        rule="C" if kernels else "B",
        scans=len(values),
        slope=level.slope,
        noise_bytes=level.noise,
        threshold_bytes=threshold,
        detectable_bytes=threshold
        + (level.slope.estimate - level.slope.low)
        + level.risen / len(tail),
        rising=rises_evenly(level.values),
        floor_bytes=floor,
        dropped_bytes=level.dropped,
        gained_bytes=level.gained,
    )


def growth(values: Sequence[float]) -> Slope:
    """The slope of a series by the same rules, for those that judge it by a threshold of their own.

    That between the drops; its lower bound is above zero only where the series has gained more than the
    largest of them. Raises ValueError for fewer than three readings.
    """
    tail = [float(value) for value in values[len(values) // 3 :]]
    level = without_steps(tail)
    if level.gained > level.dropped or not level.dropped:
        return level.slope
    return Slope(min(0.0, level.slope.low), level.slope.estimate, level.slope.high)


def rises_evenly(values: Sequence[float]) -> bool:
    """The block minima rise every time, and no single rise dominates."""
    size = len(values) // BLOCKS
    minima = [min(values[block * size : (block + 1) * size]) for block in range(BLOCKS)]
    rises = [after - before for before, after in pairwise(minima)]
    return min(rises) > 0 and max(rises) <= LARGEST_SHARE * sum(rises)


def grows_by_count(counts: Sequence[float]) -> bool:
    """Rule D: the least number of threads (open files, processes) rises from block to block."""
    tail = counts[len(counts) // 3 :]
    return len(tail) >= MIN_COUNTED_USES and rises_evenly(tail)


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
