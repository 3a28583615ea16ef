"""The leaks: what a reader leaves behind, LEAKED_BYTES a scan where it is memory.

A leak is a class whose methods are called when a reader is opened, closed or dropped, and when opening
fails; its docstring says what is left, and when.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any

LEAKED_BYTES = 65_536

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]


class Leak:
    """Nothing is left."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.scans = 0

    def opened(self, path: Path) -> None:
        """A reader was made."""

    def delivered(self) -> None:
        """A batch was handed out."""

    def closed(self) -> None:
        """A reader was closed, or dropped without that; once for each."""

    def dropped(self) -> None:
        """A reader was dropped without having been closed or read to its end; before `closed`."""

    def failed(self) -> None:
        """No reader could be made."""


def mapped(size: int = LEAKED_BYTES, flags: int = mmap.MAP_PRIVATE) -> mmap.mmap:
    """New pages, written."""
    memory = mmap.mmap(-1, size, flags | mmap.MAP_ANONYMOUS)
    memory.write(b"x" * size)
    return memory


def malloced(size: int = LEAKED_BYTES) -> None:
    """From the heap, and never heard of again."""
    ctypes.memset(_libc.malloc(size), 1, size)


class RawMapping(Leak):
    """A private mapping a scan."""

    def closed(self) -> None:
        self.kept.append(mapped())


class Malloc(Leak):
    """A block of malloc's a scan."""

    def closed(self) -> None:
        malloced()


class PythonObjects(Leak):
    """A thousand small objects of Python's a scan."""

    def closed(self) -> None:
        self.kept.append([object.__new__(Leak) for _ in range(1000)])


class PythonBytes(Leak):
    """A bytes object a scan."""

    def closed(self) -> None:
        self.kept.append(bytes(LEAKED_BYTES))


class SharedAnonymous(Leak):
    """A shared mapping a scan."""

    def closed(self) -> None:
        self.kept.append(mapped(flags=mmap.MAP_SHARED))


class Memfd(Leak):
    """A memfd a scan, mapped; its descriptor is closed."""

    def closed(self) -> None:
        descriptor = os.memfd_create("planted")
        os.truncate(descriptor, LEAKED_BYTES)
        memory = mmap.mmap(descriptor, LEAKED_BYTES)
        os.close(descriptor)
        memory.write(b"x" * LEAKED_BYTES)
        self.kept.append(memory)


class MemfdUnmapped(Leak):
    """One memfd that grows with every scan, and is mapped nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = os.memfd_create("planted")

    def closed(self) -> None:
        os.write(self._descriptor, b"x" * LEAKED_BYTES)


class Descriptors(Leak):
    """An open file a scan."""

    def opened(self, path: Path) -> None:
        self.kept.append(path.open("rb"))


class Threads(Leak):
    """A thread a scan that never ends."""

    def closed(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class Children(Leak):
    """A living child a scan."""

    def closed(self) -> None:
        ours, theirs = os.pipe()
        process = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)
        os.close(ours)
        self.kept.append((process, theirs))


class Zombies(Leak):
    """A child a scan that has ended and was not waited for."""

    def closed(self) -> None:
        self.kept.append(os.spawnlp(os.P_NOWAIT, "true", "true"))


class GrowingChild(Leak):
    """One child, which grows with every scan."""

    PROGRAM = """
import sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * int(line))
    print(flush=True)
"""

    def __init__(self) -> None:
        super().__init__()
        self._child: subprocess.Popen[str] | None = None

    def closed(self) -> None:
        if self._child is None:
            self._child = subprocess.Popen(
                ["python3", "-S", "-c", self.PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._child.stdin
        assert self._child.stdout
        print(LEAKED_BYTES, file=self._child.stdin, flush=True)
        self._child.stdout.readline()


class FilesLeft(Leak):
    """A file a scan in /dev/shm, closed, with its name: removed when the process ends by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="firstbyte-planted-", dir="/dev/shm")

    def closed(self) -> None:
        self.scans += 1
        (Path(self._folder.name) / str(self.scans)).write_bytes(b"x" * LEAKED_BYTES)


