"""Fakes behind the gate's own seams: sides that give scripted figures, no process anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from firstbyte.engine.plan import Planned
from firstbyte.engine.registry import BackendInfo, InstrumentInfo, ScenarioInfo, Variant
from firstbyte.gate.cases import Case, name_of
from firstbyte.gate.metrics import GATED_METRICS
from firstbyte.gate.observe import Observation
from firstbyte.gate.policy import Policy
from firstbyte.gate.run import GateRun
from firstbyte.model import Cell, Limits, Status


def case(instrument: str = "clock", backend: str = "fake", scenario: str = "full_scan") -> Case:
    """A case of a backend that does not exist."""
    variant = Variant("plain", "", True, True, {})
    info = BackendInfo(
        backend, "Python", "none", "", Path(), "none", None, "", frozenset({"scan"}), (variant,)
    )
    cell = Cell(
        scenario, backend, "plain", "gate", "mt", {}, instrument, 1, 6, Limits(10.0, 1 << 30)
    )
    planned = Planned(
        cell,
        info,
        variant,
        ScenarioInfo(scenario, Path(), "none"),
        InstrumentInfo(instrument, Path(), "none"),
        0,
    )
    return Case(name_of(cell), planned, warm_up=instrument == "clock")


def timed(cpu_ns: float, wall_ns: float | None = None, wait_ns: float | None = 0.0) -> Observation:
    """A process of the clock, single-threaded unless the wall is shorter."""
    wall = cpu_ns if wall_ns is None else wall_ns
    figures = {"cpu_ns": cpu_ns, ("wall_ns" if wait_ns is None else "net_wall_ns"): wall}
    return Observation(
        Status.OK, "", figures, {"fake": "1"}, 5 * wall, 5 * cpu_ns, wait_ns, seconds=1.0
    )


def failed(status: Status, reason: str = "planted") -> Observation:
    return Observation(status, reason, seconds=1.0)


class FakeSide:
    """A side that gives what `script(case, how many times asked)` says."""

    def __init__(
        self, label: str, script: Callable[[Case, int], Observation], hidden: str = ""
    ) -> None:
        self._hidden = hidden
        self.label = label
        self.asked: list[str] = []
        self._script = script

    def hidden(self, _asked: Case) -> str:
        return self._hidden

    def observe(self, asked: Case) -> Observation:
        self.asked.append(asked.name)
        return self._script(asked, self.asked.count(asked.name))


def constant(label: str, observation: Observation) -> FakeSide:
    return FakeSide(label, lambda _case, _number: observation)


def gate(
    base: FakeSide, head: FakeSide, cases: Sequence[Case] | None = None, **options: Any
) -> GateRun:
    return GateRun(
        base,
        head,
        [case()] if cases is None else cases,
        tuple(GATED_METRICS.values()),
        options.pop("policy", Policy()),
        **options,
    )


def ticking(step_seconds: float) -> Callable[[], float]:
    """A clock that moves on by a step each time that it is read."""

    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += step_seconds

    source = ticks()
    return lambda: next(source)
