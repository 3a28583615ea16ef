"""The leak check of one backend: a first process, and what it takes to settle a suspicion.

A clean backend costs one process. A flagged one is run in two more fresh processes, then over four
times as many scans; a confirmed leak is run once under memray for the stacks. Each step is an
ordinary record; the verdict is a pure function of them (`firstbyte.leaks.rules`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstbyte.engine.laboratory import QUIET, Laboratory, scratch
from firstbyte.engine.registry import BackendInfo, Variant
from firstbyte.leaks.captures import flamegraph, leaking_stacks
from firstbyte.leaks.effort import BUDGET_SECONDS, PILOT_SCANS, Effort
from firstbyte.leaks.observations import observation
from firstbyte.leaks.rules import (
    LONGER,
    LeakClass,
    LeakVerdict,
    Observation,
    SeriesFinding,
    judge_process,
    verdict,
)
from firstbyte.leaks.stacks import LeakingStack
from firstbyte.model import Record, Sample, Status
from firstbyte.worker.instruments.heap import CAPTURES_VARIABLE

SCENARIO = "leak_scan"
HEAP_SCANS = 20
"""Scans in the first capture of `leak_scan` under memray; the second has twice as many."""


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


def pilot(
    laboratory: Laboratory, subject: tuple[BackendInfo, Variant]
) -> tuple[dict[str, SeriesFinding], float]:
    """Noise of every ledger and seconds per scan, from one short process.

    Raises EndedBadlyError where the worker does.
    """
    case = _Case(laboratory, subject, Effort(scans=PILOT_SCANS), lambda _: None)
    seen = case.observe("pilot", PILOT_SCANS, BUDGET_SECONDS)
    return judge_process(seen), seen.values["scan_seconds"]


def investigate(
    laboratory: Laboratory,
    subject: tuple[BackendInfo, Variant],
    effort: Effort,
    step: Step = lambda _: None,
    *,
    name_stacks: bool = True,
) -> Finding:
    """Run `leak_scan` for one backend and variant until the verdict is settled.

    A LEAK is run once more under memray for its stacks, unless `name_stacks` is off.
    """
    backend, variant = subject
    case = _Case(laboratory, subject, effort, step)
    try:
        settled = case.settle()
    except EndedBadlyError as error:
        return Finding(backend.name, variant.name, None, tuple(case.observations), str(error))
    picture = None
    if name_stacks and settled.outcome is LeakClass.LEAK:
        stacks, picture = case.name_culprits()
        settled = verdict(
            case.observations, case.longer, stacks=stacks, floor_bytes=effort.live_floor_bytes
        )
    return Finding(backend.name, variant.name, settled, tuple(case.observations), "", picture)


class EndedBadlyError(Exception):
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
        budget = self._effort.budget_seconds
        self.observations.append(self.observe("first", self._effort.scans, budget))
        while (current := self._verdict()).wants == "processes":
            self._step(f"suspicion: {current.reason}; once more in a fresh process")
            # As long as the first, or the two could not be compared.
            scans = self.observations[0].scans
            self.observations.append(self.observe("again", scans, 2 * budget))
        if current.wants == "longer":
            scans = LONGER * self.observations[0].scans
            self._step(f"confirmed in fresh processes; {scans} scans in one")
            self.longer = self.observe("longer", scans, 2 * LONGER * budget)
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
            self._subject, SCENARIO, "heap", params={"role": "stacks"}, environ=environ
        )
        if record.status is not Status.OK:
            return (), None
        stacks = leaking_stacks(folder, HEAP_SCANS)
        picture = flamegraph(folder / "heap-001.bin", folder / "leaks.html") if stacks else None
        return stacks, picture

    def _verdict(self) -> LeakVerdict:
        floor = self._effort.live_floor_bytes
        return verdict(self.observations, self.longer, floor_bytes=floor)

    def observe(self, role: str, scans: int, budget_seconds: float) -> Observation:
        """One process of the scenario. Raises EndedBadlyError where it gave no sample."""
        record = self._laboratory.measure(
            self._subject,
            SCENARIO,
            "proc_memory",
            repetitions=scans,
            params={"role": role, "budget_s": budget_seconds},
            environ=QUIET,
        )
        return observation(_only_sample(record))


def _only_sample(record: Record) -> Sample:
    if record.status is not Status.OK:
        raise EndedBadlyError(f"{record.status}: {record.reason}")
    return record.samples[0]
