"""Memory that several processes have in common, so that their sum counts it once.

A process that was forked has the pages of its parent until one of them writes; processes that map the
same shared memory all have it in their RssShmem. The kernel's proportional share (Pss_Anon and
Pss_Shmem of /proc/PID/smaps_rollup, proc_pid_smaps(5)) divides each page by those that map it. To make
it, the kernel walks all pages of a process, so it is asked now and then, and always when the processes
are other ones or their sum has grown; between two answers the sum is corrected by the last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from firstbyte.worker.status import Resident

DUTY = 20
"""It is asked no sooner than so many times as long as the last answer took."""


GROWTH = 1 / 64
"""It is asked anew once the sum is so much above the one that was answered for."""


class Twice(NamedTuple):
    """Bytes that a sum over processes holds too often."""

    anon: int = 0
    shmem: int = 0


class Looked(Protocol):
    """A process that is looked at."""

    @property
    def pid(self) -> int: ...

    def read(self) -> Resident:
        """Raises ProcessLookupError once it has ended."""
        ...


class Sharing:
    """What the processes of one worker have in common."""

    def __init__(self) -> None:
        self._pids: tuple[int, ...] = ()
        self._twice = Twice()
        self._due_ns = 0
        self._answered_bytes = 0

    def counted_twice(self, read: Sequence[tuple[Looked, Resident]]) -> Twice:
        """What the sum of these readings counts more than once, in bytes."""
        pids = tuple(process.pid for process, _ in read)
        began_ns = time.monotonic_ns()
        held = sum(seen.held for _, seen in read)
        grown = held > self._answered_bytes * (1 + GROWTH)
        if pids != self._pids or grown or began_ns >= self._due_ns:
            answer = _measured(read)
            if answer is None:
                self._due_ns = began_ns
                return _at_most(read)
            self._twice, self._pids, self._answered_bytes = answer, pids, held
            self._due_ns = began_ns + DUTY * (time.monotonic_ns() - began_ns)
        return self._twice


def _measured(read: Sequence[tuple[Looked, Resident]]) -> Twice | None:
    """None where the processes did not stand still meanwhile: their shares do not go together."""
    anon = shmem = moved = 0
    try:
        for process, seen in read:
            rollup = _rollup(process.pid)
            anon += max(0, rollup["Anonymous"] - rollup["Pss_Anon"])
            shmem += max(0, seen.shmem - rollup["Pss_Shmem"])
        for process, seen in read:
            moved += abs(process.read().shmem - seen.shmem)
    except OSError:  # one has ended
        return None
    return None if moved > GROWTH * sum(seen.held for _, seen in read) else Twice(anon, shmem)


def _at_most(read: Sequence[tuple[Looked, Resident]]) -> Twice:
    """As if all of it were one and the same memory: what is left of the sum was there in any case."""
    anon, shmem = ([seen[place] for _, seen in read] for place in (0, 2))
    return Twice(sum(anon) - max(anon), sum(shmem) - max(shmem))


def _rollup(pid: int) -> dict[str, int]:
    """Bytes by name. Raises OSError where the process has gone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: int(size.split()[0]) * 1024 for name, size in (one.split(":") for one in lines)}
