"""What a gate looks at: the cells of a plan, one process at a time, on one corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from firstbyte.api import Purpose
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.plan import Axes, Planned, make_plan
from firstbyte.engine.registry import Catalogue, ScenarioInfo
from firstbyte.errors import UnknownNameError
from firstbyte.gate.metrics import GATED_METRICS, GatedMetric, MetricKind, gated_metric
from firstbyte.gate.policy import Policy, check_names
from firstbyte.model import Cell, Environment, Limits, Subject
from firstbyte.worker.leak_series import BUDGET_SECONDS

TIMED_SAMPLES = 6
"""One warm-up and five that count, in each process."""
SCANS = 100
"""Repeated scans in a process whose slope is gated; the first third is dropped."""
SCANS_BUDGET_SECONDS = 30.0
"""Repeated scans stop after this long; a reader that slow has no slope to gate."""
DEFAULT_CORPUS = "mt"
"""Made on the spot and the same everywhere: a gate must not depend on a network."""
LIMITS = Limits(timeout_s=180.0, memory_bytes=8_000_000_000)

TRACER = "heap"

INSTRUMENTS: Mapping[MetricKind, tuple[str, ...]] = {
    MetricKind.TIME: ("clock",),
    MetricKind.MEMORY: ("proc_memory",),
    MetricKind.SIZE: ("heap", "proc_memory"),
    MetricKind.GROWTH: ("proc_memory",),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One cell that both sides run, process by process."""

    name: str
    planned: Planned
    warm_up: bool
    """Whether a process's first sample is a warm-up."""
    grows: bool = False
    """Whether a process gives the series from which slopes are made."""
    threaded: bool = False
    """Whether more than the calling thread was seen at work."""

    @property
    def timed(self) -> bool:
        """Whether its figures are times."""
        return self.planned.cell.instrument in INSTRUMENTS[MetricKind.TIME]

    @property
    def takes_turns(self) -> bool:
        """Whether a process has several spans, which can alternate with those of another."""
        return self.warm_up

    @property
    def traced(self) -> bool:
        """Whether its figures are those of the heap tracer."""
        return self.planned.cell.instrument == TRACER

    def tuned(self, *, samples: int, threaded: bool) -> Case:
        """The same case with another number of samples in each process, and what was seen of it."""
        cell = replace(self.planned.cell, repetitions=samples)
        return replace(self, planned=replace(self.planned, cell=cell), threaded=threaded)

    @property
    def scenario(self) -> str:
        return self.planned.cell.scenario

    @property
    def subject(self) -> Subject:
        return self.planned.cell.subject


def chosen_metrics(names: Sequence[str]) -> tuple[GatedMetric, ...]:
    """The metrics of those names, or all. Raises UnknownNameError."""
    return tuple(gated_metric(name) for name in names) or tuple(GATED_METRICS.values())


def cases(
    catalogue: Catalogue, policy: Policy, manifest: Manifest, kinds: Iterable[MetricKind]
) -> tuple[Case, ...]:
    """The cells of the policy's scenarios, backends and parameters that can give those kinds.

    Raises UnknownNameError for a name that does not exist, HarnessError where nothing is left.
    """
    check_names(policy, catalogue)
    wanted = {instrument for kind in kinds for instrument in INSTRUMENTS[kind]}
    scenarios = [catalogue.scenario(name) for name in policy.scenarios or catalogue.scenarios]
    offered = {name for scenario in scenarios for name in scenario.module.INSTRUMENTS}
    axes = Axes(
        scenarios=policy.scenarios,
        backends=policy.backends,
        instruments=sorted(wanted & offered) or sorted(wanted),
        corpora=(manifest.spec,),
        params=_params(catalogue, scenarios, policy.params),
        limits=LIMITS,
    )
    plan = make_plan(catalogue, axes, Environment("gate", "", ""))
    return tuple(_case(planned) for planned in plan.cells)


def name_of(cell: Cell) -> str:
    """Identity of a case: the cell without its environment, of which a gate has two."""
    return str(cell.key.anywhere)


def _params(
    catalogue: Catalogue, chosen: Sequence[ScenarioInfo], params: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The parameters that the chosen scenarios have; the policy may name those of others."""
    known = {name for info in catalogue.scenarios.values() for name in info.module.GRID}
    for name in params:
        if name not in known:
            raise UnknownNameError("parameter", name, known)
    own = {name for info in chosen for name in info.module.GRID}
    return {name: values for name, values in params.items() if name in own}


def _case(planned: Planned) -> Case:
    cold = planned.cold
    cell = planned.cell
    grows = (
        cell.instrument in INSTRUMENTS[MetricKind.GROWTH]
        and planned.scenario.purpose is Purpose.LEAKS
    )
    # Where the cold start itself is measured, a process has one sample to give.
    samples = TIMED_SAMPLES if cell.instrument == "clock" and not cold else 1
    if grows:
        samples = SCANS
        cell = replace(cell, params={**cell.params, BUDGET_SECONDS: SCANS_BUDGET_SECONDS})
    gated = replace(cell, processes=1, repetitions=samples)
    return Case(
        name=name_of(cell),
        planned=replace(planned, cell=gated, warmup_processes=0),
        warm_up=cell.instrument == "clock" and not cold,
        grows=grows,
    )
