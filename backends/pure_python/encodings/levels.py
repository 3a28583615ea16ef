"""What definition and repetition levels are read with, and their deprecated bit-packed form.

Source: Encodings.md of apache/parquet-format, "Bit-packed (Deprecated)".
"""

from __future__ import annotations

from typing import Protocol

from ..errors import TruncatedError


class LevelDecoder(Protocol):
    """The levels of one page, each of at most 8 bits."""

    def levels(self, count: int) -> bytes:
        """The next `count` levels, a byte each. Raises MalformedError where there are fewer."""
        ...


class BitPackedLevels:
    """Levels of `width` bits back to back, the most significant bit first, without a length."""

    __slots__ = ("_at", "_data", "_width", "size_bytes")

    def __init__(self, data: bytes, position: int, count: int, width: int) -> None:
        """`count` is the number of levels in the page. Raises TruncatedError."""
        self.size_bytes = (count * width + 7) // 8
        self._data = data[position : position + self.size_bytes]
        if len(self._data) < self.size_bytes:
            raise TruncatedError("the bit-packed levels of a page are cut off")
        self._width = width
        self._at = 0

    def levels(self, count: int) -> bytes:
        """The next `count` levels. Raises TruncatedError where there are fewer."""
        first = self._at * self._width
        self._at += count
        last = self._at * self._width
        packed = self._data[first // 8 : (last + 7) // 8]
        if last > 8 * len(self._data):
            raise TruncatedError(f"{count} levels wanted, the page has fewer")
        bits = int.from_bytes(packed, "big") >> (-last % 8)
        mask = (1 << self._width) - 1
        shifts = range((count - 1) * self._width, -1, -self._width)
        return bytes([bits >> shift & mask for shift in shifts])
