"""What a self-check of the gate found on a host: kept on disk, shown with every verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firstbyte.contracts import Document
from firstbyte.errors import HarnessError
from firstbyte.gate.result import NOT_SELF_CHECKED
from firstbyte.selfcheck import keeping
from firstbyte.whole import write_whole

NAME = "gate"
SCHEMA = 3
"""Version of the file. What 1 and 2 lack cannot be made up: such a host is checked again."""
MOST_ALARMS = 0.001
"""False alarms a gate that the 95% bound of the simulation must not exceed."""
FOUND_SHARE: Mapping[str, float] = {"busy +5%": 0.95, "sleep +5%": 0.95}
"""Least share of the cases in which a planted change must be found; all of them for the others."""


@dataclass(frozen=True, slots=True)
class MetricPower:
    """How often a change of one metric is found, as proportions of simulated gates."""

    metric: str
    effect: float
    found: float
    found_low: float
    """Lower end of the exact 95% interval."""
    inconclusive: float
    pairs: int


@dataclass(frozen=True, slots=True)
class PlantedResult:
    """Real gates with a planted change: in how many of its cases it was found."""

    name: str
    found: int
    cases: int
    gates: int
    changes: tuple[float, ...] = ()
    """Relative change of the metric that moved most, where it was found: a fault costs what follows
    it too, so this says what there was to find."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What was found while the machine was used in one way."""

    name: str
    metrics: int
    """Metrics of a gate, of all kinds."""
    gates: int
    """Simulated ones."""
    alarms: int
    alarm_bound: float
    """Upper end of the exact 95% interval of false alarms a simulated gate."""
    real_gates: int
    real_alarms: int
    real_inconclusive: int
    gate_seconds: float
    """Median duration of a real gate in which nothing changed."""
    replayed: int
    replayed_alarms: int
    powers: tuple[MetricPower, ...]
    planted: tuple[PlantedResult, ...]
    pairs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Log ratios of the unchanged pairs, by case and metric: what was simulated can be redone."""

    @property
    def effects(self) -> list[float]:
        """The changes whose power was simulated, rising."""
        return sorted({one.effect for one in self.powers})

    def worst(self, effect: float) -> MetricPower:
        """The metric in which a change of that size is found least often. Raises ValueError."""
        return min((one for one in self.powers if one.effect == effect), key=lambda one: one.found)

    def typical(self, effect: float) -> float:
        """How often a change of that size is found in the metric in the middle."""
        found = sorted(one.found for one in self.powers if one.effect == effect)
        return found[len(found) // 2]

    @property
    def passes(self) -> bool:
        """Nothing unchanged was called worse, neither in real gates nor in replayed ones, simulated
        false alarms are surely at most MOST_ALARMS a gate, and what was planted was found as often
        as promised."""
        found = all(one.found >= FOUND_SHARE.get(one.name, 1.0) * one.cases for one in self.planted)
        quiet = self.real_alarms == self.replayed_alarms == 0 and self.alarm_bound <= MOST_ALARMS
        return quiet and found

    @property
    def summary(self) -> str:
        """One clause for a verdict's foot."""
        worst = [
            f"{effect:+.0%} found in at least {self.worst(effect).found:.1%}"
            for effect in self.effects
        ]
        return (
            f"{self.name}: {self.alarms} false alarms in {self.gates:,} simulated gates of"
            f" {self.metrics} metrics (95% bound {self.alarm_bound:.2g} a gate), {self.real_alarms}"
            f" in {self.real_gates} real ones; {', '.join(worst)} (worst metric)"
        )


@dataclass(frozen=True, slots=True)
class GateCertificate:
    """What a self-check found on a host."""

    made: str
    host: Mapping[str, Any]
    corpus: str
    conditions: tuple[Condition, ...]
    schema: int = SCHEMA

    @property
    def passes(self) -> bool:
        """Whether the gate may be relied on here, under every condition that was tried."""
        return bool(self.conditions) and all(one.passes for one in self.conditions)

    @property
    def summary(self) -> str:
        """One line that is shown with every verdict."""
        said = "; ".join(one.summary for one in self.conditions)
        return f"{said}; this host, {self.made[:10]}"

    def save(self, path: Path) -> None:
        """Write it as JSON, in one step."""
        write_whole(path, json.dumps(asdict(self), indent=1) + "\n")


DOCUMENT = Document(
    GateCertificate, SCHEMA, HarnessError, remedy="remove it and run `firstbyte selfcheck gate`"
)


def certificate_path() -> Path:
    """Where the gate's certificate of this host is kept."""
    return keeping.path_of(NAME)


def of_host(host: Mapping[str, Any]) -> str:
    """The line for a gate's result: what the self-check on that host said, or that there is none.

    One that cannot be read is said to be so: nobody asked for it, and hours of measuring must not end
    with it.
    """
    found = keeping.find(NAME, DOCUMENT, host)
    if found.certificate:
        return found.certificate.summary
    return f"{NOT_SELF_CHECKED} ({found.instead})" if found.instead else NOT_SELF_CHECKED
