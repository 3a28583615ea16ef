"""An honest reader whose batches go through one of the lies of `lies`, or that lies in its own methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from firstbyte.selfcheck.figures.control import HonestBackend, HonestReader

from . import lies


class LyingReader(HonestReader):
    """Hands out what the lie makes of what was read."""

    def __init__(self, lie: lies.Lie, shard: int, pass_: int, *opened: Any) -> None:
        super().__init__(*opened)
        self._lie = lie
        self._shard = shard
        self._pass = pass_
        self._row = 0
        self._ahead: Any = None

    def __next__(self) -> Any:
        batch = super().__next__() if self._ahead is None else self._ahead
        try:
            self._ahead = super().__next__()
        except StopIteration:
            self._ahead, last = None, True
            self._batches = iter(())
        else:
            last = False
        place = lies.Place(self._shard, self._row, last, self._pass)
        self._row += batch.num_rows
        return self._lie(batch, place)


class OtherFirstValue(HonestReader):
    """The first value is another's; the batches are right."""

    def first_value(self, batch: Any, column: str) -> object:
        return batch.column(column)[1].as_py()


class RightWhenLookedAt(HonestReader):
    """Batches hold wrong values until somebody asks for them in canonical form."""

    def first_value(self, batch: Any, column: str) -> object:
        return str(super().first_value(batch, column)).upper()


class LeftOff(HonestReader):
    """After a pass that was left off before its end, the next one begins a batch late."""

    consumed: ClassVar[Counter[Path]] = Counter()

    def __init__(self, shard: Path, columns: Sequence[str] | None, batch_rows: int) -> None:
        super().__init__(shard, columns, batch_rows)
        self._shard = shard
        for _ in range(self.consumed[shard]):
            super().__next__()

    def __next__(self) -> Any:
        try:
            batch = super().__next__()
        except StopIteration:
            self.consumed[self._shard] = 0
            raise
        self.consumed[self._shard] = 1
        return batch


METHODS: dict[str, type[HonestReader]] = {
    "other_first_value": OtherFirstValue,
    "right_when_looked_at": RightWhenLookedAt,
    "left_off": LeftOff,
}


class LyingBackend(HonestBackend):
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._passes: Counter[Path] = Counter()

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> HonestReader:
        if self._kind in METHODS:
            return METHODS[self._kind](shard, columns, batch_rows)
        self._passes[shard] += 1
        lie: lies.Lie = getattr(lies, self._kind)
        return LyingReader(lie, int(shard.stem), self._passes[shard], shard, columns, batch_rows)


def create(*, kind: str) -> LyingBackend:
    """Raises AttributeError for an unknown lie once a shard is opened."""
    return LyingBackend(kind)
