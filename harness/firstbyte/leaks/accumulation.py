"""Accumulation: does one scan keep what it has read until it ends?

`rho` is the number of bytes gained per compressed byte consumed. Within a scan it is the slope of
the bytes held over the later two thirds; across two files, one twice as long, it is the extra peak
per extra compressed byte. A read-ahead, however deep, reaches a level that does not depend on the
length of the file: its second rho is about 0. Both must be large, and what was gained must be
gone, or at least used again by the next scan: otherwise it would be a leak.
"""

from __future__ import annotations

from dataclasses import dataclass

from firstbyte.analysis.stats import Slope, theil_sen
from firstbyte.worker.leak_series import LeakSeries, NotedScan, Role

MIN_RHO = 0.3
MIN_GAIN_BYTES = 1 << 20
"""Least extra peak of the longer file; below it, small buffers look like a rate."""
MIN_LENGTH_RATIO = 1.5
MIN_POINTS = 9
FREED_SHARE = 0.5
"""At least this share of the gain must be gone after the scan, or be used again by the next."""


@dataclass(frozen=True, slots=True)
class Accumulation:
    """What the passes say for the ledger in which most was gained."""

    found: bool
    reason: str
    ledger: str = ""
    rho_within: Slope | None = None
    rho_across: float | None = None


def judge_scans(noted: LeakSeries) -> Accumulation:
    """Compare scans of a file, of one at least 1.5 times as long, and of that one again."""
    if not noted.within:
        return Accumulation(False, "not examined: all files are about as long")
    short, long, again = (noted.within[role] for role in (Role.SHORT, Role.LONG, Role.LONG_AGAIN))
    if long.file_bytes < MIN_LENGTH_RATIO * short.file_bytes:
        return Accumulation(False, "not examined: no file of twice the length was read")
    if len(long.consumed_bytes) < MIN_POINTS:
        return Accumulation(
            False, f"not examined: {len(long.consumed_bytes)} batches are too few for a slope"
        )
    judged = [_judge_ledger(ledger, short, long, again) for ledger in long.held]
    if not judged:
        return Accumulation(False, "not examined: no ledger was read")
    return max(judged, key=lambda one: (one.found, one.rho_across or 0.0))


def within(scan: NotedScan, ledger: str) -> Slope:
    """rho within one scan, after its first third. Raises ValueError for too few batches."""
    start = len(scan.consumed_bytes) // 3
    return theil_sen(scan.consumed_bytes[start:], scan.held[ledger][start:], 0.99)


def _judge_ledger(ledger: str, short: NotedScan, long: NotedScan, again: NotedScan) -> Accumulation:
    inside = within(long, ledger)
    peak = max(long.held[ledger])
    gain = peak - max(short.held[ledger])
    across = gain / (long.file_bytes - short.file_bytes)
    freed = peak - long.after[ledger] > FREED_SHARE * (peak - long.held[ledger][0])
    used_again = max(again.held[ledger]) - peak < (1 - FREED_SHARE) * gain
    found = (
        inside.low > MIN_RHO
        and across > MIN_RHO
        and gain > MIN_GAIN_BYTES
        and (freed or used_again)
    )
    reason = (
        f"{ledger} gains {inside.estimate:.2f} B per compressed byte within a scan, and the peak "
        f"{across:.2f} B per byte that the file is longer"
    )
    return Accumulation(found, reason, ledger, inside, across)
