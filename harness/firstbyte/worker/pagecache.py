"""The page cache: read a file into it, evict it, and ask how much of it is there. Linux, no privileges.

`posix_fadvise(POSIX_FADV_DONTNEED)` drops clean pages only, so dirty pages are written first
(posix_fadvise(2), NOTES). Residency is what mincore(2) says of a mapping of the file.
"""

from __future__ import annotations

import os
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def warm(path: Path) -> None:
    """Read the file once, so that its pages are in the cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(_CHUNK_BYTES):
            pass


def evict(path: Path) -> None:
    """Ask the kernel to drop the file's pages; pages that another process maps stay."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def resident_ratio(path: Path) -> float:
    """The part of the file's pages that is in the page cache, 0 to 1 (1 for an empty file)."""
    import ctypes
    import mmap

    size = path.stat().st_size
    if size == 0:
        return 1.0
    pages = -(-size // mmap.PAGESIZE)
    states = (ctypes.c_ubyte * pages)()
    libc = ctypes.CDLL(None, use_errno=True)
    # A private writable mapping of a read-only descriptor: ctypes can take its address, no page is touched.
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view,
    ):
        anchor = ctypes.c_char.from_buffer(view)
        failed = libc.mincore(
            ctypes.c_void_p(ctypes.addressof(anchor)), ctypes.c_size_t(size), states
        )
        del anchor
        if failed:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    return sum(state & 1 for state in states) / pages
