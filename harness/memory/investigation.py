"""The leak check of one backend: a first process, and what it takes to settle a suspicion.

A clean backend costs one process. A flagged one is run in two more fresh processes, then over four
times as many scans; a confirmed leak is run once under memray for the stacks. Each step is an
ordinary record; the verdict is a pure function of them (`harness.analysis.leaks`).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.leak_stacks import LeakingStack
from harness.analysis.leaks import (
    CONFIRMING_PROCESSES,
    LIVE_FLOOR_BYTES,
    LONGER,
    LeakClass,
    LeakVerdict,
    Observation,
    verdict,
)
from harness.errors import HarnessError
from harness.instruments.heap import CAPTURES_VARIABLE
from harness.memory.captures import flamegraph, leaking_stacks
from harness.memory.laboratory import QUIET, Laboratory, scratch
from harness.memory.observations import observation
from harness.model import Param, Record, Sample, Status
from harness.registry import BackendInfo, Variant

SCENARIO = "leak_scan"
DEFAULT_SCANS = 200
MIN_SCANS = 96
BUDGET_SECONDS = 25.0
HEAP_SCANS = 20
DETECT_SHARE = 0.6
"""The threshold stands at this share of the size that must be found, so that noise cannot hide
it.
"""
RESIDENT_NOISE_BYTES = 256 * 1024
"""Noise of RssAnon that a request for small leaks reckons with where nothing was measured yet."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look: scans in the first process, and the least slope that counts."""

    scans: int = DEFAULT_SCANS
    live_floor_bytes: float | None = None
    budget_seconds: float = BUDGET_SECONDS


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with what it rests on."""

    backend: str
    variant: str
    verdict: LeakVerdict | None
    """None where a worker did not end well; `trouble` says how."""
    observations: tuple[Observation, ...]
    trouble: str = ""
    flamegraph: Path | None = None


Step = Callable[[str], None]


def effort_for(detect_bytes: float, noise_bytes: float, scan_seconds: float) -> Effort:
    """Scans that make a leak of `detect_bytes` per scan visible over noise of that range.

    The threshold of both rules falls with 2 R / n of the tail, two thirds of the series. Raises
    HarnessError for less than a byte.
    """
    if detect_bytes < 1:
        raise HarnessError("--detect takes at least 1B per scan")
    tail = 2.0 * noise_bytes / (DETECT_SHARE * detect_bytes)
    scans = max(DEFAULT_SCANS, math.ceil(tail * 1.5))
    floor = min(LIVE_FLOOR_BYTES, DETECT_SHARE * detect_bytes)
    seconds = scans * scan_seconds * 2
    return Effort(scans, floor, max(BUDGET_SECONDS, seconds))


def investigate(
    laboratory: Laboratory,
    subject: tuple[BackendInfo, Variant],
    effort: Effort,
    step: Step = lambda _: None,
) -> Finding:
    """Run `leak_scan` for one backend and variant until the verdict is settled."""
    backend, variant = subject
    case = _Case(laboratory, subject, effort, step)
    try:
        settled = case.settle()
    except _EndedBadlyError as error:
        return Finding(backend.name, variant.name, None, tuple(case.observations), str(error))
    picture = None
    if settled.outcome is LeakClass.LEAK:
        stacks, picture = case.name_culprits()
        settled = verdict(
            case.observations, case.longer, stacks=stacks, floor_bytes=effort.live_floor_bytes
        )
    return Finding(backend.name, variant.name, settled, tuple(case.observations), "", picture)


class _EndedBadlyError(Exception):
    """A worker did not give a sample; the message is the record's status and reason."""


class _Case:
    """One investigation under way."""

    def __init__(
        self,
        laboratory: Laboratory,
        subject: tuple[BackendInfo, Variant],
        effort: Effort,
        step: Step,
    ) -> None:
        self._laboratory = laboratory
        self._subject = subject
        self._effort = effort
        self._step = step
        self.observations: list[Observation] = []
        self.longer: Observation | None = None

    def settle(self) -> LeakVerdict:
        self._step(f"{self._effort.scans} scans in one process")
        self.observations.append(self._observe(self._effort.scans, self._effort.budget_seconds))
        while (current := self._verdict()).wants == "processes":
            self._step(f"suspicion: {current.reason}; once more in a fresh process")
            # As long as the first, or the two could not be compared.
            scans = self.observations[0].scans
            self.observations.append(self._observe(scans, self._effort.budget_seconds * 2))
        if current.wants == "longer":
            scans = LONGER * self.observations[0].scans
            self._step(f"confirmed in fresh processes; {scans} scans in one")
            self.longer = self._observe(scans, self._effort.budget_seconds * LONGER * 2)
            current = self._verdict()
        return current

    def name_culprits(self) -> tuple[Sequence[LeakingStack], Path | None]:
        """The leaking stacks and the flamegraph; nothing where memray cannot run the scenario."""
        self._step("which stacks: under memray")
        backend, variant = self._subject
        folder = scratch("captures", f"{backend.name}-{variant.name}")
        shutil.rmtree(folder)
        environ = {**QUIET, CAPTURES_VARIABLE: str(folder)}
        record = self._laboratory.measure(
            self._subject, SCENARIO, "heap", params=self._role("stacks"), environ=environ
        )
        if record.status is not Status.OK:
            return (), None
        stacks = leaking_stacks(folder, HEAP_SCANS)
        picture = flamegraph(folder / "heap-001.bin", folder / "leaks.html") if stacks else None
        return stacks, picture

    def _verdict(self) -> LeakVerdict:
        floor = self._effort.live_floor_bytes
        return verdict(self.observations, self.longer, floor_bytes=floor)

    def _observe(self, scans: int, budget_seconds: float) -> Observation:
        role = "longer" if len(self.observations) >= CONFIRMING_PROCESSES else "first"
        record = self._laboratory.measure(
            self._subject,
            SCENARIO,
            "proc_memory",
            repetitions=scans,
            params={**self._role(role), "budget_s": budget_seconds},
            environ=QUIET,
        )
        return observation(_only_sample(record))

    def _role(self, role: str) -> dict[str, Param]:
        return {"role": role}


def _only_sample(record: Record) -> Sample:
    if record.status is not Status.OK:
        raise _EndedBadlyError(f"{record.status}: {record.reason}")
    return record.samples[0]
