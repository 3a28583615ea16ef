"""Which of some files were opened, by anyone, since that was asked last: inotify(7).

Only IN_OPEN is asked for: an event for each read would have the kernel work for us while a reader is timed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path

_IN_OPEN = 0x20
_IN_Q_OVERFLOW = 0x4000
_HEADER = struct.Struct("iIII")
_CHUNK_BYTES = 1 << 16


class Openings:
    """A watch on some files, until it is closed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._watched: dict[int, set[int]] = {}
        """Places of the files by the kernel's number for the watch; two paths may be one file."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for place, path in enumerate(paths):
            watch = libc.inotify_add_watch(self._descriptor, os.fsencode(path), _IN_OPEN)
            if watch < 0:  # the user's limit of watches is reached, or the file system has none
                self.close()
                return
            self._watched.setdefault(watch, set()).add(place)

    def since_last(self) -> frozenset[int] | None:
        """Places of the files that were opened since; None where the kernel does not tell."""
        if self._descriptor < 0:
            return None
        opened: set[int] = set()
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._descriptor, _CHUNK_BYTES):
                opened |= self._places(chunk)
        return frozenset(opened)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _places(self, chunk: bytes) -> set[int]:
        found: set[int] = set()
        at = 0
        while at < len(chunk):
            watch, mask, _, name_bytes = _HEADER.unpack_from(chunk, at)
            at += _HEADER.size + name_bytes
            if mask & _IN_Q_OVERFLOW:  # whatever was lost may have been any of them
                return set().union(*self._watched.values())
            found |= self._watched.get(watch, set())
        return found
