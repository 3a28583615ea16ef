"""Threads and open files of a process, counted while threads end and are joined."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

import pytest

from firstbyte.worker import kernel
from firstbyte.worker.kernel import Holdings, holdings, living_threads


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
