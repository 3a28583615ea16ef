"""Processes of a side: run one, or a pair in turns, check what was delivered, and take the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.cells import Engine
from firstbyte.engine.launch import Outcome
from firstbyte.engine.plan import Planned
from firstbyte.engine.registry import discover
from firstbyte.gate.cases import Case, name_of
from firstbyte.gate.figures import figures, growth, spans
from firstbyte.gate.metrics import GATED_METRICS, MetricKind
from firstbyte.gate.sides import Side
from firstbyte.gate.trials import GateFigure
from firstbyte.model import Sample, Status, Subject
from firstbyte.visibility.certificates import allocator_names, certificate, certifying
from firstbyte.visibility.rule import Sight
from firstbyte.worker.instruments.clock import CPU, WAIT, WALL
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.quiet import QUIET
from firstbyte.worker.turns import Turns, make_turns


@dataclass(frozen=True, slots=True)
class Observation:
    """What one process of one side gave."""

    status: Status
    reason: str
    figures: Mapping[str, GateFigure] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_ns: float = 0.0
    cpu_ns: float = 0.0
    wait_ns: float | None = None
    """Sums over the process's timed samples; the wait is None where the kernel keeps none."""
    seconds: float = 0.0
    """What the whole process took, verification included."""
    spans: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Gated times, span by span in the order of measurement."""


class GateSide(Protocol):
    """A side as the gate sees it: something that can be asked for one more process of a case."""

    @property
    def label(self) -> str: ...

    def observe(self, case: Case) -> Observation: ...

    def hidden(self, case: Case) -> str:
        """Why what the heap tracer says of the case's backend must not be used; empty where it may."""
        ...


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
        self._engine = Engine(
            run_id=f"gate-{side.environment.name}",
            environment=side.environment,
            plugin_roots=side.roots,
            manifests={manifest.spec: manifest},
            prepared_root=prepared / side.key / manifest.folder.name,
        )
        self._memory_environment = dict(memory_environment or {})
        self._verified: dict[str, Outcome] = {}
        self._hidden: dict[Subject, str] = {}

    @property
    def label(self) -> str:
        return self._side.label

    def observe(self, case: Case) -> Observation:
        """Run one process. Anything that goes wrong in it is a status, not an exception."""
        return self._take(case, self._process(case))

    def observe_together(
        self, other: LiveSide, case: Case, core: int | None
    ) -> tuple[Observation, Observation]:
        """Run a process of this side and one of the other at the same time.

        Where the case takes turns, so do their spans; this side measures first, and both keep to
        `core`, unless that is None. Where one of them cannot be started, the other runs alone.
        """
        sides = (self, other)
        # One after the other, and before anything waits for a turn.
        if not all(side._ready(case) for side in sides):
            return self.observe(case), other.observe(case)
        turns = make_turns(core) if case.takes_turns else (None, None)
        with ThreadPoolExecutor(2) as threads:
            mine, others = threads.map(LiveSide._process, sides, (case, case), turns)
        return self._take(case, mine), other._take(case, others)

    def hidden(self, case: Case) -> str:
        """Why the instrument's figures of the case's backend are withheld, by the scenario that certifies it.

        A process of its own, once for each backend and variant.
        """
        if case.subject not in self._hidden:
            self._hidden[case.subject] = self._find_hidden(case)
        return self._hidden[case.subject]

    def _find_hidden(self, case: Case) -> str:
        instrument = case.planned.cell.instrument
        known = certifying(discover(), instrument)
        if not known:
            return f"no scenario here certifies {instrument}"
        scenario = known[0]
        cell = replace(case.planned.cell, scenario=scenario.name, params={}, repetitions=1)
        planned = replace(case.planned, cell=cell, scenario=scenario)
        outcome = self._process(Case(name_of(cell), planned, warm_up=False))
        if outcome.status is not Status.OK:
            return f"`{scenario.name}` is {outcome.status}: {outcome.reason}"
        hints = allocator_names(planned.backend.distribution)
        made = certificate(scenario, outcome.samples[0].values, hints)
        return "" if made.verdict is Sight.SEEN else made.reason

    def _ready(self, case: Case) -> bool:
        """Whether a process of the case can be started; its corpus is prepared then."""
        return self._engine.ready(self._own(case.planned)).status is Status.OK

    def _process(self, case: Case, turns: Turns | None = None) -> Outcome:
        planned = self._own(case.planned)
        # Digests cost a scan of their own, so only the first process of a case makes them.
        final = case.name not in self._verified
        variables = self._variables(case)
        return self._engine.process(planned, final=final, variables=variables, turns=turns)

    def _take(self, case: Case, outcome: Outcome) -> Observation:
        """What a process gave, once it was judged."""
        status, reason = self._judge(case, outcome)
        if status is not Status.OK:
            return Observation(
                status, reason, versions=outcome.versions, seconds=outcome.duration_s
            )
        self._verified.setdefault(case.name, outcome)
        timed = outcome.samples[1:] if case.warm_up else outcome.samples
        waits = [sample.values.get(WAIT.name) for sample in timed]
        known = [wait for wait in waits if wait is not None]
        return Observation(
            status=status,
            reason=reason,
            figures=_all_figures(case, outcome.samples),
            spans=spans(outcome.samples, warm_up=case.warm_up),
            versions=outcome.versions,
            wall_ns=sum(sample.values.get(WALL.name, 0.0) for sample in timed),
            cpu_ns=sum(sample.values.get(CPU.name, 0.0) for sample in timed),
            wait_ns=sum(known) if len(known) == len(waits) else None,
            seconds=outcome.duration_s,
        )

    def _variables(self, case: Case) -> dict[str, str]:
        if case.timed:
            return {}
        # Without glibc's per-thread caches live bytes are exact, so that a slope means a leak; and memray
        # sees Python's objects where they come from malloc.
        quiet = QUIET if case.grows or case.traced else {}
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
        skipped = backend.unavailable_in(self._side.versions) or (
            f"{cell.backend} does not declare: {', '.join(sorted(missing))}" if missing else ""
        )
        return replace(planned, cell=cell, backend=backend, variant=variants[0], skipped=skipped)

    def _judge(self, case: Case, outcome: Outcome) -> tuple[Status, str]:
        if outcome.status is not Status.OK:
            return outcome.status, outcome.reason
        verified = self._verified.get(case.name)
        outcomes = [verified, outcome] if verified else [outcome]
        return self._engine.judged(self._own(case.planned), outcomes)


def _all_figures(case: Case, samples: Sequence[Sample]) -> dict[str, GateFigure]:
    """Of repeated scans only what they are there for: peaks are a matter of single ones, which are short."""
    found = figures(samples, warm_up=case.warm_up)
    if not (case.grows and samples):
        return found
    memory = {name for name in found if GATED_METRICS[name].kind is MetricKind.MEMORY}
    single = {name: figure for name, figure in found.items() if name not in memory}
    return single | growth(LeakSeries.of(samples[-1]))
