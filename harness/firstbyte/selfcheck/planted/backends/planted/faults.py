"""The faults that the planted backend can have: each hooks into open, batch and close of a scan."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .native import load

BURST_BLOCK_BYTES = 16 * 1024
PAGE_BYTES = 4096
PEAK_SECONDS = 0.010
PEAK_VARIABLE = "PLANTED_PEAK_SECONDS"
"""Holds another length of a peak, for hosts on which nothing is looked at so often."""
BATCH_COPY_BYTES = 8 << 20


@dataclass
class Scan:
    """One pass over a file as a fault sees it."""

    path: Path
    file_bytes: int
    batches: int
    batch: int = -1
    held: list[object] = field(default_factory=list)
    """What the fault keeps until the scan is closed."""


class Fault:
    """No fault: the control, and the base of all others."""

    def opened(self, scan: Scan) -> None:
        """Called once the file is open."""

    def delivered(self, scan: Scan) -> object:
        """Called before batch `scan.batch` is handed out; what it returns lives as long as it."""
        return None

    def closed(self, scan: Scan) -> None:
        """Called once, when the scan is closed."""

    def allocator_bytes(self) -> dict[str, int]:
        """Live bytes by allocator, for faults whose allocator has a counter."""
        return {}


class Block:
    """Native memory with an owner: freed with the object."""

    def __init__(self, allocator: Allocator, size: int) -> None:
        self._allocator = allocator
        self._address = allocator.allocate(size)

    def __del__(self) -> None:
        self._allocator.free(self._address)


class Allocator:
    """malloc, or the bundled allocator that neither memray nor glibc's statistics can see."""

    def __init__(self, *, bundled: bool) -> None:
        self._native = load()
        prefix = "bundled" if bundled else "native"
        self._allocate = getattr(self._native, f"{prefix}_alloc")
        self._free = getattr(self._native, f"{prefix}_free")

    def allocate(self, size: int) -> int:
        """The address of a new block of which every byte was written. Raises MemoryError."""
        address: int | None = self._allocate(size)
        if address is None:
            raise MemoryError(f"no {size} bytes")
        return address

    def free(self, address: int) -> None:
        self._free(ctypes.c_void_p(address))

    def bundled_live_bytes(self) -> int:
        return int(self._native.bundled_live_bytes())


class Leak(Fault):
    """`size` bytes lost in every `every`-th scan, or with every batch."""

    def __init__(self, allocator: Allocator, *, size: int, per: str, every: int) -> None:
        if per not in ("scan", "batch"):
            raise ValueError(f"per must be scan or batch, got {per!r}")
        self._allocator = allocator
        self._size = size
        self._per_batch = per == "batch"
        self._every = every
        self._scans = 0

    def delivered(self, scan: Scan) -> object:
        if self._per_batch:
            self._allocator.allocate(self._size)
        return None

    def closed(self, scan: Scan) -> None:
        self._scans += 1
        if not self._per_batch and self._scans % self._every == 0:
            self._allocator.allocate(self._size)


class CountedLeak(Leak):
    """The same in a bundled allocator that reports its live bytes."""

    def allocator_bytes(self) -> dict[str, int]:
        return {"bundled": self._allocator.bundled_live_bytes()}


class PythonLeak(Fault):
    """A Python object of `size` bytes is kept for good in every scan."""

    def __init__(self, *, size: int) -> None:
        self._size = size
        self._last: object = None

    def closed(self, scan: Scan) -> None:
        # A chain, as a list's spare capacity would add jumps to the size that is planted.
        self._last = (self._last, bytes(self._size))


class MapLeak(Fault):
    """A mapping of `size` bytes is lost in every scan."""

    def __init__(self, *, size: int) -> None:
        self._native = load()
        self._size = size

    def closed(self, scan: Scan) -> None:
        if self._native.native_map(self._size) is None:
            raise MemoryError(f"no mapping of {self._size} bytes")


class Retention(Fault):
    """Everything is freed, but a block at the heap's top keeps glibc from giving it back."""

    def __init__(self, *, size: int) -> None:
        self._native = load()
        self._blocks = size // BURST_BLOCK_BYTES

    def closed(self, scan: Scan) -> None:
        if not self._native.burst_under_pin(self._blocks, BURST_BLOCK_BYTES):
            raise MemoryError("the burst could not be allocated")


class Fragmentation(Fault):
    """Almost everything is freed, but no page of it as a whole."""

    def __init__(self, *, size: int) -> None:
        self._native = load()
        self._pages = size // PAGE_BYTES

    def closed(self, scan: Scan) -> None:
        if not self._native.fragment(self._pages):
            raise MemoryError("the blocks could not be allocated")


class Cache(Fault):
    """`size` bytes per distinct file, oldest out first beyond `capacity` files (0: no limit)."""

    def __init__(self, *, size: int, capacity: int) -> None:
        self._size = size
        self._capacity = capacity
        self._kept: dict[str, bytes] = {}

    def opened(self, scan: Scan) -> None:
        key = str(scan.path)
        if key not in self._kept:
            self._kept[key] = bytes(self._size)
            if self._capacity and len(self._kept) > self._capacity:
                del self._kept[next(iter(self._kept))]


class Accumulation(Fault):
    """Each batch adds its share of the file's compressed bytes, which go when the scan is closed."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator

    def delivered(self, scan: Scan) -> object:
        scan.held.append(Block(self._allocator, scan.file_bytes // scan.batches))
        return None


class ReadAhead(Fault):
    """`size` bytes in all are filled within the first tenth of a scan, and kept until it is closed."""

    def __init__(self, allocator: Allocator, *, size: int) -> None:
        self._allocator = allocator
        self._size = size

    def delivered(self, scan: Scan) -> object:
        steps = max(1, scan.batches // 10)
        if scan.batch < steps:
            scan.held.append(Block(self._allocator, self._size // steps))
        return None


class ReferenceCycle(Fault):
    """`size` bytes per scan in a cycle of references."""

    def __init__(self, *, size: int) -> None:
        self._size = size

    def closed(self, scan: Scan) -> None:
        cycle: list[object] = [bytes(self._size)]
        cycle.append(cycle)


class ThreadLeak(Fault):
    """A thread per scan that waits for something that never comes."""

    def closed(self, scan: Scan) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class DescriptorLeak(Fault):
    """A descriptor per scan that nobody closes."""

    def closed(self, scan: Scan) -> None:
        os.open(scan.path, os.O_RDONLY)


class Peak(Fault):
    """Exactly `size` bytes, held for 10 ms, or as PEAK_VARIABLE says, in the middle of the scan."""

    def __init__(self, allocator: Allocator, *, size: int) -> None:
        self._allocator = allocator
        self._size = size
        self._seconds = float(os.environ.get(PEAK_VARIABLE, PEAK_SECONDS))

    def delivered(self, scan: Scan) -> object:
        if scan.batch == scan.batches // 2:
            block = Block(self._allocator, self._size)
            time.sleep(self._seconds)
            del block
        return None


class Batches(Fault):
    """Each batch owns a block of native memory, as the batches of a native reader do."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator

    def delivered(self, scan: Scan) -> object:
        return Block(self._allocator, BATCH_COPY_BYTES)


class CountedBatches(Batches):
    """The same in a bundled allocator that reports its live bytes."""

    def allocator_bytes(self) -> dict[str, int]:
        return {"bundled": self._allocator.bundled_live_bytes()}
