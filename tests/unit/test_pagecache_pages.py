"""Reading into the page cache, dropping from it, and asking how much is there."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from firstbyte.worker import pagecache

PAGES = 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(PAGES * mmap.PAGESIZE - 5))
    pagecache.evict(path)
    if pagecache.resident_ratio(path) > 0:
        pytest.skip("this file system keeps its pages (tmpfs, or overlayfs)")
    return path


def test_warm_and_evict(file: Path) -> None:
    pagecache.warm(file)
    assert pagecache.resident_ratio(file) == 1.0
    pagecache.evict(file)
    assert pagecache.resident_ratio(file) == 0.0


def test_asking_reads_nothing(file: Path) -> None:
    for _ in range(3):
        assert pagecache.resident_ratio(file) == 0.0


def test_a_part_is_a_part(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no read-ahead
        os.pread(descriptor, 1, 0)
        os.pread(descriptor, 1, 10 * mmap.PAGESIZE)
    finally:
        os.close(descriptor)
    assert pagecache.resident_ratio(file) == 2 / PAGES


def test_unwritten_pages_are_written_first(file: Path) -> None:
    with file.open("r+b") as changed:
        changed.write(b"x" * 3 * mmap.PAGESIZE)
    pagecache.evict(file)
    assert pagecache.resident_ratio(file) == 0.0
    assert file.read_bytes().startswith(b"x" * 3 * mmap.PAGESIZE)


def test_an_empty_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert pagecache.resident_ratio(path) == 1.0
    pagecache.warm(path)
    pagecache.evict(path)


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    for function in (pagecache.warm, pagecache.evict, pagecache.resident_ratio):
        with pytest.raises(FileNotFoundError):
            function(tmp_path / "missing")
