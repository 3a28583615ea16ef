"""Dictionary indices and run-length booleans: runs of the hybrid encoding turned into values."""

from __future__ import annotations

from typing import Any

from backends.pure_python.encodings.hybrid import Hybrid
from backends.pure_python.errors import MalformedError, TruncatedError


class Gather:
    """Values of a list picked by the integers of a Hybrid."""

    __slots__ = ("_indices", "_values")

    def __init__(self, values: list[Any], indices: Hybrid) -> None:
        self._values = values
        self._indices = indices

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises MalformedError for an index beyond the list."""
        values = self._values
        taken: list[Any] = []
        try:
            for length, value, literals in self._indices.runs(count):
                if literals is None:
                    taken += [values[value]] * length
                else:
                    taken += map(values.__getitem__, literals)
        except IndexError:
            raise MalformedError(
                f"an index is beyond the {len(values)} dictionary entries"
            ) from None
        return taken


def dictionary_indices(data: bytes, position: int) -> Hybrid:
    """The indices of a dictionary-encoded page: the first byte is their width in bits."""
    if position >= len(data):
        raise TruncatedError("the bit width of the dictionary indices is missing")
    return Hybrid(data, position + 1, len(data), data[position])


def rle_booleans(data: bytes, position: int) -> Gather:
    """Booleans in encoding RLE: four bytes of length, then runs of one bit."""
    end = position + 4 + int.from_bytes(data[position : position + 4], "little")
    if end > len(data):
        raise TruncatedError("run-length booleans are cut off")
    return Gather([False, True], Hybrid(data, position + 4, end, 1))


class NoValues:
    """A page whose slots are all null: it needs no value, so its body may be missing altogether."""

    __slots__ = ()

    def take(self, count: int) -> list[Any]:
        """Nothing. Raises TruncatedError where a value is wanted after all."""
        if count:
            raise TruncatedError(f"{count} values wanted from an empty page")
        return []
