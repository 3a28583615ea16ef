"""PLAIN: values back to back. Source: Encodings.md of apache/parquet-format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from ..errors import TruncatedError

MachineFormat: TypeAlias = Literal["i", "I", "q", "Q", "f", "d"]

_JULIAN_DAY_OF_EPOCH = 2440588
_DAY_NS = 86_400_000_000_000


class FixedWidth:
    """Integers and floats of a machine format: one of the memoryview formats."""

    __slots__ = ("_at", "_values")

    def __init__(self, data: bytes, position: int, machine_format: MachineFormat) -> None:
        view = memoryview(data)[position:]
        whole = len(view) - len(view) % struct.calcsize(machine_format)
        self._values: memoryview[Any] = view[:whole].cast(machine_format)
        self._at = 0

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises TruncatedError where there are fewer."""
        start = self._at
        self._at = start + count
        if self._at > len(self._values):
            raise TruncatedError(f"{count} values wanted, {len(self._values) - start} are left")
        return self._values[start : self._at].tolist()


class FixedBytes:
    """Byte strings of one width."""

    __slots__ = ("_data", "_position", "_width")

    def __init__(self, data: bytes, position: int, width: int) -> None:
        self._data = data
        self._position = position
        self._width = width

    def take(self, count: int) -> list[bytes]:
        """The next `count` values. Raises TruncatedError where there are fewer."""
        start = self._position
        self._position = end = start + count * self._width
        if end > len(self._data):
            raise TruncatedError(f"{count} values of {self._width} bytes are cut off")
        return [value for (value,) in struct.iter_unpack(f"{self._width}s", self._data[start:end])]


class Int96:
    """Timestamps of 96 bits, as nanoseconds since 1970."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def take(self, count: int) -> list[int]:
        """The next `count` values. Raises TruncatedError where there are fewer."""
        start = self._position
        self._position = end = start + count * 12
        if end > len(self._data):
            raise TruncatedError(f"{count} values of 12 bytes are cut off")
        pairs: Iterator[tuple[int, int]] = struct.iter_unpack("<qi", self._data[start:end])
        return [(day - _JULIAN_DAY_OF_EPOCH) * _DAY_NS + time_ns for time_ns, day in pairs]


class ByteArrays:
    """Byte strings behind a length of four bytes each, decoded to `str` where `text` is set."""

    __slots__ = ("_data", "_lengths", "_position", "_text")

    def __init__(self, data: bytes, position: int, *, text: bool) -> None:
        self._data = data
        self._position = position
        self._text = text
        # A length can start at any byte. Four views, one per alignment, make reading it an index
        # operation; that is the quickest of the ways tried (from_bytes, unpack_from, shifts).
        view = memoryview(data)
        self._lengths = [
            view[offset : offset + max(0, len(data) - offset) // 4 * 4].cast("I")
            for offset in range(4)
        ]

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises TruncatedError, UnicodeDecodeError."""
        data = self._data
        lengths = self._lengths
        end = self._position
        values: list[Any] = []
        append = values.append
        try:
            if self._text:
                for _ in range(count):
                    start = end + 4
                    end = start + lengths[end & 3][end >> 2]
                    append(data[start:end].decode())
            else:
                for _ in range(count):
                    start = end + 4
                    end = start + lengths[end & 3][end >> 2]
                    append(data[start:end])
        except IndexError:
            raise TruncatedError("the length of a byte array is cut off") from None
        # Slices stop at the end of the data by themselves, so one check behind the loop is enough.
        if end > len(data):
            raise TruncatedError("a byte array is cut off")
        self._position = end
        return values
