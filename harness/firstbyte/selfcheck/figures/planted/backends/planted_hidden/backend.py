"""An honest reader that holds memory in one of the places of `hidden`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.selfcheck.figures.control import HonestBackend, HonestReader

from . import hidden


class HidingReader(HonestReader):
    def __init__(self, backend: HidingBackend, *opened: Any) -> None:
        super().__init__(*opened)
        self._backend = backend

    def __next__(self) -> Any:
        batch = super().__next__()
        self._backend.hide()
        return batch


class HidingBackend(HonestBackend):
    def __init__(self, kind: str) -> None:
        self._way = getattr(hidden, kind)
        self._hid = False

    def hide(self) -> None:
        """Once in a process."""
        if not self._hid:
            self._hid = True
            self._way()

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Any:
        return HidingReader(self, shard, columns, batch_rows)


def create(*, kind: str, early: bool = False) -> HidingBackend:
    """`early`: the memory is taken now, before anybody has looked at what the process holds.

    Raises AttributeError for an unknown way, Unsupported for one that this machine has not.
    """
    backend = HidingBackend(kind)
    if early:
        backend.hide()
    return backend
