"""Memory that is held by descriptors alone is seen from outside, and what is anybody's is not counted."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from firstbyte.worker.unmapped import Descriptors, Unmapped

BYTES = 1_000_000
BLOCK = b"x" * BYTES


def seen() -> Unmapped:
    """By somebody who has not looked before."""
    return Descriptors().held([os.getpid()])


@contextmanager
def memfd() -> Iterator[None]:
    descriptor = os.memfd_create("test")
    os.write(descriptor, BLOCK)
    yield
    os.close(descriptor)


@contextmanager
def nameless() -> Iterator[None]:
    descriptor = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
    os.write(descriptor, BLOCK)
    yield
    os.close(descriptor)


def _is_memfd(link: Path) -> bool:
    return link.is_symlink() and str(link.readlink()).startswith("/memfd:")


def test_files_without_a_name_count_once(tmp_path: Path) -> None:
    before = seen()
    with memfd(), nameless():
        held = seen()
        assert held.files - before.files == pytest.approx(2 * BYTES, abs=8192)
        copies = [
            os.dup(int(one.name)) for one in Path("/proc/self/fd").iterdir() if _is_memfd(one)
        ]
        assert copies
        assert seen().files == held.files
        for copy in copies:
            os.close(copy)
    assert seen().files == before.files
    with (tmp_path / "on disk").open("wb") as file:
        file.write(BLOCK)
        (tmp_path / "on disk").unlink()
        assert seen().files == before.files, "the kernel can drop its pages"


def test_a_file_in_memory_that_has_a_name_is_anybodys() -> None:
    path = Path(f"/dev/shm/firstbyte-test-{os.getpid()}")
    try:
        before = seen()
        with path.open("wb") as file:
            file.write(BLOCK)
            file.flush()
            assert seen().files == before.files
            path.unlink()
            assert seen().files > before.files
    finally:
        path.unlink(missing_ok=True)


def pipes_and_sockets() -> None:
    before = seen()
    with ExitStack() as stack:
        ours, theirs = os.pipe()
        stack.callback(os.close, ours)
        stack.callback(os.close, theirs)
        os.write(theirs, BLOCK[:50_000])
        assert seen().waiting - before.waiting == 50_000
        left, right = socket.socketpair()
        stack.enter_context(left)
        stack.enter_context(right)
        left.send(BLOCK[:50_000])
        assert seen().waiting - before.waiting >= 100_000
        assert right.recv(100_000, socket.MSG_WAITALL | socket.MSG_DONTWAIT)
        assert os.read(ours, 50_000)
    assert seen().waiting == before.waiting


def test_what_waits_in_pipes_and_sockets_counts() -> None:
    """In a process of its own: what runs the tests has pipes in which something may wait."""
    own = get_context("spawn").Process(target=pipes_and_sockets)
    own.start()
    own.join()
    assert own.exitcode == 0


def test_it_is_looked_at_now_and_then_only() -> None:
    """What was seen holds for a while: looking takes longer the more there is."""
    one = Descriptors()
    first = one.held([os.getpid()])
    one._due_ns = 1 << 62
    with memfd():
        assert one.held([os.getpid()]) == first
        one._due_ns = 0
        assert one.held([os.getpid()]).files > first.files


def test_one_that_has_ended_holds_nothing() -> None:
    assert Descriptors().held([2**22 + 1]) == Unmapped()
