"""The leak check of one backend in one shape of use: one process, and what it takes to settle a suspicion.

A clean backend costs one process. A suspicious one is run in two more fresh processes, then over four
times as many uses, and sixteen times where that leaves it open; a confirmed leak is run once under memray
for the stacks. Each step is an ordinary record; the verdict is a pure function of them
(`firstbyte.leaks.rules`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from firstbyte.api import Purpose
from firstbyte.engine.laboratory import Laboratory, scratch
from firstbyte.engine.registry import Chosen
from firstbyte.leaks.captures import flamegraph, leaking_stacks
from firstbyte.leaks.effort import DEFAULT_SECONDS, PILOT_SCANS, Effort
from firstbyte.leaks.rules import LeakClass, LeakVerdict, verdict
from firstbyte.leaks.slopes import MIN_SCANS, SeriesFinding, judge_process
from firstbyte.leaks.stacks import LeakingStack
from firstbyte.leaks.suspicion import LONGER, LONGEST, Wants
from firstbyte.model import Param, Record, Sample, Status
from firstbyte.say import Say
from firstbyte.worker.captures import CAPTURES_VARIABLE, capture_path
from firstbyte.worker.leak_series import (
    ATTEMPT,
    BUDGET_SECONDS,
    CAPTURED_SCANS,
    LEAST_USES,
    Attempt,
    LeakSeries,
)
from firstbyte.worker.quiet import QUIET
from firstbyte.worker.shapes import NEEDS, SHAPE, Shape
from firstbyte.worker.uses import scans_of

SCANNING_SHARE = 0.8
"""Of the time after which a worker is killed, so much is for the repeated uses."""


@dataclass(frozen=True, slots=True)
class Investigation:
    """A verdict with what it rests on; it holds for that shape of use and for no other."""

    backend: str
    variant: str
    verdict: LeakVerdict | None
    """None where a worker did not end well, as `trouble` says, or where the backend cannot be used so."""
    processes: tuple[LeakSeries, ...]
    trouble: str = ""
    skipped: str = ""
    """What the backend lacks for this shape of use."""
    shape: Shape = Shape.WHOLE
    flamegraph: Path | None = None


def pilot(laboratory: Laboratory, subject: Chosen) -> tuple[dict[str, SeriesFinding], float]:
    """Noise of every ledger and seconds per scan, from one short process.

    Raises EndedBadlyError where the worker does.
    """
    case = _Underway(laboratory, subject, Effort(scans=PILOT_SCANS), lambda _: None)
    seen = case.observe(Attempt.PILOT, PILOT_SCANS, DEFAULT_SECONDS)
    return judge_process(seen), seen.scan_seconds


def investigate(
    laboratory: Laboratory,
    subject: Chosen,
    effort: Effort,
    step: Say = lambda _: None,
    *,
    shape: Shape = Shape.WHOLE,
    name_stacks: bool = True,
) -> Investigation:
    """Run the leak scenario for one backend and variant, used in that shape, until the verdict is settled.

    A LEAK is run once more under memray for its stacks, unless `name_stacks` is off, or the leak is in
    another process, where memray does not look.
    """
    backend, variant = subject
    found = partial(Investigation, backend.name, variant.name, shape=shape)
    if missing := NEEDS[shape] - backend.capabilities:
        return found(
            None, (), skipped=f"{backend.name} does not declare: {', '.join(sorted(missing))}"
        )
    case = _Underway(laboratory, subject, effort, step, shape)
    try:
        settled = case.settle()
    except EndedBadlyError as error:
        return found(None, tuple(case.processes), trouble=str(error))
    picture = None
    if name_stacks and settled.outcome is LeakClass.LEAK and shape is not Shape.CHILDREN:
        stacks, picture = case.name_culprits()
        settled = case.verdict(stacks, exhausted=True)
    return found(settled, tuple(case.processes), flamegraph=picture)


class EndedBadlyError(Exception):
    """A worker did not give a sample; the message is the record's status and reason."""


