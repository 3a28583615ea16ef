"""From the axes that a user named to the cells that will run, and those that are skipped and why."""

from __future__ import annotations

import hashlib
import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from firstbyte.api import ALL, NORMALISED, POOL, Repetitions
from firstbyte.engine.registry import (
    BackendInfo,
    Catalogue,
    Chosen,
    InstrumentInfo,
    ScenarioInfo,
    Variant,
)
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.model import Cell, CellKey, Environment, Limits, Param

PROFILES = ("quick", "full")
DEFAULT_LIMITS = Limits(timeout_s=120.0, memory_bytes=8_000_000_000)


@dataclass(frozen=True, slots=True)
class Axes:
    """What to run. An empty axis means everything that there is."""

    scenarios: Sequence[str] = ()
    backends: Sequence[str] = ()
    """`name` or `name:variant`."""
    instruments: Sequence[str] = ()
    corpora: Sequence[str] = ()
    params: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Parameter -> values to keep, as text."""
    profile: str = "quick"
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell with what it takes to run it, or with the reason why it will not be run."""

    cell: Cell
    backend: BackendInfo
    variant: Variant
    scenario: ScenarioInfo
    instrument: InstrumentInfo
    warmup_processes: int
    skipped: str = ""
    cold: bool = False
    """Whether the start of the process is part of what is timed."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What its parameters ask of the environment of its measuring workers."""
        return self.backend.normalised if self.cell.params.get(POOL) == NORMALISED else {}


@dataclass(frozen=True, slots=True)
class Plan:
    """Cells in the order in which they run: backends next to each other, so that drift hits all alike."""

    cells: tuple[Planned, ...]

    @property
    def fingerprint(self) -> str:
        """Identity of the plan: two commands with the same cells have the same one."""
        text = "\n".join(
            f"{planned.cell.key} {planned.cell.processes}x{planned.cell.repetitions}"
            for planned in self.cells
        )
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def make_plan(catalogue: Catalogue, axes: Axes, environment: Environment) -> Plan:
    """The product of the axes. Raises UnknownNameError for any name that does not exist.

    Raises HarnessError where nothing is left to run.
    """
    names = dict.fromkeys(axes.scenarios or catalogue.scenarios)
    scenarios = sorted(map(catalogue.scenario, names), key=lambda one: (one.module.ORDER, one.name))
    backends = _chosen_backends(catalogue, axes.backends)
    known_instruments = {i for s in catalogue.scenarios.values() for i in s.module.INSTRUMENTS}
    for instrument in axes.instruments:
        if instrument not in known_instruments:
            raise UnknownNameError("instrument", instrument, known_instruments)
    _check_params(scenarios, axes.params)
    candidates = [
        _planned(scenario, backend, variant, environment, corpus, params, instrument, axes)
        for corpus in dict.fromkeys(axes.corpora)
        for scenario in scenarios
        for instrument in scenario.module.INSTRUMENTS
        if not axes.instruments or instrument in axes.instruments
        for params in _param_sets(scenario, axes.params)
        for backend, variant in backends
        if axes.backends or _in_profile(scenario, backend, variant, axes.profile)
    ]
    cells = tuple(planned for planned in candidates if planned.cell.processes)
    if not cells:
        raise HarnessError(
            "nothing to run: no chosen scenario has the chosen instruments and parameters "
            "in this profile; `firstbyte list` shows what there is, --full runs all of it"
        )
    return Plan(cells)


def estimate_seconds(plan: Plan, history: Iterable[tuple[Cell, float]]) -> list[float | None]:
    """What each cell will take, from what it, or its like, took before; None where nothing is known.

    `history` holds cells and the seconds that each took, oldest first.

    The same cell first, else the median of its scenario and instrument for the same backend, else
    of its scenario and instrument for all. Durations are scaled by the number of processes.
    """
    exact: dict[CellKey, float] = {}
    like: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell, seconds in history:
        per_process = seconds / max(1, cell.processes)
        exact[cell.key] = per_process
        like[cell.scenario, cell.instrument, cell.backend].append(per_process)
        like[cell.scenario, cell.instrument].append(per_process)
    estimates: list[float | None] = []
    for planned in plan.cells:
        cell = planned.cell
        known = (
            [exact[cell.key]]
            if cell.key in exact
            else like.get((cell.scenario, cell.instrument, cell.backend))
            or like.get((cell.scenario, cell.instrument))
        )
        if planned.skipped:
            estimates.append(0.0)
        else:
            estimates.append(statistics.median(known) * cell.processes if known else None)
    return estimates


def _chosen_backends(catalogue: Catalogue, chosen: Sequence[str]) -> list[Chosen]:
    found = [one for text in chosen or catalogue.backends for one in catalogue.variants(text)]
    return list({one.subject: one for one in found}.values())


def _in_profile(
    scenario: ScenarioInfo, backend: BackendInfo, variant: Variant, profile: str
) -> bool:
    """Whether the profile runs this variant where the user names none."""
    if profile == "full":
        return True
    if scenario.module.QUICK_VARIANTS == ALL:
        return not variant.full_only
    return variant.default or variant.best


def _check_params(scenarios: Sequence[ScenarioInfo], wanted: Mapping[str, Sequence[str]]) -> None:
    for name, values in wanted.items():
        allowed = {str(v) for s in scenarios for v in s.module.GRID.get(name, ())}
        if not allowed:
            raise UnknownNameError("parameter", name, {p for s in scenarios for p in s.module.GRID})
        for value in values:
            if value not in allowed:
                raise UnknownNameError(f"value of parameter {name}", value, allowed)


def _param_sets(
    scenario: ScenarioInfo, wanted: Mapping[str, Sequence[str]]
) -> list[dict[str, Param]]:
    grid = scenario.module.GRID
    axes = [
        [value for value in values if name not in wanted or str(value) in wanted[name]]
        for name, values in grid.items()
    ]
    return [dict(zip(grid, point, strict=True)) for point in itertools.product(*axes)]


def _planned(
    scenario: ScenarioInfo,
    backend: BackendInfo,
    variant: Variant,
    environment: Environment,
    corpus: str,
    params: dict[str, Param],
    instrument: str,
    axes: Axes,
) -> Planned:
    repetitions: Repetitions = scenario.module.repetitions(params, instrument, axes.profile)
    cell = Cell(
        scenario=scenario.name,
        backend=backend.name,
        variant=variant.name,
        environment=environment.name,
        corpus=corpus,
        params=params,
        instrument=instrument,
        processes=repetitions.processes,
        repetitions=repetitions.per_process,
        limits=axes.limits,
    )
    missing = scenario.module.needs(params) - backend.capabilities
    skipped = backend.unavailable or (
        f"{backend.name} does not declare: {', '.join(sorted(missing))}" if missing else ""
    )
    return Planned(
        cell,
        backend,
        variant,
        scenario,
        scenario.instrument(instrument),
        repetitions.warmup_processes,
        skipped,
        repetitions.cold,
    )
