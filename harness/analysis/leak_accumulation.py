"""Accumulation: does one scan keep what it has read until it ends?

`rho` is the number of bytes gained per compressed byte consumed. Within a scan it is the slope of
the live bytes over the later two thirds; across two files, one twice as long, it is the extra
peak per extra compressed byte. A read-ahead, however deep, reaches a level that does not depend
on the length of the file: its second rho is about 0. Only both together are ACCUMULATION.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.stats import Slope, theil_sen

MIN_RHO = 0.3
MIN_GAIN_BYTES = 1 << 20
"""Least extra peak of the longer file; below it, small buffers look like a rate."""
MIN_LENGTH_RATIO = 1.5
MIN_POINTS = 9
FREED_SHARE = 0.5
"""At least this share of the gain must be gone after the scan, or it is no accumulation."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One scan: compressed bytes consumed and bytes held in each ledger, batch by batch.

    `held` values are absolute; `after` holds them once the reader was dropped.
    """

    consumed_bytes: Sequence[float]
    held: Mapping[str, Sequence[float]]
    after: Mapping[str, float]
    file_bytes: float


@dataclass(frozen=True, slots=True)
class Accumulation:
    """What the two passes say for the ledger in which most was gained."""

    found: bool
    reason: str
    ledger: str = ""
    rho_within: Slope | None = None
    rho_across: float | None = None


def judge_passes(short: Pass, long: Pass) -> Accumulation:
    """Compare a scan of one file with a scan of one at least 1.5 times as long, in that order."""
    if long.file_bytes < MIN_LENGTH_RATIO * short.file_bytes:
        return Accumulation(False, "not examined: no file of twice the length was read")
    if len(long.consumed_bytes) < MIN_POINTS:
        return Accumulation(
            False, f"not examined: {len(long.consumed_bytes)} batches are too few for a slope"
        )
    judged = [_judge_ledger(ledger, short, long) for ledger in long.held if ledger in short.held]
    if not judged:
        return Accumulation(False, "not examined: the scans have no ledger in common")
    return max(judged, key=lambda one: (one.found, one.rho_across or 0.0))


def within(scan: Pass, ledger: str) -> Slope:
    """rho within one scan, after its first third. Raises ValueError for too few batches."""
    start = len(scan.consumed_bytes) // 3
    return theil_sen(scan.consumed_bytes[start:], scan.held[ledger][start:], 0.99)


def _judge_ledger(ledger: str, short: Pass, long: Pass) -> Accumulation:
    inside = within(long, ledger)
    gain = max(long.held[ledger]) - max(short.held[ledger])
    across = gain / (long.file_bytes - short.file_bytes)
    rise = max(long.held[ledger]) - long.held[ledger][0]
    freed = max(long.held[ledger]) - long.after[ledger]
    found = (
        inside.low > MIN_RHO
        and across > MIN_RHO
        and gain > MIN_GAIN_BYTES
        and freed > FREED_SHARE * rise
    )
    reason = (
        f"{ledger} gains {inside.estimate:.2f} B per compressed byte within a scan, and the peak "
        f"{across:.2f} B per byte that the file is longer"
    )
    return Accumulation(found, reason, ledger, inside, across)
