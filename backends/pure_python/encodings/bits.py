"""Unpacking of bit-packed integers, least significant bit first, many at a time.

Eight values of `width` bits fill `width` bytes exactly. Such groups are laid out with gaps, so that
each has room for eight whole machine integers ("lanes"); then three masked shifts of one big
integer move all values of all groups to their lanes. The interpreter works per call, not per value.
"""

from __future__ import annotations

from typing import Literal

from ..errors import MalformedError

MAX_WIDTH = 64
GROUPS = 512
"""Groups of eight unpacked in one go: enough to make the calls cheap, and still in the L2 cache."""
FEW_GROUPS = 3
"""Up to here a shift per value is quicker than laying out lanes."""

_LANE_FORMATS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
_shifts: dict[int, tuple[tuple[int, int], ...]] = {}


def unpack(packed: bytes, width: int) -> memoryview | list[int]:
    """The `8 * len(packed) // width` unsigned integers in `packed`.

    `width` is 1 to 64 bits and `len(packed)` a multiple of it. Raises MalformedError beyond that.
    """
    if width > MAX_WIDTH:
        raise MalformedError(f"bit width {width} is beyond {MAX_WIDTH}")
    lane_bytes = 1 if width <= 8 else 2 if width <= 16 else 4 if width <= 32 else 8
    lane_format = _LANE_FORMATS[lane_bytes]
    if width == 8 * lane_bytes:
        return memoryview(packed).cast(lane_format)
    groups = len(packed) // width
    if groups <= FEW_GROUPS:
        bits = int.from_bytes(packed, "little")
        mask = (1 << width) - 1
        return [bits >> shift & mask for shift in range(0, 8 * len(packed), width)]
    if groups <= GROUPS:
        return memoryview(_lanes(packed, width, lane_bytes)).cast(lane_format)
    step = GROUPS * width
    pieces = [
        _lanes(packed[start : start + step], width, lane_bytes)
        for start in range(0, len(packed), step)
    ]
    return memoryview(b"".join(pieces)).cast(lane_format)


def _lanes(packed: bytes, width: int, lane_bytes: int) -> bytes:
    """Every value of at most GROUPS groups in a little-endian lane of its own."""
    stride = 8 * lane_bytes
    size = len(packed) // width * stride
    spread = bytearray(size)
    for byte in range(width):
        spread[byte::stride] = packed[byte::width]
    bits = int.from_bytes(spread, "little")
    for mask, shift in _shifts.get(width) or _plan(width, lane_bytes):
        upper = bits & mask
        bits = (bits ^ upper) | (upper << shift)
    return bits.to_bytes(size, "little")


def _plan(width: int, lane_bytes: int) -> tuple[tuple[int, int], ...]:
    """The three steps: which bits move (upper halves of 8, 4, then 2 values), and how far."""
    steps = []
    for half in (4, 2, 1):
        upper = ((1 << half * width) - 1) << (half * width)
        unit = upper.to_bytes(2 * half * lane_bytes, "little")
        mask = int.from_bytes(unit * (GROUPS * 4 // half), "little")
        steps.append((mask, half * (8 * lane_bytes - width)))
    _shifts[width] = tuple(steps)
    return _shifts[width]
