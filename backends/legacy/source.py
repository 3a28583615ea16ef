"""Where a reader gets a file's bytes from: the file, a piece at a time, or all of it in memory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from .errors import TruncatedError

HASH_READ_BYTES = 4 << 20


class Source(Protocol):
    """Random access to the bytes of one file."""

    size: int

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """Exactly that many bytes. Raises TruncatedError."""
        ...

    def sha1(self, length: int) -> bytes:
        """SHA-1 of the first `length` bytes. Raises TruncatedError."""
        ...

    def close(self) -> None: ...


class FileSource:
    """Reads from the file when asked; safe for threads, as no file position is kept."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._fd, length, offset)
        while len(data) < length:  # one call gives at most 2 GiB
            more = os.pread(self._fd, length - len(data), offset + len(data))
            if not more:
                raise TruncatedError(
                    f"file ends early, expected {length} bytes at {offset}, got {len(data)}"
                )
            data += more
        return data

    def sha1(self, length: int) -> bytes:
        digest = hashlib.sha1(usedforsecurity=False)
        buffer = memoryview(bytearray(min(HASH_READ_BYTES, length)))
        done = 0
        while done < length:
            count = os.preadv(self._fd, [buffer[: length - done]], done)
            if not count:
                raise TruncatedError(f"file ends early, expected {length} bytes, got {done}")
            digest.update(buffer[:count])
            done += count
        return digest.digest()

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class MemorySource:
    """The whole file, read at once."""

    def __init__(self, path: Path) -> None:
        self._data = memoryview(path.read_bytes())
        self.size = len(self._data)

    def read(self, offset: int, length: int) -> memoryview:
        data = self._data[offset : offset + length]
        if len(data) < length:
            raise TruncatedError(
                f"file ends early, expected {length} bytes at {offset}, got {len(data)}"
            )
        return data

    def sha1(self, length: int) -> bytes:
        return hashlib.sha1(self.read(0, length), usedforsecurity=False).digest()

    def close(self) -> None:
        """Idempotent."""
        self._data = memoryview(b"")
