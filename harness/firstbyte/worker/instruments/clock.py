"""Clock: wall time, CPU time of all threads, and the wait of the calling thread in the run queue.

All stamps are of CLOCK_MONOTONIC, which parent and worker share. The run-queue wait is field 2 of
/proc/thread-self/schedstat (Documentation/scheduler/sched-stats.rst), read just inside the wall
stamps: read outside them it would subtract waits that the wall clock never saw. Where the kernel
does not keep it, that figure is left out rather than written as zero.
"""

from __future__ import annotations

import os
import time

from firstbyte.api import Metric

WALL = Metric("wall_ns", "wall time of the span")
CPU = Metric("cpu_ns", "CPU time of all threads of the process in the span")
WAIT = Metric("run_queue_wait_ns", "wait of the calling thread for a processor", better="")
METRICS = (WALL, CPU, WAIT)


class Probe:
    """The worker's half; `begin` and `end` stand immediately around the measured span."""

    def __init__(self) -> None:
        try:
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._schedstat = -1
        self._wall_ns = self._cpu_ns = self._wait_ns = 0

    def _run_queue_wait_ns(self) -> int:
        return int(os.pread(self._schedstat, 96, 0).split()[1]) if self._schedstat >= 0 else 0

    def begin(self) -> None:
        self._cpu_ns = time.process_time_ns()
        self._wall_ns = time.monotonic_ns()
        self._wait_ns = self._run_queue_wait_ns()

    def end(self) -> dict[str, float]:
        wait_ns = self._run_queue_wait_ns()
        wall_ns = time.monotonic_ns()
        cpu_ns = time.process_time_ns()
        values: dict[str, float] = {
            WALL.name: wall_ns - self._wall_ns,
            CPU.name: cpu_ns - self._cpu_ns,
        }
        if self._schedstat >= 0:
            values[WAIT.name] = wait_ns - self._wait_ns
        return values
