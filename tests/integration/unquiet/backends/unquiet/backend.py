"""Delivers the right rows and disturbs what is around it, each variant in one way."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.backends.sound.backend import SoundBackend, SoundReader
from firstbyte.backends.sound.work import WORK

LOCK_HELD_MICROSECONDS = int(200_000 * WORK)
LEFT_BYTES = 100
LATE_USES = 3
IMPORT_BYTES = 16 << 20


class Counter:
    """Live bytes as an exact allocator would count them."""

    def __init__(self) -> None:
        self.live_bytes = 0


class UnquietReader(SoundReader):
    """Does the fault once in its life, or with every batch."""

    def __init__(
        self,
        shard: Path,
        columns: Sequence[str] | None,
        batch_rows: int,
        fault: str,
        counter: Counter,
    ) -> None:
        super().__init__(shard, columns, batch_rows)
        self._fault = fault
        self._counter = counter
        self._closed = False
        if fault == "leaves_thread":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        elif fault == "leaves_descriptor":
            os.open(shard, os.O_RDONLY)
        elif fault == "leaves_bytes":
            counter.live_bytes += LEFT_BYTES

    def __next__(self) -> Any:
        if self._fault == "holds_lock":
            # PyDLL, unlike CDLL, keeps the interpreter's lock during the call.
            ctypes.PyDLL(None).usleep(LOCK_HELD_MICROSECONDS)
        return super().__next__()

    def close(self) -> None:
        self._closed = True
        super().close()

    def __del__(self) -> None:
        if self._fault == "leaves_abandoned" and not self._closed:
            self._counter.live_bytes += LEFT_BYTES


class UnquietBackend(SoundBackend):
    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._counter = Counter()
        self._uses = 0
        self._ballast = bytearray(b"x") * IMPORT_BYTES if fault == "heavy_import" else None

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> SoundReader:
        if self._fault == "returns_late":
            self._uses += 1
            self._counter.live_bytes = LEFT_BYTES * (self._uses % LATE_USES)
        return UnquietReader(shard, columns, batch_rows, self._fault, self._counter)

    def allocator_bytes(self) -> dict[str, int]:
        return {"exact": self._counter.live_bytes}


def create(*, fault: str) -> UnquietBackend:
    return UnquietBackend(fault)
