"""Dictionary pages and the pages of indices into them."""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import MalformedError, TruncatedError
from .hybrid import Hybrid


class Decoder(Protocol):
    """The values of one page, nulls left out, in order."""

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises MalformedError, UnicodeDecodeError."""
        ...


class Dictionary:
    """The entries of a dictionary page, decoded only as far as an index ever reached.

    Writers number the entries as they meet them, so the first rows need only the first entries.
    """

    __slots__ = ("_decoder", "undecoded", "values")

    def __init__(self, decoder: Decoder, count: int) -> None:
        self._decoder = decoder
        self.undecoded = count
        self.values: list[Any] = []

    def reach(self, index: int) -> None:
        """Decode the entries up to `index`. Raises MalformedError where there are fewer."""
        missing = index + 1 - len(self.values)
        if missing > self.undecoded:
            raise _beyond(len(self.values) + self.undecoded)
        if missing > 0:
            self.values += self._decoder.take(missing)
            self.undecoded -= missing


class Gather:
    """Entries of a dictionary, picked by a page of indices."""

    __slots__ = ("_dictionary", "_indices")

    def __init__(self, dictionary: Dictionary, data: bytes, position: int) -> None:
        if position >= len(data):
            raise TruncatedError("the bit width of the dictionary indices is missing")
        self._dictionary = dictionary
        self._indices = Hybrid(data, position + 1, len(data), data[position])

    def take(self, count: int) -> list[Any]:
        """The next `count` values. Raises MalformedError for an index beyond the dictionary."""
        dictionary = self._dictionary
        values = dictionary.values
        taken: list[Any] = []
        try:
            for length, index, indices in self._indices.runs(count):
                if dictionary.undecoded:
                    dictionary.reach(index if indices is None else max(indices))
                if indices is None:
                    taken += [values[index]] * length
                else:
                    taken += map(values.__getitem__, indices)
        except IndexError:
            raise _beyond(len(values)) from None
        return taken


class NoValues:
    """A page whose slots are all null: it needs no value, so its body may be missing altogether."""

    __slots__ = ()

    def take(self, count: int) -> list[Any]:
        """Nothing. Raises TruncatedError where a value is wanted after all."""
        if count:
            raise TruncatedError(f"{count} values wanted from an empty page")
        return []


def _beyond(entries: int) -> MalformedError:
    return MalformedError(f"an index is beyond the {entries} dictionary entries")
