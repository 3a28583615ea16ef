"""Notes which shards a process reads, and how, so that each is verified as it was read.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firstbyte.api import Backend, Reader, Shard


class Way(NamedTuple):
    """A way in which a shard is read."""

    shard: int
    columns: tuple[str, ...] | None
    """None for all."""
    batch_rows: int


class Ways:
    """The ways in which shards are read, each once, in the order in which they came up.

    `note` is called within spans: it makes next to nothing, and keeps nothing of a way that it knows.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._numbers = {shard.path: number for number, shard in enumerate(shards)}
        self._found: dict[tuple[int, tuple[str, ...] | None, int], None] = {}
        self._verified: set[int] = set()

    def note(self, path: Path, columns: Sequence[str] | None, batch_rows: int) -> None:
        """A reader was opened over that file, which may be none of the corpus, as a copy is."""
        number = self._numbers.get(path)
        if number is not None:
            self.add(number, columns, batch_rows)

    def add(self, shard: int, columns: Sequence[str] | None, batch_rows: int) -> None:
        """That shard is to be verified, read in that way."""
        self._found[shard, None if columns is None else tuple(columns), batch_rows] = None

    def verified(self, shard: int) -> None:
        """The scenario itself has seen to that shard."""
        self._verified.add(shard)

    def left(self) -> Iterator[Way]:
        """What is still to be verified."""
        return (Way(*one) for one in self._found if one[0] not in self._verified)


class NotingBackend:
    """A backend whose readers are noted when they are opened; all else is the backend's own."""

    def __init__(self, backend: Backend, ways: Ways) -> None:
        self._backend = backend
        self._ways = ways

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Reader:
        reader = self._backend.open(shard, columns=columns, batch_rows=batch_rows)
        self._ways.note(shard, columns, batch_rows)
        return reader

    def versions(self) -> dict[str, str]:
        return self._backend.versions()

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return self._backend.prepare(shards, directory)

    def __getattr__(self, name: str) -> Any:
        """What a backend has beyond the protocol. Raises AttributeError where it lacks it."""
        return getattr(self._backend, name)
