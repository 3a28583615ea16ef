"""The file as bytes at offsets."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import TruncatedError


class Source:
    """An open file, read by position and never buffered: a page is read once, whole."""

    __slots__ = ("_file", "name", "size")

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.name = str(path)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset`. Raises TruncatedError where the file ends before."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise TruncatedError(f"bytes {offset} to {offset + size} lie outside the file")
        data = os.pread(self._file.fileno(), size, offset)
        while len(data) < size:  # the kernel caps one call at about 2 GiB
            more = os.pread(self._file.fileno(), size - len(data), offset + len(data))
            if not more:
                raise TruncatedError(f"the file shrank below {offset + size} bytes")
            data += more
        return data

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
