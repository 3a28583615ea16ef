"""An honest reader that leaves behind one of the leaks of `leaks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.selfcheck.figures.control import HonestBackend, HonestReader

from . import leaks


class LeakingReader(HonestReader):
    def __init__(self, leak: leaks.Leak, shard: Path, *how: Any) -> None:
        self._leak: leaks.Leak | None = None
        super().__init__(shard, *how)
        self._leak = leak
        leak.opened(shard)
        self._ended = False

    def __next__(self) -> Any:
        try:
            batch = super().__next__()
        except StopIteration:
            self._ended = True
            raise
        if self._leak:
            self._leak.delivered()
        return batch

    def close(self) -> None:
        super().close()
        leak, self._leak = self._leak, None
        if leak:
            leak.closed()

    def __del__(self) -> None:
        if self._leak and not self._ended:
            self._leak.dropped()
        if self._leak:
            self.close()


class LeakingBackend(HonestBackend):
    def __init__(self, leak: leaks.Leak) -> None:
        self._leak = leak

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Any:
        try:
            return LeakingReader(self._leak, shard, columns, batch_rows)
        except Exception:
            self._leak.failed()
            raise


def create(*, kind: str) -> LeakingBackend:
    """Raises KeyError for an unknown leak."""
    return LeakingBackend(leaks.LEAKS[kind]())
