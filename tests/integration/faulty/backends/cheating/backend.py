"""One way to cheat per variant, by which figures become too good: everything else is the backend `sound`.

A cheat is a function that makes the backend.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firstbyte.backends.sound.backend import SoundBackend, SoundReader

WORK_SECONDS = 0.2


def honest() -> SoundBackend:
    return SoundBackend()


def clock_of(rate: float) -> Callable[[], SoundBackend]:
    """A clock that goes at this rate from the import on."""

    def cheat() -> SoundBackend:
        true_ns = time.monotonic_ns
        began_ns = true_ns()
        time.monotonic_ns = lambda: began_ns + int((true_ns() - began_ns) * rate)
        return SoundBackend()

    return cheat


class Kept(SoundReader):
    """Hands out batches that are there already."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches = iter(batches)

    def close(self) -> None:
        self._batches = iter(())


class CachedBackend(SoundBackend):
    """Keeps what a shard held from its first pass to the later ones."""

    def __init__(self) -> None:
        self._kept: dict[Path, list[Any]] = {}

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> SoundReader:
        if shard not in self._kept:
            with SoundReader(shard, columns, batch_rows) as reader:
                self._kept[shard] = list(reader)
        return Kept(self._kept[shard])


class LingeringReader(SoundReader):
    """Has a thread work once it was closed, which nobody waits for."""

    def close(self) -> None:
        super().close()
        threading.Thread(target=work).start()


class LingeringBackend(SoundBackend):
    reader = LingeringReader


class CpuClockBackend(SoundBackend):
    """Its reader works, and the clock of processor time does not show it."""

    def __init__(self) -> None:
        true_ns = time.process_time_ns()
        time.process_time_ns = lambda: true_ns

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> SoundReader:
        work()
        return super().open(shard, columns=columns, batch_rows=batch_rows)


def work(seconds: float = WORK_SECONDS) -> None:
    """Use so much CPU time."""
    while time.thread_time() < seconds:
        pass


CHEATS: Mapping[str, Callable[[], SoundBackend]] = {
    "honest": honest,
    "slow_clock": clock_of(0.5),
    "fast_clock": clock_of(2.0),
    "still_clock": clock_of(0.0),
    "cached": CachedBackend,
    "lingering": LingeringBackend,
    "cpu_clock": CpuClockBackend,
}


def create(cheat: str) -> SoundBackend:
    return CHEATS[cheat]()
