"""The delta encodings. Source: Encodings.md of apache/parquet-format."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from ..errors import MalformedError, TruncatedError
from ..thrift import varint, zigzag
from .bits import MAX_WIDTH, unpack

VALUES_AT_ONCE = 4096
MAX_BLOCK = 1 << 16
"""Largest believed number of values in a block: writers use 128 to 2048."""


class DeltaBinaryPacked:
    """Integers as differences, in blocks of miniblocks that have a bit width each.

    `bits` is 32 or 64: differences wrap around at it, as the writers compute them.
    """

    __slots__ = (
        "_block",
        "_data",
        "_high",
        "_last",
        "_low",
        "_miniblock",
        "_miniblocks",
        "_pending",
        "_position",
        "_undecoded",
        "total",
    )

    def __init__(self, data: bytes, position: int, bits: int, *, signed: bool = True) -> None:
        try:
            self._block, position = varint(data, position)
            self._miniblocks, position = varint(data, position)
            self.total, position = varint(data, position)
            first, position = zigzag(data, position)
        except IndexError:
            raise TruncatedError("the header of the deltas is cut off") from None
        if not 0 < self._block <= MAX_BLOCK or not 0 < self._miniblocks <= self._block:
            raise MalformedError(f"blocks of {self._block} deltas in {self._miniblocks} miniblocks")
        self._miniblock = self._block // self._miniblocks
        if self._miniblock % 8 or self._miniblock * self._miniblocks != self._block:
            raise MalformedError(
                f"{self._miniblocks} miniblocks do not divide {self._block} deltas"
            )
        self._data = data
        self._position = position
        self._low = -(1 << bits - 1) if signed else 0
        self._high = self._low + (1 << bits) - 1
        self._last = self._wrap(first)
        self._pending = [self._last] if self.total else []
        self._undecoded = max(0, self.total - 1)

    def take(self, count: int) -> list[int]:
        """The next `count` integers. Raises TruncatedError where there are fewer."""
        while len(self._pending) < count:
            if not self._undecoded:
                raise TruncatedError(f"{count} integers wanted, {len(self._pending)} are left")
            self._decode_blocks()
        taken = self._pending[:count]
        del self._pending[:count]
        return taken

    def take_all(self) -> tuple[list[int], int]:
        """All integers that are left, and the position behind the last block."""
        values = self.take(len(self._pending) + self._undecoded)
        return values, self._position

    def _decode_blocks(self) -> None:
        """Decode the next blocks; all miniblocks of one bit width are unpacked in one go."""
        packed: dict[int, bytearray] = {}
        plan: list[tuple[int, int, int, int]] = []
        planned = 0
        try:
            while self._undecoded and planned < VALUES_AT_ONCE:
                planned += self._plan_block(packed, plan)
        except IndexError:
            raise TruncatedError("a block of deltas is cut off") from None
        unpacked = {width: unpack(bytes(data), width) for width, data in packed.items() if width}
        deltas: list[int] = []
        for width, start, count, least in plan:
            if width:
                deltas += [delta + least for delta in unpacked[width][start : start + count]]
            else:
                deltas += [least] * count
        values = list(accumulate(deltas, initial=self._last))
        del values[0]
        if min(values) < self._low or max(values) > self._high:
            values = [self._wrap(value) for value in values]
        self._last = values[-1]
        self._pending += values

    def _plan_block(
        self, packed: dict[int, bytearray], plan: list[tuple[int, int, int, int]]
    ) -> int:
        """Add (width, first index among those of that width, count, least delta) per miniblock."""
        data = self._data
        least, position = zigzag(data, self._position)
        widths = position
        position += self._miniblocks
        planned = 0
        for index in range(self._miniblocks):
            if not self._undecoded:
                break  # behind the last value there are widths, but no data
            width = data[widths + index]
            if width > MAX_WIDTH:
                raise MalformedError(f"a miniblock of bit width {width}")
            size = self._miniblock * width // 8
            if position + size > len(data):
                raise TruncatedError("a miniblock is cut off")
            count = min(self._miniblock, self._undecoded)
            start = 0
            if width:
                same_width = packed.setdefault(width, bytearray())
                start = len(same_width) * 8 // width
                same_width += data[position : position + size]
            plan.append((width, start, count, least))
            position += size
            self._undecoded -= count
            planned += count
        self._position = position
        return planned

    def _wrap(self, value: int) -> int:
        return (value - self._low & self._high - self._low) + self._low


def _lengths(data: bytes, position: int, limit: int) -> tuple[list[int], int]:
    """All integers of one encoding, at most `limit`, none negative; the position behind them."""
    decoder = DeltaBinaryPacked(data, position, 32)
    if decoder.total > limit:
        raise MalformedError(f"{decoder.total} lengths for a page of {limit} values")
    lengths, position = decoder.take_all()
    if lengths and min(lengths) < 0:
        raise MalformedError("a length is negative")
    return lengths, position


class DeltaLengthByteArrays:
    """Byte strings back to back, behind all their lengths; `str` where `text` is set."""

    __slots__ = ("_at", "_data", "_lengths", "_position", "_text")

    def __init__(self, data: bytes, position: int, limit: int, *, text: bool) -> None:
        self._data = data
        self._lengths, self._position = _lengths(data, position, limit)
        self._at = 0
        self._text = text

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises TruncatedError, UnicodeDecodeError."""
        data = self._data
        lengths = self._lengths[self._at : self._at + count]
        if len(lengths) < count:
            raise TruncatedError(f"{count} values wanted, {len(lengths)} are left")
        self._at += count
        ends = list(accumulate(lengths, initial=self._position))
        self._position = ends[-1]
        if self._position > len(data):
            raise TruncatedError("a byte array is cut off")
        if self._text:
            return [data[a:b].decode() for a, b in pairwise(ends)]
        return [data[a:b] for a, b in pairwise(ends)]


class DeltaByteArrays:
    """Byte strings as the length of the prefix shared with the one before, and the rest."""

    __slots__ = ("_at", "_last", "_prefixes", "_suffixes", "_text")

    def __init__(self, data: bytes, position: int, limit: int, *, text: bool) -> None:
        self._prefixes, position = _lengths(data, position, limit)
        self._suffixes = DeltaLengthByteArrays(data, position, limit, text=False)
        self._at = 0
        self._last = b""
        self._text = text

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises MalformedError, UnicodeDecodeError."""
        prefixes: Sequence[int] = self._prefixes[self._at : self._at + count]
        suffixes: Sequence[bytes] = self._suffixes.take(count)
        if len(prefixes) < count:
            raise TruncatedError(f"{count} values wanted, {len(prefixes)} are left")
        self._at += count
        last = self._last
        values: list[bytes] = []
        for prefix, suffix in zip(prefixes, suffixes, strict=True):
            if prefix > len(last):
                raise MalformedError(f"a prefix of {prefix} bytes of a value of {len(last)} bytes")
            last = last[:prefix] + suffix
            values.append(last)
        self._last = last
        return [value.decode() for value in values] if self._text else values
