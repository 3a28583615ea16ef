"""One process of one side: run it, check what it delivered, and take its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from harness.analysis.gate_trials import Figure
from harness.corpora.manifest import Manifest
from harness.execute import Executor
from harness.gate.cases import Case
from harness.gate.figures import WAIT, figures
from harness.gate.sides import Side
from harness.judge import judge
from harness.launch import Outcome
from harness.memory.laboratory import QUIET, environment
from harness.model import Status
from harness.order import MEASURE
from harness.plan import Planned

RESIDENT = "peak_rss_anon_above_base_bytes"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one process of one side gave."""

    status: Status
    reason: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_ns: float = 0.0
    cpu_ns: float = 0.0
    wait_ns: float | None = None
    """Sums over the process's timed samples; the wait is None where the kernel keeps none."""
    resident_growth_bytes: float | None = None
    """Peak RssAnon above its base, where the instrument says so."""
    seconds: float = 0.0
    """What the whole process took, verification included."""


class Observer(Protocol):
    """A side as the gate sees it: something that can be asked for one more process of a case."""

    @property
    def label(self) -> str: ...

    def observe(self, case: Case) -> Observation: ...


class LiveSide:
    """A side whose processes are run. The first of each case is verified in full."""

    def __init__(
        self,
        side: Side,
        manifest: Manifest,
        prepared: Path,
        memory_environment: Mapping[str, str] | None = None,
    ) -> None:
        """`memory_environment` is set for the workers of all instruments but the clock."""
        self._side = side
        self._manifest = manifest
        self._executor = Executor(
            run_id=f"gate-{side.environment.name}",
            environment=side.environment,
            roots=side.roots,
            manifests={manifest.spec: manifest},
            prepared_root=prepared / side.key / manifest.folder.name,
        )
        self._memory_environment = dict(memory_environment or {})
        self._verified: dict[str, Outcome] = {}

    @property
    def label(self) -> str:
        return self._side.label

    def observe(self, case: Case) -> Observation:
        """Run one process. Anything that goes wrong in it is a status, not an exception."""
        planned = self._own(case.planned)
        if planned.skipped:
            return Observation(Status.SKIPPED, planned.skipped)
        with environment(self._variables(planned)):
            outcome = self._process(case.name, planned)
        status, reason = self._judge(case.name, outcome)
        if status is not Status.OK:
            return Observation(
                status, reason, versions=outcome.versions, seconds=outcome.duration_s
            )
        self._verified.setdefault(case.name, outcome)
        timed = outcome.samples[1:] if case.warm_up else outcome.samples
        waits = [sample.values.get(WAIT) for sample in timed]
        known = [wait for wait in waits if wait is not None]
        return Observation(
            status=status,
            reason=reason,
            figures=figures(outcome.samples, warm_up=case.warm_up),
            versions=outcome.versions,
            wall_ns=sum(sample.values.get("wall_ns", 0.0) for sample in timed),
            cpu_ns=sum(sample.values.get("cpu_ns", 0.0) for sample in timed),
            wait_ns=sum(known) if len(known) == len(waits) else None,
            resident_growth_bytes=max(
                (sample.values[RESIDENT] for sample in timed if RESIDENT in sample.values),
                default=None,
            ),
            seconds=outcome.duration_s,
        )

    def _variables(self, planned: Planned) -> dict[str, str]:
        if planned.cell.instrument == "clock":
            return {}
        # Without glibc's per-thread caches live bytes are exact, so that a slope means a leak.
        quiet = QUIET if planned.cell.repetitions > 1 else {}
        return {**quiet, **self._memory_environment}

    def _own(self, planned: Planned) -> Planned:
        """The same cell as this side describes and installs it: its options, its libraries."""
        cell = replace(planned.cell, environment=self._side.environment.name)
        backend = self._side.backends.get(cell.backend)
        if backend is None:
            return replace(
                planned, cell=cell, skipped=f"{self.label} has no backend {cell.backend}"
            )
        variants = [one for one in backend.variants if one.name == cell.variant]
        if not variants:
            skipped = f"{cell.backend} of {self.label} has no variant {cell.variant}"
            return replace(planned, cell=cell, skipped=skipped)
        missing = planned.scenario.module.needs(cell.params) - backend.capabilities
        skipped = (
            f"{cell.backend} does not declare: {', '.join(sorted(missing))}" if missing else ""
        )
        distribution = backend.distribution
        if distribution and _normal(distribution) not in map(_normal, self._side.versions):
            skipped = f"{distribution} is not installed: {backend.install}"
        return replace(planned, cell=cell, backend=backend, variant=variants[0], skipped=skipped)

    def _process(self, name: str, planned: Planned) -> Outcome:
        preparation = self._executor.prepare(planned)
        if preparation.status is not Status.OK:
            reason = f"while preparing the corpus: {preparation.reason}"
            return replace(preparation, reason=reason)
        order = self._executor.order(planned, MEASURE, preparation.prepared)
        # Digests cost a scan of their own, so only the first process of a case makes them.
        order = replace(order, final_process=name not in self._verified)
        return self._executor.launcher(order, self._executor.environment, self._side.roots)

    def _judge(self, name: str, outcome: Outcome) -> tuple[Status, str]:
        if outcome.status is not Status.OK:
            return outcome.status, outcome.reason
        verified = self._verified.get(name)
        return judge([verified, outcome] if verified else [outcome], self._manifest)


def _normal(distribution: str) -> str:
    """The name as PyPA compares names: case, dots, dashes and underscores do not count."""
    return distribution.lower().replace("_", "-").replace(".", "-")
