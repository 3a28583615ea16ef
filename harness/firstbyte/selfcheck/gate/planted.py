"""A backend around any other, with a fault of known size: what the gate's self-check has to find.

It runs in the worker. Both sides of a self-check are wrapped, one of them with a fault of size zero,
so that the wrapper itself is no difference. Standard library only.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from firstbyte.api import Backend, Reader
from firstbyte.worker.loading import create_backend

SLEEP_NS = 300_000
"""Sleeps are saved up to about this length: shorter ones last longer than they were asked for, and a core
that often stands still for a moment also works more slowly in between."""
SHORTEST_SLEEP_NS = 75_000
"""What a reader still owes at its end is slept if it is at least this much, or else left to the next."""
RECENT_SLEEPS = 9
"""Waking up takes time too. The median of so many says how much, and sleeps are asked for shorter by it;
a median, because a host that was busy elsewhere is no reason to sleep less the next time."""
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
    return PlantedBackend(create_backend((), module, options), Fault(**fault))


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
    """Delegates everything; each batch costs the fault's share more.

    What is left to be slept at the end is slept there, so that readers that do the same sleep the same.
    """

    def __init__(self, inner: Reader, delay: _Delay, held: bytearray) -> None:
        self._inner = inner
        self._delay = delay
        self._held: bytearray | None = held

    def __iter__(self) -> PlantedReader:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self._inner)
        except StopIteration:
            self._delay.pay(SHORTEST_SLEEP_NS)
            raise
        self._delay.pay()
        return batch

    def __enter__(self) -> PlantedReader:
        self._inner.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held = None
        self._inner.__exit__(*exc_info)
        self._delay.pay()

    def close(self) -> None:
        self._held = None
        self._inner.close()
        self._delay.pay()

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
        self._late_ns = deque([0.0], maxlen=RECENT_SLEEPS)
        self._worked_until_ns = 0
        if fault.sleep:
            ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)

    def begin(self) -> None:
        """What was done up to now is not the reader's work."""
        self._worked_until_ns = time.process_time_ns()

    def pay(self, least_ns: float = SLEEP_NS) -> None:
        """Compute for the fault's share of what was done since, and sleep if at least so much is owed."""
        worked_ns = time.process_time_ns() - self._worked_until_ns
        if self._fault.busy:
            until_ns = time.thread_time_ns() + worked_ns * self._fault.busy
            while time.thread_time_ns() < until_ns:
                pass
        self._sleep_ns += worked_ns * self._fault.sleep
        if self._sleep_ns >= least_ns:
            asked_ns = max(0.0, self._sleep_ns - median(self._late_ns))
            began_sleep_ns = time.monotonic_ns()
            time.sleep(asked_ns / 1e9)
            self._late_ns.append(time.monotonic_ns() - began_sleep_ns - asked_ns)
            self._sleep_ns = 0.0
        self._worked_until_ns = time.process_time_ns()