class Abandoned(Leak):
    """Only of readers that are dropped before their end, without having been closed."""

    def dropped(self) -> None:
        self.kept.append(mapped())


class Failing(Leak):
    """Only where a reader could not be made."""

    def failed(self) -> None:
        self.kept.append(mapped())


class Concurrent(Leak):
    """Only where two readers are open at once."""

    def __init__(self) -> None:
        super().__init__()
        self._open = 0
        self._lock = threading.Lock()

    def opened(self, path: Path) -> None:
        with self._lock:
            self._open += 1
            if self._open > 1:
                self.kept.append(mapped())

    def closed(self) -> None:
        with self._lock:
            self._open -= 1


class EverySeventh(Leak):
    """Seven times as much in every seventh scan."""

    def closed(self) -> None:
        self.scans += 1
        if self.scans % 7 == 0:
            self.kept.append(mapped(7 * LEAKED_BYTES))


class Geometric(Leak):
    """A buffer whose room doubles whenever what is kept has outgrown it, as that of a vector does."""

    def __init__(self) -> None:
        super().__init__()
        self._vector = mmap.mmap(-1, LEAKED_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def closed(self) -> None:
        if self._vector.tell() == len(self._vector):
            self._vector.resize(2 * len(self._vector))
        self._vector.write(b"x" * LEAKED_BYTES)


class FreesAndRetakes(Leak):
    """Ten megabytes that come and go every few scans, and what is left of each scan beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._comes_and_goes: list[mmap.mmap] = []

    def closed(self) -> None:
        self.scans += 1
        self.kept.append(mapped())
        if self.scans % 9 == 0:
            self._comes_and_goes.append(mapped(10 << 20))
        elif self.scans % 9 == 5:
            for one in self._comes_and_goes:
                one.close()
            self._comes_and_goes.clear()


class OneDrop(Leak):
    """Eight megabytes are given back once, in the middle: a leak is hidden by one step down."""

    def __init__(self) -> None:
        super().__init__()
        self._ballast: mmap.mmap | None = mapped(8 << 20)

    def closed(self) -> None:
        self.scans += 1
        self.kept.append(mapped())
        if self.scans == 100 and self._ballast:
            self._ballast.close()
            self._ballast = None


class LateStart(Leak):
    """Nothing in the first sixty scans, and then in every one."""

    def closed(self) -> None:
        self.scans += 1
        if self.scans > 60:
            self.kept.append(mapped())


class PerBatch(Leak):
    """Four kilobytes of malloc's with every batch."""

    def delivered(self) -> None:
        malloced(4096)


class LargeBehindSmall(Leak):
    """A small object of Python's, and behind it a large mapping that only it knows."""

    def closed(self) -> None:
        class Wrapper:
            pass

        one: Any = Wrapper()
        one.memory = mapped()
        self.kept.append(one)


class Queue(Leak):
    """Batches' worth of memory in a queue that is filled faster than it is emptied."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[mmap.mmap] = deque()

    def closed(self) -> None:
        self.scans += 1
        self._queue.extend(mapped() for _ in range(2))
        self._queue.popleft().close()


LEAKS: dict[str, type[Leak]] = {
    "raw_mapping": RawMapping,
    "malloc": Malloc,
    "python_objects": PythonObjects,
    "python_bytes": PythonBytes,
    "shared_anonymous": SharedAnonymous,
    "memfd": Memfd,
    "memfd_unmapped": MemfdUnmapped,
    "descriptors": Descriptors,
    "threads": Threads,
    "children": Children,
    "zombies": Zombies,
    "growing_child": GrowingChild,
    "files_left": FilesLeft,
    "abandoned": Abandoned,
    "failing": Failing,
    "concurrent": Concurrent,
    "every_seventh": EverySeventh,
    "geometric": Geometric,
    "frees_and_retakes": FreesAndRetakes,
    "one_drop": OneDrop,
    "late_start": LateStart,
    "per_batch": PerBatch,
    "large_behind_small": LargeBehindSmall,
    "queue": Queue,
}
