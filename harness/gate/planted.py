"""A backend around any other, with a fault of known size: what the gate's self-check has to find.

It runs in the worker. Both sides of a self-check are wrapped, one of them with a fault of size zero,
so that the wrapper itself is no difference. Standard library only.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api import Backend, Reader
from harness.loading import create_backend

SHORTEST_SLEEP_NS = 150_000
"""Sleeps are saved up to this length: shorter ones last longer than they were asked for, and a core
that often stands still for a moment also works more slowly in between."""
PR_SET_TIMERSLACK = 29
"""prctl(2): by how much the kernel may lengthen a sleep; 50 microseconds unless it is told."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How much worse a side is made. Fractions are of the processor time of the whole process."""

    busy: float = 0.0
    sleep: float = 0.0
    held_bytes: int = 0
    """Held from open to close: raises peak and total."""
    leaked_bytes: int = 0
    """Lost with every reader."""


def create(*, module: str, options: Mapping[str, Any], **fault: Any) -> PlantedBackend:
    """The backend of `module` with that fault. Raises what the backend raises."""
    return PlantedBackend(create_backend(module, options), Fault(**fault))


class PlantedBackend:
    """Delegates everything; readers it hands out carry the fault."""

    def __init__(self, inner: Backend, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault
        self._delay = _Delay(fault)
        self._leaked: list[bytearray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # the optional methods, where the backend has them

    def versions(self) -> dict[str, str]:
        return self._inner.versions()

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return self._inner.prepare(shards, directory)

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> PlantedReader:
        if self._fault.leaked_bytes:
            self._leaked.append(bytearray(self._fault.leaked_bytes))
        self._delay.begin()
        reader = self._inner.open(shard, columns=columns, batch_rows=batch_rows)
        self._delay.pay()
        return PlantedReader(reader, self._delay, bytearray(self._fault.held_bytes))


class PlantedReader:
    """Delegates everything; each batch costs the fault's share more."""

    def __init__(self, inner: Reader, delay: _Delay, held: bytearray) -> None:
        self._inner = inner
        self._delay = delay
        self._held: bytearray | None = held

    def __iter__(self) -> PlantedReader:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._inner)
        finally:
            self._delay.pay()

    def __enter__(self) -> PlantedReader:
        self._inner.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held = None
        self._inner.__exit__(*exc_info)

    def close(self) -> None:
        self._held = None
        self._inner.close()

    def rows(self, batch: Any) -> int:
        return self._inner.rows(batch)

    def first_value(self, batch: Any, column: str) -> object:
        return self._inner.first_value(batch, column)

    def canonical(self, batch: Any) -> Any:
        return self._inner.canonical(batch)


class _Delay:
    """Adds up what the fault owes, over all readers, and pays it as processor time or as sleep.

    What is owed is a share of the work of all threads since the last payment: a reader that decodes
    in threads of its own leaves little for the one that calls it.
    """

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._sleep_ns = 0.0
        self._worked_until_ns = 0
        if fault.sleep:
            ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)

    def begin(self) -> None:
        """What was done up to now is not the reader's work."""
        self._worked_until_ns = time.process_time_ns()

    def pay(self) -> None:
        worked_ns = time.process_time_ns() - self._worked_until_ns
        if self._fault.busy:
            until_ns = time.thread_time_ns() + worked_ns * self._fault.busy
            while time.thread_time_ns() < until_ns:
                pass
        self._sleep_ns += worked_ns * self._fault.sleep
        if self._sleep_ns >= SHORTEST_SLEEP_NS:
            began_sleep_ns = time.monotonic_ns()
            time.sleep(self._sleep_ns / 1e9)
            self._sleep_ns -= time.monotonic_ns() - began_sleep_ns
        self._worked_until_ns = time.process_time_ns()
