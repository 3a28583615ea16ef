"""What the probe of a case decides: spans in a process, and whether several threads are at work."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from firstbyte.gate.cases import TIMED_SAMPLES, Case
from firstbyte.gate.metrics import NET_WALL, Tolerances
from firstbyte.gate.observe import Observation
from firstbyte.gate.pairs import both_ok
from firstbyte.worker.instruments.clock import WALL

THREADED_CPU_PER_WALL = 1.1
"""Processor time per wall time from which on more than the calling thread is at work."""
THREADED_WALL_TOLERANCE = 0.15
"""Wall time of several threads is noisy (and its run-queue wait is that of one thread only)."""

TIMED_NS = 300_000_000
"""Timed spans of a process add up to about this: short ones are repeated more often."""
MOST_SAMPLES = 101


def tuned(case: Case, base: Observation, head: Observation) -> Case:
    """The case with as many spans a process as its probe shows to be worth it: short ones cost little."""
    if not case.takes_turns or not both_ok(base, head):
        return case
    span_ns = max(base.wall_ns, head.wall_ns) / (case.planned.cell.repetitions - 1)
    samples = min(MOST_SAMPLES, max(TIMED_SAMPLES, 1 + ceil(TIMED_NS / span_ns)))
    return case.tuned(samples=samples, threaded=threaded(base) or threaded(head))


def threaded(side: Observation) -> bool:
    """Whether more than the calling thread was at work in the timed spans."""
    return side.cpu_ns > THREADED_CPU_PER_WALL * side.wall_ns


def with_threaded_wall(tolerances: Tolerances) -> Tolerances:
    """Wall at its wider tolerance, unless the policy names one for it."""
    named = dict(tolerances.named)
    for name in (NET_WALL, WALL.name):
        named.setdefault(name, max(THREADED_WALL_TOLERANCE, tolerances.time))
    return replace(tolerances, named=named)
