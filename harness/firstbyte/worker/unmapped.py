"""Memory that processes hold by descriptors alone: in no map, and so in no process's resident memory.

Files that live in memory and have no name (memfd_create(2); O_TMPFILE or unlinked in a tmpfs), written and
not mapped, and bytes that wait in pipes and sockets, which are the kernel's memory. A file in memory that has
a name is anybody's, as a corpus can be. Looked at from outside, with copies of the descriptors
(pidfd_getfd(2)) for what waits in them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import stat
import struct
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

DUTY = 10
"""It is looked at no sooner than so many times as long as the last look took."""
_BLOCK_BYTES = 512
"""Unit of st_blocks (stat(2))."""
_FIONREAD = 0x541B
"""Bytes that wait in a pipe (pipe(7))."""
_SIOCOUTQ = 0x5411
"""Bytes that were sent and wait in the socket (unix(7))."""
_SYS_PIDFD_GETFD = 438
_INT = struct.Struct("i")
_REQUESTS: Mapping[int, int] = {stat.S_IFIFO: _FIONREAD, stat.S_IFSOCK: _SIOCOUTQ}
_File = tuple[int, int]
"""Device and inode."""


class Unmapped(NamedTuple):
    """In bytes."""

    files: int = 0
    """In nameless files in memory, mapped or not."""
    waiting: int = 0
    """In pipes and sockets."""


class Descriptors:
    """What some processes hold by their descriptors."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._in_memory = _devices_in_memory()
        self._last = Unmapped()
        self._due_ns = 0

    def held(self, pids: Collection[int]) -> Unmapped:
        """What was seen last, no older than DUTY times what it takes to look."""
        began_ns = time.monotonic_ns()
        if began_ns >= self._due_ns:
            self._last = self._looked(pids)
            self._due_ns = began_ns + DUTY * (time.monotonic_ns() - began_ns)
        return self._last

    def _looked(self, pids: Collection[int]) -> Unmapped:
        files: dict[_File, int] = {}
        waiting: dict[_File, int] = {}
        for pid in pids:
            with contextlib.suppress(OSError):  # it has ended
                process = os.pidfd_open(pid)
                try:
                    self._note(pid, process, files, waiting)
                finally:
                    os.close(process)
        return Unmapped(sum(files.values()), sum(waiting.values()))

    def _note(
        self, pid: int, process: int, files: dict[_File, int], waiting: dict[_File, int]
    ) -> None:
        """Raises OSError where the process has gone."""
        folder = f"/proc/{pid}/fd"
        for name in os.listdir(folder):  # noqa: PTH208 (looked at again and again)
            try:
                about = os.stat(f"{folder}/{name}")  # noqa: PTH116
            except OSError:  # closed meanwhile
                continue
            which = (about.st_dev, about.st_ino)
            if stat.S_ISREG(about.st_mode):
                if not about.st_nlink and about.st_dev in self._in_memory:
                    files[which] = about.st_blocks * _BLOCK_BYTES
            elif (request := _REQUESTS.get(stat.S_IFMT(about.st_mode))) and which not in waiting:
                waiting[which] = self._asked(process, int(name), request)

    def _asked(self, process: int, number: int, request: int) -> int:
        """What the kernel answers of the descriptor; 0 where it has no answer for such a one."""
        copy: int = self._libc.syscall(
            ctypes.c_long(_SYS_PIDFD_GETFD), ctypes.c_int(process), ctypes.c_int(number), 0
        )
        if copy < 0:
            return 0
        try:
            return max(0, int(_INT.unpack(fcntl.ioctl(copy, request, _INT.pack(0)))[0]))
        except OSError:
            return 0
        finally:
            os.close(copy)


def _devices_in_memory() -> frozenset[int]:
    """Devices of the file systems whose files are memory: every tmpfs, and that of memfds."""
    descriptor = os.memfd_create("firstbyte")
    try:
        found = {os.fstat(descriptor).st_dev}
    finally:
        os.close(descriptor)
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:  # noqa: PTH123
        for line in mounts:
            fields, _, kind = line.partition(" - ")
            if kind.startswith("tmpfs "):
                major, minor = map(int, fields.split()[2].split(":"))
                found.add(os.makedev(major, minor))
    return frozenset(found)
