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

_SHARED_FOLDER = "/dev/shm"
_IN_MEMORY = ("/memfd:", f"{_SHARED_FOLDER}/")
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


def shared_files_bytes() -> int:
    """Memory of the user's files below /dev/shm and of this process's open memfds (memfd_create(2)).

    Whose work a file in /dev/shm is nobody can say: another process of the same user counts.
    """
    sizes: dict[tuple[int, int], int] = {}
    for descriptor in _listed(_FILES):
        with contextlib.suppress(OSError):  # the descriptor of this very listing
            link = os.readlink(f"{_FILES}/{descriptor}")  # noqa: PTH115 (no paths)
            if link.startswith(_IN_MEMORY):
                _note_size(sizes, os.fstat(int(descriptor)))
    folders = [_SHARED_FOLDER]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with contextlib.suppress(FileNotFoundError):  # it was removed since it was listed
                    about = entry.stat(follow_symlinks=False)
                    if about.st_uid == os.getuid():
                        _note_size(sizes, about)
    return sum(sizes.values())


def _note_size(sizes: dict[tuple[int, int], int], about: os.stat_result) -> None:
    sizes[about.st_dev, about.st_ino] = about.st_blocks * _BLOCK_BYTES


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
