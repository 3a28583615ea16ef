"""Waits until a process that has just imported a library stands still, so that the clock sees the reader.

An import can leave threads at work: those of OpenBLAS, which numpy starts, spin for a while before they
sleep, pools start, allocators purge. What they take would be charged to the first spans, and only of
readers whose library imports such a thing. Standard library only.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

STEP_SECONDS = 0.005
QUIET_STEPS = 4
"""Steps in a row without work: one alone may fall between two turns of a thread."""
QUIET_SHARE = 0.05
"""Processor time per wall time of a step that still counts as none: the loop itself takes some."""
MOST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Stillness:
    """What came of the wait."""

    waited_ns: int
    quiet: bool
    """False where the process still worked at the end: its own threads never rest."""


def settle(most_seconds: float = MOST_SECONDS) -> Stillness:
    """Wait until the processor time of all threads of this process stands still, or for `most_seconds`."""
    began_ns = time.monotonic_ns()
    deadline_ns = began_ns + int(most_seconds * 1e9)
    quiet_steps = 0
    for _ in range(int(most_seconds / STEP_SECONDS)):  # also where the clock stands still
        if quiet_steps == QUIET_STEPS or time.monotonic_ns() >= deadline_ns:
            break
        quiet_steps = quiet_steps + 1 if _is_quiet_step() else 0
    return Stillness(time.monotonic_ns() - began_ns, quiet_steps >= QUIET_STEPS)


def _is_quiet_step() -> bool:
    wall_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    time.sleep(STEP_SECONDS)
    worked_ns = time.process_time_ns() - cpu_ns
    if worked_ns > QUIET_SHARE * (time.monotonic_ns() - wall_ns):
        return False
    return not others_want_to_run(os.getpid(), threading.get_native_id())


def others_want_to_run(pid: int, thread: int) -> bool:
    """Whether another thread of that process is running or waits for a processor: on a busy host it may get
    none for long.

    State R of /proc/PID/task/TID/stat (proc_pid_stat(5)), behind the name in brackets. Raises OSError once
    the process has gone.
    """
    for task in Path(f"/proc/{pid}/task").iterdir():
        if int(task.name) == thread:
            continue
        try:
            if (task / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"R":
                return True
        except OSError:
            continue  # it has ended
    return False
