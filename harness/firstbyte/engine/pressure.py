"""How busy the machine was while a cell was measured: what the cell met, and what it made itself.

Pressure stall information (Documentation/accounting/psi.rst) counts the time in which some task waited
for a processor, whoever it was: a cell with more threads than there are cores makes its own. What others
took is the machine's CPU time (/proc/stat) less that of our own workers.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstbyte.model import Conditions, Sample

ROOT = Path("/")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""Places of idle and iowait among the numbers of /proc/stat (proc_stat(5))."""
_STEAL = 7
_COUNTED = 8
"""Those after them, of guests, are in user and nice already."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters at one moment; None where the kernel does not keep them."""

    at_s: float
    stalled_s: float | None
    """Time in which some task waited for a processor."""
    busy_s: float | None
    """CPU time that was used on all processors, or stolen from them."""
    steal_s: float | None
    total_s: float | None
    own_s: float
    """CPU time of this process and of the workers that have ended."""


def read(root: Path = ROOT) -> Counters:
    """The counters now; `root` holds proc/."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy_s, steal_s, total_s = _processors(root)
    return Counters(
        at_s=time.monotonic(),
        stalled_s=_stalled_s(root),
        busy_s=busy_s,
        steal_s=steal_s,
        total_s=total_s,
        own_s=sum(one.ru_utime + one.ru_stime for one in used),
    )


def between(before: Counters, after: Counters, samples: Iterable[Sample]) -> Conditions:
    """What happened between two readings, with what the samples of that time waited themselves."""
    elapsed_s = after.at_s - before.at_s
    total_s = _gained(before.total_s, after.total_s)
    busy_s = _gained(before.busy_s, after.busy_s)
    others_s = None if busy_s is None else busy_s - (after.own_s - before.own_s)
    return Conditions(
        cpu_pressure_share=_share(_gained(before.stalled_s, after.stalled_s), elapsed_s),
        others_cpu_share=_share(others_s, total_s),
        steal_share=_share(_gained(before.steal_s, after.steal_s), total_s),
        run_queue_wait_share=_waited(samples),
    )


def _stalled_s(root: Path) -> float | None:
    try:
        line = (root / "proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):
        return None
    return int(line.rpartition("total=")[2]) / 1e6


def _processors(root: Path) -> tuple[float, float, float] | tuple[None, None, None]:
    try:
        line = (root / "proc/stat").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):
        return None, None, None
    spent = [int(word) / _TICKS_PER_SECOND for word in line.split()[1 : 1 + _COUNTED]]
    total_s = sum(spent)
    return total_s - sum(spent[place] for place in _IDLE), spent[_STEAL], total_s


def _gained(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _share(part: float | None, whole: float | None) -> float | None:
    """Between 0 and 1: counters of different clocks may disagree by a tick."""
    return None if part is None or not whole else min(1.0, max(0.0, part / whole))


def _waited(samples: Iterable[Sample]) -> float | None:
    both = [
        (one.values["run_queue_wait_ns"], one.values["wall_ns"])
        for one in samples
        if {"run_queue_wait_ns", "wall_ns"} <= one.values.keys()
    ]
    return _share(sum(wait for wait, _ in both), sum(wall for _, wall in both)) if both else None
