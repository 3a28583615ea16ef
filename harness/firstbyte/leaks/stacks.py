"""Rule A: the stacks whose unfreed allocations grow in step with the scans.

Two captures of one process are compared, of N scans and of 2 N. A stack that left at least 0.9
allocations per scan in both is a leak's; one-off state (a cache that fills, a module that loads)
leaves as much in the first as in the second. Merged records are keyed by thread as well, so the
counts of one stack are added up first; the name of the allocator in them is not to be trusted.

Rule A sees what memray sees and nothing else: it names a culprit, and never says that there is
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Frame = tuple[str, str, int]
"""Function, file, line: innermost first in a stack."""
Stack = tuple[Frame, ...]

PER_SCAN = 0.9


@dataclass(frozen=True, slots=True)
class Unfreed:
    """What one stack allocated within a capture and did not free."""

    allocations: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LeakingStack:
    """A stack whose unfreed allocations scale with the scans."""

    frames: Stack
    allocations_per_scan: float
    bytes_per_scan: float


def scaling_stacks(
    once: Mapping[Stack, Unfreed], twice: Mapping[Stack, Unfreed], scans: int
) -> tuple[LeakingStack, ...]:
    """The stacks that leak: `once` is a capture of `scans` scans, `twice` one of twice as many.

    The largest comes first. Raises ValueError for fewer than 10 scans, where one-off allocations
    could look like a rate.
    """
    if scans < 10:
        raise ValueError(f"rule A needs at least 10 scans in its first capture, got {scans}")
    found = []
    for frames, late in twice.items():
        early = once.get(frames)
        if early is None or early.allocations < PER_SCAN * scans:
            continue
        if late.allocations < PER_SCAN * 2 * scans:
            continue
        found.append(
            LeakingStack(
                frames,
                allocations_per_scan=late.allocations / (2 * scans),
                bytes_per_scan=late.size_bytes / (2 * scans),
            )
        )
    return tuple(sorted(found, key=lambda stack: -stack.bytes_per_scan))
