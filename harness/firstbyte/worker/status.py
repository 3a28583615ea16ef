"""What the kernel says of a process's memory, from an open /proc/PID/status (proc_pid_status(5))."""

from __future__ import annotations

import os
from typing import NamedTuple

_STATUS_BYTES = 4096


class Resident(NamedTuple):
    """Pages in memory by kind, and the most that there were of all kinds together; all in bytes."""

    anon: int
    """RssAnon: private memory."""
    file: int
    """RssFile: pages of files, which the kernel can drop and read again."""
    shmem: int
    """RssShmem: shared memory (memfd, /dev/shm, shared anonymous mappings), which it cannot."""
    high_water: int
    """VmHWM: the highest sum of the three since it was reset."""

    @property
    def held(self) -> int:
        """What nobody else can use: private and shared memory."""
        return self.anon + self.shmem


def read_status(descriptor: int) -> Resident:
    """The memory of the process whose status file this is.

    Raises ProcessLookupError once the process has no memory map any more.
    """
    text = os.pread(descriptor, _STATUS_BYTES, 0)
    anon = text.find(b"RssAnon:")
    if anon < 0:
        raise ProcessLookupError("the process has ended")
    return Resident(
        anon=_kib(text, anon, b"RssAnon:"),
        file=_kib(text, text.find(b"RssFile:"), b"RssFile:"),
        shmem=_kib(text, text.find(b"RssShmem:"), b"RssShmem:"),
        high_water=_kib(text, text.find(b"VmHWM:"), b"VmHWM:"),
    )


def own_status() -> Resident:
    """The memory of the calling process."""
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    try:
        return read_status(descriptor)
    finally:
        os.close(descriptor)


def _kib(text: bytes, start: int, label: bytes) -> int:
    stop = text.index(b"kB", start)
    return int(text[start + len(label) : stop]) * 1024
