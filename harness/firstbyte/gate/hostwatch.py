"""What the host did while the gate ran: how busy it was, whether it drifted, what it cannot tell."""

from __future__ import annotations

import statistics
from collections import defaultdict
from math import expm1, log
from pathlib import Path

from firstbyte.analysis.stats import theil_sen
from firstbyte.gate.observe import Observation
from firstbyte.model import BUSY_SHARE

DRIFT = 0.05
"""Change of the base side over the gate that is worth a word."""
MIN_DRIFT_PROCESSES = 6


class HostWatch:
    """Collects what base processes reveal about the host; the gate's verdicts do not depend on it."""

    def __init__(self) -> None:
        self._walls: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._shares: list[float] = []
        self._without_wait = False

    def saw(self, case: str, at_seconds: float, base: Observation) -> None:
        """A base process ended well, so many seconds into the gate."""
        if not base.wall_ns:
            return
        self._walls[case].append((at_seconds, base.wall_ns))
        if base.wait_ns is None:
            self._without_wait = True
        else:
            self._shares.append(base.wait_ns / base.wall_ns)

    def notes(self) -> list[str]:
        """Lines for the reader, each with what it means for the verdicts."""
        return [note for note in (self._no_wait(), self._busy(), self._drift()) if note]

    def _no_wait(self) -> str:
        if not self._without_wait:
            return ""
        return (
            "this kernel keeps no /proc/thread-self/schedstat (kernel built without CONFIG_SCHED_INFO,"
            " or /proc is restricted): plain wall time was gated, so expect INCONCLUSIVE under load"
        )

    def _busy(self) -> str:
        share = statistics.median(self._shares) if self._shares else 0.0
        pressure = cpu_pressure()
        if share < BUSY_SHARE:
            return ""
        said = f", CPU pressure (PSI, last minute) {pressure:.0f}%" if pressure is not None else ""
        return (
            f"the host was busy: half of the timed processes waited for a processor {share:.0%} of"
            f" the time or more{said}; first batch and plain wall may stay INCONCLUSIVE"
        )

    def _drift(self) -> str:
        """The steadiest trend of a base side that is larger than DRIFT over the gate, if any."""
        worst: tuple[float, str] = (0.0, "")
        for case, points in self._walls.items():
            if len(points) < MIN_DRIFT_PROCESSES:
                continue
            at, wall = zip(*points, strict=True)
            slope = theil_sen(at, [log(value) for value in wall])
            sure = slope.low if slope.low > 0 else min(slope.high, 0.0)
            drift = expm1(sure * (max(at) - min(at)))
            if abs(drift) > max(DRIFT, abs(worst[0])):
                worst = (drift, case)
        if not worst[1]:
            return ""
        return (
            f"the machine drifted: the unchanged base side of {worst[1]} moved by at least"
            f" {worst[0]:+.0%} while the gate ran; pairs are interleaved, so verdicts hold,"
            " but do not compare these times with those of another day"
        )


def cpu_pressure() -> float | None:
    """Share of the last minute in which some task waited for a processor, in per cent (PSI)."""
    try:
        line = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):
        return None
    fields = dict(field.split("=") for field in line.split()[1:])
    return float(fields["avg60"])
