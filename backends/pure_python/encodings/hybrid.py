"""RLE/bit-packed hybrid: levels, dictionary indices and booleans.

Source: Encodings.md of apache/parquet-format, "Run Length Encoding / Bit-Packing Hybrid".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import MalformedError, TruncatedError
from ..thrift import varint
from .bits import GROUPS, unpack

MAX_WIDTH = 32


class Hybrid:
    """Unsigned integers of `width` bits in `data[position:end]`, decoded as they are asked for.

    A run is expanded only as far as it is asked for: one of two thousand million takes no memory.
    """

    __slots__ = (
        "_at",
        "_data",
        "_end",
        "_groups",
        "_literals",
        "_position",
        "_repeats",
        "_value",
        "_width",
    )

    def __init__(self, data: bytes, position: int, end: int, width: int) -> None:
        if width > MAX_WIDTH:
            raise MalformedError(f"bit width {width} is beyond {MAX_WIDTH}")
        self._data = data
        self._position = position
        self._end = end
        self._width = width
        self._repeats = 0
        self._value = 0
        self._groups = 0
        self._literals: Sequence[int] = ()
        self._at = 0

    def runs(self, count: int) -> Iterator[tuple[int, int, Sequence[int] | None]]:
        """The next `count` integers as (length, value, None) or (length, 0, literals).

        Raises MalformedError where there are fewer.
        """
        while count:
            if self._repeats:
                taken = min(count, self._repeats)
                self._repeats -= taken
                yield taken, self._value, None
            elif self._at < len(self._literals):
                taken = min(count, len(self._literals) - self._at)
                start = self._at
                self._at = start + taken
                yield taken, 0, self._literals[start : start + taken]
            else:
                self._advance()
                continue
            count -= taken

    def levels(self, count: int) -> bytes:
        """The next `count` integers, each of at most 8 bits, as bytes."""
        return b"".join(
            [
                bytes((value,)) * length if literals is None else bytes(literals)
                for length, value, literals in self.runs(count)
            ]
        )

    def _advance(self) -> None:
        if not self._groups:
            self._next_run()
        if self._groups:
            groups = min(self._groups, GROUPS)
            size = groups * self._width
            packed = self._data[self._position : min(self._position + size, self._end)]
            self._position += len(packed)
            self._groups -= groups
            whole = len(packed) == size
            self._literals = unpack(packed, self._width) if whole else self._cut_literals(packed)
            self._at = 0

    def _cut_literals(self, packed: bytes) -> Sequence[int]:
        """The whole values of a last run that its writer did not fill up to eight values."""
        self._groups = 0
        padding = bytes(-len(packed) % self._width)
        return unpack(packed + padding, self._width)[: 8 * len(packed) // self._width]

    def _next_run(self) -> None:
        if self._position >= self._end:
            if not self._width:  # one possible value: writers may leave the runs out altogether
                self._repeats = 1 << 31
                return
            raise TruncatedError("the run-length data ends before its last value")
        try:
            header, self._position = varint(self._data, self._position)
        except IndexError:
            raise TruncatedError("a run-length header is cut off") from None
        if not header & 1:
            size = (self._width + 7) // 8
            self._value = int.from_bytes(
                self._data[self._position : self._position + size], "little"
            )
            self._position += size
            if self._position > self._end:
                raise TruncatedError("a run-length value is cut off")
            if self._value >> self._width:
                raise MalformedError(f"the value {self._value} needs more than {self._width} bits")
            self._repeats = header >> 1
        elif not self._width:
            self._repeats = (header >> 1) * 8
        else:
            self._groups = header >> 1
            # Some writers do not fill up the last eight values of the last run.
            if (self._groups - 1) * self._width >= self._end - self._position:
                raise TruncatedError("a bit-packed run is cut off")
