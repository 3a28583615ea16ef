"""A case: a public memory problem of a library, reproduced against the version that is installed.

A case is one file in `harness/firstbyte/cases/reported/`. It does what the report describes, in fresh
processes, and turns what it saw into one figure; two bounds say whether that figure means *still
there* or *fixed*, and between them it is *inconclusive*. Where a workaround is known it is run as
well: a case that does not call its own workaround fixed cannot tell, and says so.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Protocol, cast

from firstbyte.contracts import ContractError, conform, read_json
from firstbyte.errors import UnknownNameError

CASES = Path(__file__).with_name("reported")
AS_REPORTED = "as_reported"
WORKED_AROUND = "worked_around"
TIMEOUT_SECONDS = 300.0


class CaseOutcome(StrEnum):
    """What a case says of the installed version."""

    STILL_THERE = "still there"
    FIXED = "fixed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Signature:
    """How the figure is to be read; `fixed` and `still_there` are its bounds, in its own unit."""

    figure: str
    """What the figure is, with its unit."""
    fixed_at_most: float
    still_there_from: float

    def read(self, figure: float) -> CaseOutcome:
        """The outcome of one figure."""
        if figure <= self.fixed_at_most:
            return CaseOutcome.FIXED
        if figure >= self.still_there_from:
            return CaseOutcome.STILL_THERE
        return CaseOutcome.INCONCLUSIVE


class ReportedCase(Protocol):
    """The module of a case; its docstring is the mechanism."""

    LINKS: tuple[str, ...]
    DISTRIBUTION: str
    REPORTED: str
    """The versions in which it was seen."""
    ARMS: tuple[str, ...]
    """`as_reported`, `worked_around` where a workaround is known, and whatever else it compares."""
    SIGNATURE: Signature

    def run(self, arm: str, data: Path) -> dict[str, float]:
        """Do it, in a process of its own; `data` is a folder for files that can be made again."""
        ...

    def figure(self, arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
        """The figure of one arm, from what all arms returned."""
        ...


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case found."""

    name: str
    outcome: CaseOutcome
    version: str
    reason: str
    figure: float | None = None
    worked_around: float | None = None


def names() -> list[str]:
    """The cases there are."""
    return sorted(path.stem for path in CASES.glob("[!_]*.py"))


def load(name: str) -> ReportedCase:
    """The case of that name. Raises UnknownNameError."""
    if name not in names():
        raise UnknownNameError("case", name, names())
    return cast(ReportedCase, importlib.import_module(f"firstbyte.cases.reported.{name}"))


def reproduce(name: str, module: str, case: ReportedCase, data: Path) -> CaseResult:
    """Run all arms of a case and judge it. `module` is its import name."""
    try:
        version = metadata.version(case.DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return CaseResult(name, CaseOutcome.SKIPPED, "-", f"{case.DISTRIBUTION} is not installed")
    arms: dict[str, dict[str, float]] = {}
    for arm in case.ARMS:
        found, trouble = run_arm(module, arm, data)
        if found is None:
            return CaseResult(name, CaseOutcome.INCONCLUSIVE, version, f"{arm}: {trouble}")
        arms[arm] = found
    return judge(name, version, case, arms)


def judge(
    name: str, version: str, case: ReportedCase, arms: Mapping[str, Mapping[str, float]]
) -> CaseResult:
    """The result from what the arms returned; INCONCLUSIVE where the workaround looks no better."""
    figure = case.figure(arms, AS_REPORTED)
    outcome = case.SIGNATURE.read(figure)
    if WORKED_AROUND not in case.ARMS:
        return CaseResult(name, outcome, version, "", figure)
    control = case.figure(arms, WORKED_AROUND)
    reason = ""
    if case.SIGNATURE.read(control) is not CaseOutcome.FIXED:
        outcome = CaseOutcome.INCONCLUSIVE
        reason = "its own workaround does not look fixed here, so the case cannot tell"
    return CaseResult(name, outcome, version, reason, figure, control)


def _environ() -> dict[str, str]:
    """This process's environment, with its import path: the child must find the same modules."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run_arm(module: str, arm: str, data: Path) -> tuple[dict[str, float] | None, str]:
    """What one arm returned in a fresh process, or None and why."""
    command = [sys.executable, "-m", "firstbyte.cases.arm", module, arm, str(data)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=_environ(),
        )
    except subprocess.TimeoutExpired:
        return None, f"no end after {TIMEOUT_SECONDS:.0f} s"
    if done.returncode < 0:
        return None, f"killed by signal {-done.returncode}"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return None, last[0]
    try:
        return conform(read_json(done.stdout), dict[str, float]), ""
    except ContractError as error:
        return None, f"the arm gave no figures: {error}"
