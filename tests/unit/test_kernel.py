"""Threads and open files of a process, counted while threads end and are joined."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from firstbyte.worker import kernel
from firstbyte.worker.kernel import Holdings, children, holdings, living_threads, memfd_bytes
from firstbyte.worker.quiet import QUIET


def test_a_thread_and_a_file_more_are_counted() -> None:
    before = holdings()
    started, end = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        end.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    file = os.open("/", os.O_RDONLY)
    after = holdings()
    end.set()
    thread.join()
    os.close(file)
    assert after == Holdings(before.threads + 1, before.descriptors + 1)
    assert holdings().descriptors == before.descriptors


def test_a_thread_that_was_joined_is_gone() -> None:
    """The kernel wakes whoever joins before it takes the thread off its list."""
    libc = ctypes.CDLL(None)
    before = living_threads()
    for _ in range(500):
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, libc.getpid, None)
        libc.pthread_join(thread, None)
        assert living_threads() == before


PLAIN, EXITING = 0x400040, 0x400044


@pytest.mark.parametrize(
    ("name", "flags", "counted"),
    [
        ("firstbyte-1", PLAIN, True),
        ("firstbyte-1", EXITING, False),
        ("firstbyte-) R 4 (", PLAIN, True),
        ("python", PLAIN, False),
    ],
)
def test_threads_are_told_by_name_and_by_whether_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, flags: int, counted: bool
) -> None:
    task = tmp_path / "7"
    task.mkdir()
    (task / "stat").write_text(f"7 ({name}) S 1 7 7 0 -1 {flags} 3 0 0 0\n")
    (tmp_path / "8").mkdir()  # it ended between two looks
    monkeypatch.setattr(kernel, "_TASKS", tmp_path)
    assert living_threads("firstbyte-") == counted


SIZE_BYTES = 1 << 20


def test_memfds_count_mapped_or_not_while_they_are_open() -> None:
    before = memfd_bytes()
    descriptor = os.memfd_create("test")
    os.write(descriptor, b"x" * SIZE_BYTES)
    again = os.dup(descriptor)
    assert memfd_bytes() == before + SIZE_BYTES
    os.close(descriptor)
    os.close(again)
    assert memfd_bytes() == before


def test_children_count_until_somebody_waits_for_them_and_with_what_they_hold() -> None:
    before = children()
    program = f"kept = b'x' * {SIZE_BYTES}; print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        process.stdout.readline()
        living = children()
        assert process.stdin
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        ended = children()
    assert living.count == ended.count == before.count + 1
    assert living.held_bytes - before.held_bytes > SIZE_BYTES
    assert children().count == before.count


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
def test_reading_everything_leaves_nothing_in_the_heap() -> None:
    """A process of its own, with the environment of the leak check; it was 80 B a reading once."""
    program = """
import gc
from array import array
from types import SimpleNamespace
from firstbyte.worker.instruments.allocators import Ledgers
from firstbyte.worker.ledgers import GLIBC
ledgers = Ledgers(SimpleNamespace())
heap = array('q', bytes(8 * 200))
for reading in range(200):
    ledgers.read_all()
    gc.collect()
    ledgers.trim()
    heap[reading] = ledgers.read()[GLIBC]
print(heap[-1] - heap[99])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 100 * 10