class _Underway:
    """One investigation under way."""

    def __init__(
        self,
        laboratory: Laboratory,
        subject: Chosen,
        effort: Effort,
        step: Say,
        shape: Shape = Shape.WHOLE,
    ) -> None:
        self._laboratory = laboratory
        self._scenario = laboratory.catalogue.scenario_for(Purpose.LEAKS)
        self._subject = subject
        self._effort = effort
        self._step = step
        self._shape = shape
        self.processes: list[LeakSeries] = []
        self.longer: list[LeakSeries] = []

    def settle(self) -> LeakVerdict:
        self._step(f"{self._effort.scans} uses in one process")
        budget = self._effort.budget_seconds
        self.processes.append(self.observe(Attempt.FIRST, self._effort.scans, budget))
        while (current := self.verdict()).wants is Wants.PROCESSES:
            self._step(f"suspicion: {current.reason}; once more in a fresh process")
            # As long as the first, or the two could not be compared.
            self.processes.append(self.observe(Attempt.AGAIN, self._scans, 2 * budget))
        for times, wanted in ((LONGER, Wants.LONGER), (LONGEST, Wants.LONGEST)):
            if current.wants is not wanted or not self._can_afford(times):
                continue
            self._step(f"{current.reason}; {times * self._scans:,} uses in one process")
            seen = self.observe(Attempt.LONGER, times * self._scans, 2 * times * budget)
            self.longer.append(seen)
            current = self.verdict()
        return self.verdict(exhausted=True) if current.wants else current

    @property
    def _scans(self) -> int:
        return self.processes[0].scans

    def _can_afford(self, times: int) -> bool:
        """Whether so many times the uses fit into the time that a worker has; four times are always tried."""
        seconds = times * self._scans * max(one.scan_seconds for one in self.processes)
        return times <= LONGER or seconds <= self._most_seconds

    @property
    def _most_seconds(self) -> float:
        return SCANNING_SHARE * self._laboratory.limits.timeout_s

    def name_culprits(self) -> tuple[Sequence[LeakingStack], Path | None]:
        """The leaking stacks and the flamegraph; nothing where memray cannot run the scenario."""
        self._step("which stacks: under memray")
        backend, variant = self._subject
        folder = scratch("captures", f"{backend.name}-{variant.name}")
        shutil.rmtree(folder)
        environ = {**QUIET, CAPTURES_VARIABLE: str(folder)}
        record = self._laboratory.measure(
            self._subject,
            self._scenario,
            "heap",
            params=self._params(Attempt.STACKS),
            environ=environ,
        )
        if record.status is not Status.OK:
            return (), None
        stacks = leaking_stacks(folder, CAPTURED_SCANS)
        picture = flamegraph(capture_path(folder, 1), folder / "leaks.html") if stacks else None
        return stacks, picture

    def verdict(
        self, stacks: Sequence[LeakingStack] = (), *, exhausted: bool = False
    ) -> LeakVerdict:
        """On what was observed up to now."""
        return verdict(
            self.processes,
            self.longer,
            stacks=stacks,
            floor_bytes=self._effort.live_floor_bytes,
            exhausted=exhausted,
        )

    def observe(self, attempt: Attempt, scans: int, budget_seconds: float) -> LeakSeries:
        """One process of the scenario. Raises EndedBadlyError where it gave no sample."""
        record = self._laboratory.measure(
            self._subject,
            self._scenario,
            "proc_memory",
            repetitions=scans,
            params={**self._params(attempt), BUDGET_SECONDS: self._affordable(budget_seconds)},
            environ=QUIET,
        )
        return LeakSeries.of(_only_sample(record))

    def _affordable(self, budget_seconds: float) -> float:
        """A use of several readers takes as long as several, and no process may scan until it is killed."""
        return min(budget_seconds * scans_of(self._shape), self._most_seconds)

    def _params(self, attempt: Attempt) -> dict[str, Param]:
        return {ATTEMPT: attempt, SHAPE: self._shape, LEAST_USES: MIN_SCANS}


def _only_sample(record: Record) -> Sample:
    if record.status is not Status.OK:
        raise EndedBadlyError(f"{record.status}: {record.reason}")
    return record.samples[0]
