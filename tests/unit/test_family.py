"""Which processes belong to a worker, and what they have in common."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from firstbyte.worker.family import MARK, Births, Family, kin_of, living_cpu_ns
from firstbyte.worker.instruments.proc_memory import Process
from firstbyte.worker.sharing import Sharing

MB = 1_000_000
PARENT = """
import os, subprocess, sys
child = subprocess.Popen(["sleep", "infinity"])
print(child.pid, flush=True)
sys.stdin.read()
"""
WORK = "import time\nwhile time.process_time() < 0.05: pass\nprint(flush=True); input()"


@pytest.fixture
def parent() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process in a session of its own, and the id of its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    child = int(process.stdout.readline())
    yield process, child
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_grandchild_belongs_to_the_family(parent: tuple[subprocess.Popen[bytes], int]) -> None:
    family = Family([os.getpid()])
    assert {parent[0].pid, parent[1]} <= set(family.newcomers())
    assert family.newcomers() == []


def test_an_orphan_belongs_to_its_session(parent: tuple[subprocess.Popen[bytes], int]) -> None:
    process, orphan = parent
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Family([process.pid]).newcomers() == []
    assert Family([process.pid], session=process.pid).newcomers() == [orphan]


DAEMON = """
import os
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
os.read(0, 1)
"""


def daemon(mark: str) -> tuple[subprocess.Popen[bytes], int]:
    """A process that has ended, and one that it started and that has left its parent and its session."""
    process = subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, MARK: mark},
    )
    assert process.stdout
    left = int(process.stdout.readline())
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process, left


def test_one_that_has_left_parent_and_session_is_known_by_its_mark() -> None:
    started = [daemon("one"), daemon("other")]
    try:
        (leader, _), _ = started
        family = Family([leader.pid], session=leader.pid)
        assert family.newcomers() == [], "the mark of one that has ended is not known any more"
        (_, first), (_, second) = started
        family = Family([first], session=first)
        assert second not in family.newcomers()
        third, fourth = daemon("one")
        started.append((third, fourth))
        assert family.newcomers() == [fourth]
    finally:
        for process, _ in started:
            process.communicate()


def test_strangers_do_not_belong() -> None:
    family = Family([os.getpid()])
    family.newcomers()
    assert os.getppid() not in family.newcomers()
    kin = kin_of(os.getpid())
    assert kin
    assert kin.parent == os.getppid()


def test_births_are_noticed() -> None:
    births = Births()
    assert births.any()
    subprocess.run(["true"], check=True)
    assert births.any()
    births.forget()
    assert births.any()
    births.close()
    births.close()


def test_cpu_time_of_the_living_is_counted() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout
    child.stdout.readline()
    assert living_cpu_ns(os.getpid()) >= 0.05e9
    child.communicate(b"\n")


def test_shared_memory_of_a_fork_is_counted_twice_by_a_sum() -> None:
    kept = bytearray(b"x") * (40 * MB)
    with mmap.mmap(-1, 30 * MB) as memory:
        memory.write(b"x" * (30 * MB))
        fork = os.fork()
        if fork == 0:
            len(bytes(memory))  # a fork gets shared pages when it touches them
            signal.pause()
            os._exit(0)
        here, there = Process(os.getpid()), Process(fork)
        while there.read().shmem < 29 * MB:
            pass
        twice = Sharing().counted_twice([(one, one.read()) for one in (here, there)])
        assert 29 * MB < twice.shmem < 40 * MB
        assert twice.anon > 39 * MB
        os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)
        assert Sharing().counted_twice([(here, here.read())]).shmem < 9 * MB
        here.close()
        there.close()
    del kept
