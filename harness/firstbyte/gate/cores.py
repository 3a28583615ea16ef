"""Where a pair that takes turns runs: both of its workers on one core, the one that had least to do.

Cores of a shared host differ, and not by a constant: each has neighbours of its own. Two processes on
two cores differ by that, whichever way their spans are interleaved.
"""

from __future__ import annotations

import os

import psutil


class IdlestCore:
    """Picks among the cores that this process may use, by their idle time since the last pick."""

    def __init__(self) -> None:
        self._cores = sorted(os.sched_getaffinity(0))
        self._idle_seconds = self._read()

    def pick(self) -> int:
        """Number of the core that was idle longest since it was last asked."""
        before, self._idle_seconds = self._idle_seconds, self._read()
        return max(self._cores, key=lambda core: self._idle_seconds[core] - before[core])

    def _read(self) -> dict[int, float]:
        times = psutil.cpu_times(percpu=True)
        return {core: times[core].idle for core in self._cores}
