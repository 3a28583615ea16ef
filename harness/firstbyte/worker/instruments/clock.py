"""Clock: wall time, CPU time of all threads and of all processes that were started, and the wait of
the calling thread in the run queue.

Children that were waited for are in RUSAGE_CHILDREN (getrusage(2)); those that live are asked for
their own clocks, before and after what is timed. Where there are none, one system call says so.

All stamps are of CLOCK_MONOTONIC, which parent and worker share. The run-queue wait is field 2 of
/proc/thread-self/schedstat (Documentation/scheduler/sched-stats.rst), read just inside the wall
stamps: read outside them it would subtract waits that the wall clock never saw. Where the kernel
does not keep it, that figure is left out rather than written as zero.
"""

from __future__ import annotations

import os
import resource
import time

from firstbyte.api import Metric
from firstbyte.worker.family import living_cpu_ns

WALL = Metric("wall_ns", "wall time of the span")
CPU = Metric("cpu_ns", "CPU time in the span, of all threads of the process and of its children")
CHILDREN_CPU = Metric("children_cpu_ns", "the part of it that processes took which it had started")
WAIT = Metric("run_queue_wait_ns", "wait of the calling thread for a processor", better="")
METRICS = (WALL, CPU, CHILDREN_CPU, WAIT)


class Probe:
    """The worker's half; `begin` and `end` stand immediately around the measured span."""

    def __init__(self) -> None:
        try:
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._schedstat = -1
        self._wall_ns = self._cpu_ns = self._children_cpu_ns = self._wait_ns = 0

    def _run_queue_wait_ns(self) -> int:
        return int(os.pread(self._schedstat, 96, 0).split()[1]) if self._schedstat >= 0 else 0

    def begin(self) -> None:
        self._children_cpu_ns = _children_cpu_ns()
        self._cpu_ns = time.process_time_ns()
        self._wall_ns = time.monotonic_ns()
        self._wait_ns = self._run_queue_wait_ns()

    def end(self) -> dict[str, float]:
        wait_ns = self._run_queue_wait_ns()
        wall_ns = time.monotonic_ns()
        cpu_ns = time.process_time_ns() - self._cpu_ns
        # One whose parent ended before it takes its time with it.
        children_cpu_ns = max(0, _children_cpu_ns() - self._children_cpu_ns)
        values: dict[str, float] = {
            WALL.name: wall_ns - self._wall_ns,
            CPU.name: cpu_ns + children_cpu_ns,
            CHILDREN_CPU.name: children_cpu_ns,
        }
        if self._schedstat >= 0:
            values[WAIT.name] = wait_ns - self._wait_ns
        return values


def _children_cpu_ns() -> int:
    """CPU time of all that this process has started, up to now."""
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_ns = round((reaped.ru_utime + reaped.ru_stime) * 1e9)
    return spent_ns + living_cpu_ns(os.getpid()) if _has_children() else spent_ns


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
