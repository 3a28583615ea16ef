"""What the kernel holds for this process: threads, open files, children, and memory that is in no map.

Plain text and descriptors instead of paths and files: pathlib interns what names are made of, open text
files leave some bytes behind, and either would look like memory that a reader gains.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from firstbyte.worker.family import Family
from firstbyte.worker.status import read_status

_MEMFD = "/memfd:"
"""What the links of such descriptors begin with."""
_BLOCK_BYTES = 512
"""Unit of st_blocks (stat(2))."""
_TASKS = "/proc/self/task"
_FILES = "/proc/self/fd"
_STAT_BYTES = 1024
_FLAGS_AFTER_NAME = 6
"""Place of the flags among the fields of /proc/PID/stat that follow the name (proc_pid_stat(5))."""
_PF_EXITING = 0x4


@dataclass(frozen=True, slots=True)
class Holdings:
    """Threads and open files at one moment."""

    threads: int
    descriptors: int


def holdings() -> Holdings:
    """Those of the calling process, now, without threads that are ending."""
    return Holdings(threads=living_threads(), descriptors=len(_listed(_FILES)))


@dataclass(frozen=True, slots=True)
class Children:
    """All processes that this one has started, and those that they have."""

    count: int
    """With those that have ended and that nobody has waited for."""
    held_bytes: int
    """RssAnon and RssShmem of all of them; what several share counts several times."""


def children() -> Children:
    """Those of the calling process, now. Nothing is remembered from one call to the next.

    The leader of a session finds those whose parents have ended as well.
    """
    own = os.getpid()
    found = Family([own], own if os.getsid(0) == own else None).newcomers()
    return Children(len(found), sum(map(_held_bytes, found)))


def _held_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):  # it has ended
        descriptor = os.open(f"/proc/{pid}/status", os.O_RDONLY)
        try:
            return read_status(descriptor).held
        finally:
            os.close(descriptor)
    return 0


def memfd_bytes() -> int:
    """Memory of this process's open memfds (memfd_create(2)), mapped or not."""
    sizes: dict[int, int] = {}
    for descriptor in _listed(_FILES):
        with contextlib.suppress(OSError):  # the descriptor of this very listing
            link = os.readlink(f"{_FILES}/{descriptor}")  # noqa: PTH115 (no paths)
            if link.startswith(_MEMFD):
                about = os.fstat(int(descriptor))
                sizes[about.st_ino] = about.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())


def living_threads(name: str = "") -> int:
    """Threads of this process whose name begins so and that are not ending.

    One that has been joined may still be listed for a moment, as the kernel wakes whoever joins before
    it takes the thread off its list: on a busy core, for as long as others have their turn.
    """
    return sum(_lives(task, name.encode()) for task in _listed(_TASKS))


def _lives(task: str, name: bytes) -> bool:
    try:
        descriptor = os.open(f"{_TASKS}/{task}/stat", os.O_RDONLY)
    except FileNotFoundError:  # it ended since it was listed
        return False
    try:
        before, _, fields = os.read(descriptor, _STAT_BYTES).rpartition(b") ")
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    ending = int(fields.split()[_FLAGS_AFTER_NAME]) & _PF_EXITING
    return not ending and before.partition(b" (")[2].startswith(name)


def _listed(folder: str) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 (see above: no paths)
