"""Booleans: single bits back to back (PLAIN), or runs of them (RLE)."""

from __future__ import annotations

from ..errors import TruncatedError
from .bits import GROUPS, unpack
from .hybrid import Hybrid

_BOOLEANS = (False, True)


class PlainBooleans:
    """Single bits, least significant first."""

    __slots__ = ("_data", "_pending", "_position")

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._pending: list[bool] = []

    def take(self, count: int) -> list[bool]:
        """The next `count` values. Raises TruncatedError where there are fewer."""
        pending = self._pending
        while len(pending) < count:
            packed = self._data[self._position : self._position + GROUPS]
            if not packed:
                raise TruncatedError(f"{count} booleans wanted, {len(pending)} are left")
            self._position += len(packed)
            pending.extend(map(_BOOLEANS.__getitem__, unpack(packed, 1)))
        self._pending = pending[count:]
        return pending[:count]


class RleBooleans:
    """Four bytes of length, then runs of one bit."""

    __slots__ = ("_runs",)

    def __init__(self, data: bytes, position: int) -> None:
        end = position + 4 + int.from_bytes(data[position : position + 4], "little")
        if end > len(data):
            raise TruncatedError("run-length booleans are cut off")
        self._runs = Hybrid(data, position + 4, end, 1)

    def take(self, count: int) -> list[bool]:
        """The next `count` values. Raises MalformedError where there are fewer."""
        return list(map(_BOOLEANS.__getitem__, self._runs.levels(count)))
