"""What allocators themselves say is live: glibc's statistics and the counters of a backend.

Used by scenarios that look at memory, between scans and never inside what is measured. glibc is
asked through `psutil.heap_info` (mallinfo2(3)): bytes handed out by malloc, in its heaps and in
mappings of its own; it knows nothing of mappings that a library makes itself, nor of an allocator
linked into one. Counters come from the backend's optional `allocator_bytes`.

How ledgers are named stands in `firstbyte.worker.ledgers`. glibc's is absent where the C library
keeps no statistics.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firstbyte.api import Backend, Metric
from firstbyte.worker.kernel import children, holdings, memfd_bytes
from firstbyte.worker.ledgers import (
    CHILDREN,
    DESCRIPTORS,
    FREE,
    GLIBC,
    PEAKS,
    PROCESSES,
    RESIDENT,
    SHARED,
    SHARED_FILES,
    THREADS,
    Moment,
    live_ledger,
    peak_of,
)
from firstbyte.worker.status import read_status

SETTLE_SECONDS = 1.0
SETTLE_STEP_SECONDS = 0.02
SETTLED_BYTES = 64 * 1024
SETTLED_STEPS = 10
"""Readings in a row that must agree: an allocator may purge only after a pause."""


OWN_PEAK = Metric(PEAKS, "peak live bytes of the backend's allocators, as they keep it themselves")
"""What `Ledgers.peaks` gives where a backend has any."""
AFTERMATH = (
    Metric(Moment.DROPPED.figure(RESIDENT), "RssAnon once everything was dropped and collected"),
    Metric(Moment.TRIMMED.figure(RESIDENT), "RssAnon after the allocators were trimmed"),
    Metric(FREE, "bytes that malloc's heaps hold free after that", better=""),
)
"""What `aftermath` gives of every backend, for the METRICS of scenarios that ask it."""


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33 and later (mallinfo(3))."""

    _fields_ = (
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


class Ledgers:
    """Reads everything that can be asked in this process.

    `read` makes a few short-lived objects and keeps nothing. Make one before the memory base is
    taken: psutil and ctypes are imported here.
    """

    def __init__(self, backend: Backend) -> None:
        self._counters = getattr(backend, "allocator_bytes", None)
        self._peaks = getattr(backend, "allocator_peak_bytes", None)
        self._reset_peak = getattr(backend, "reset_peak", None)
        self._trim = getattr(backend, "trim", None)
        self._libc: Any = ctypes.CDLL(None)
        self._status = os.open("/proc/self/status", os.O_RDONLY)
        self._heap_info = _glibc_statistics(self._libc)

    def read(self) -> dict[str, int]:
        """Live bytes by ledger, and the process's private and shared memory."""
        # The heap first: what the other readings make would be live in it, in chunks that differ by 16 B.
        heap = self._heap_info() if self._heap_info is not None else None
        resident = read_status(self._status)
        readings = {RESIDENT: resident.anon, SHARED: resident.shmem}
        if heap is not None:
            readings[GLIBC] = heap.heap_used + heap.mmap_used
        if self._counters is not None:
            readings.update(
                (live_ledger(name), int(size)) for name, size in self._counters().items()
            )
        return readings

    def read_all(self) -> dict[str, int]:
        """What `read` gives, what is in no map of this process, and what else it holds.

        All of /proc is walked for it: for between uses, not within one.
        """
        own, held, started = self.read(), holdings(), children()
        return {
            **own,
            SHARED_FILES: memfd_bytes(),
            CHILDREN: started.held_bytes,
            THREADS: held.threads,
            DESCRIPTORS: held.descriptors,
            PROCESSES: started.count,
        }

    def resident_bytes(self) -> int:
        """RssAnon alone: asking glibc takes longer the more pieces its heap is in."""
        return read_status(self._status).anon

    def reset_peaks(self) -> None:
        """Start the backend's own peaks anew, where it has any."""
        if self._reset_peak is not None:
            self._reset_peak()

    def peaks(self) -> dict[str, int]:
        """Peaks that the backend's counters kept since `reset_peaks`, of each allocator and of all
        together; empty where it has none.
        """
        if self._peaks is None:
            return {}
        peaks = {peak_of(name): int(size) for name, size in self._peaks().items()}
        return {**peaks, PEAKS: sum(peaks.values())}

    def free_bytes(self) -> int | None:
        """Bytes in malloc's heaps that are free, given back to the kernel or not; None if
        unknown.
        """
        if self._heap_info is None:
            return None
        return int(self._libc.mallinfo2().fordblks)

    def trim(self) -> None:
        """Ask the backend's allocators and malloc to give back what they can."""
        if self._trim is not None:
            self._trim()
        if self._heap_info is not None:
            self._libc.malloc_trim(0)

    def settle(self) -> dict[str, int]:
        """Wait until RssAnon stands still, a second at most, and read everything."""
        deadline = time.monotonic() + SETTLE_SECONDS
        last, steady = self.read()[RESIDENT], 0
        while steady < SETTLED_STEPS and time.monotonic() < deadline:
            time.sleep(SETTLE_STEP_SECONDS)
            now = read_status(self._status).anon
            steady = steady + 1 if abs(now - last) <= SETTLED_BYTES else 0
            last = now
        return self.read()

    def close(self) -> None:
        os.close(self._status)


class Series:
    """One preallocated array per reading: a list that grows while it is filled would look like a
    leak.
    """

    def __init__(self, read: Callable[[], Mapping[str, int]], length: int) -> None:
        self._read = read
        self._arrays = {name: array("q", bytes(8 * length)) for name in read()}
        self._filled = 0

    def note(self) -> None:
        """Write the present readings into the next place. Raises IndexError when all are taken."""
        for name, value in self._read().items():
            self._arrays[name][self._filled] = value
        self._filled += 1

    def by_name(self) -> dict[str, array[int]]:
        """What was noted."""
        return {name: values[: self._filled] for name, values in self._arrays.items()}


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What stays once everything was dropped: readings by ledger, in bytes."""

    moments: Mapping[Moment, Mapping[str, int]]
    free_bytes: int | None
    """What malloc's heaps hold free after the trim; None where nobody can say."""

    def values(self) -> dict[str, float]:
        """The readings as figures of a sample."""
        values = {} if self.free_bytes is None else {FREE: float(self.free_bytes)}
        for moment, readings in self.moments.items():
            values |= moment.figures(readings)
        return values


def aftermath(ledgers: Ledgers) -> Aftermath:
    """Collect and read, trim and read.

    Both readings wait until RssAnon stands still: a pool may hold hundreds of megabytes for a
    moment after the scan.
    """
    gc.collect()
    dropped = ledgers.settle()
    ledgers.trim()
    trimmed = ledgers.settle()
    return Aftermath({Moment.DROPPED: dropped, Moment.TRIMMED: trimmed}, ledgers.free_bytes())


def _glibc_statistics(libc: Any) -> Any:
    """`psutil.heap_info`, or None where the C library has no mallinfo2 and no malloc_trim."""
    if not (hasattr(libc, "mallinfo2") and hasattr(libc, "malloc_trim")):
        return None
    import psutil

    libc.mallinfo2.restype = _Mallinfo2
    return psutil.heap_info
