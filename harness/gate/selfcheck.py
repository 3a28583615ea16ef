"""The gate checks itself on this machine: how often it alarms for nothing, and what it finds.

Unchanged pairs (both sides the same program, both wrapped alike) are recorded for every case; the
gate's own rule is then replayed on them, whole gates at a time, unchanged and with a change added.
Real planted changes (a busy loop, a sleep, held bytes, a leak) go through whole real gates.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import ceil, log
from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis.gate import overall
from harness.analysis.gate_metrics import GATED_METRICS, GatedMetric, Kind
from harness.analysis.gate_simulation import Rate, false_alarms, power, replay
from harness.analysis.gate_trials import Figure, Outcome, PairedRule
from harness.corpora.manifest import Manifest
from harness.environment import differences, host
from harness.errors import HarnessError
from harness.gate.cases import INSTRUMENTS, Case
from harness.gate.observe import LiveSide
from harness.gate.planted import Fault
from harness.gate.policy import Policy
from harness.gate.result import NOT_SELF_CHECKED
from harness.gate.run import TRACED_PEAK, TRACER, GateRun
from harness.gate.sides import Side

EFFECTS = (0.02, 0.05, 0.10)
SIMULATED_METRICS = 40
SIMULATED_GATES = 20_000
SIMULATION_SECONDS = 180.0
CHUNK_GATES = 500
POWER_GATES = 300
HELD = "held +1% of peak"
SCHEMA = 1
MOST_ALARMS = 0.001
"""False alarms a gate that the 95% bound of the simulation must not exceed."""
FOUND_SHARE: Mapping[str, float] = {"busy +5%": 0.95, "sleep +5%": 0.95}
"""Least share of the cases in which a planted change must be found; all of them for the others."""

PLANTED: Mapping[str, tuple[Kind, Fault]] = {
    "busy +5%": (Kind.TIME, Fault(busy=0.05)),
    "sleep +5%": (Kind.TIME, Fault(sleep=0.05)),
    "busy +10%": (Kind.TIME, Fault(busy=0.10)),
    "leak 4 KiB/scan": (Kind.GROWTH, Fault(leaked_bytes=4096)),
}
"""What is planted in real gates, and the kind of metric that must find it."""


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


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a self-check found on a host."""

    made: str
    host: Mapping[str, Any]
    corpus: str
    metrics: int
    gates: int
    alarms: int
    alarm_bound: float
    """Upper end of the exact 95% interval of false alarms a gate."""
    real_gates: int
    real_alarms: int
    replayed: int
    replayed_alarms: int
    powers: tuple[MetricPower, ...]
    planted: tuple[PlantedResult, ...]
    pairs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Log ratios of the unchanged pairs, by case and metric: what was simulated can be redone."""
    schema: int = SCHEMA

    @property
    def summary(self) -> str:
        """One line that is shown with every verdict."""
        worst = [
            f"{effect:+.0%} found in at least {min(one.found for one in ones):.1%}"
            for effect in EFFECTS
            if (ones := [one for one in self.powers if one.effect == effect])
        ]
        return (
            f"{self.alarms} false alarms in {self.gates:,} simulated gates of {self.metrics} metrics"
            f" (95% bound {self.alarm_bound:.2g} a gate), {self.real_alarms} in {self.real_gates}"
            f" real ones; {', '.join(worst)} (worst metric); this host, {self.made[:10]}"
        )

    def save(self, path: Path) -> None:
        """Write it as JSON, in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)


def certificate_passes(made: Certificate) -> bool:
    """Whether the gate may be relied on here.

    Nothing unchanged was called worse, neither in real gates nor in replayed ones, simulated false
    alarms are surely at most MOST_ALARMS a gate, and what was planted was found as often as promised.
    """
    found = all(one.found >= FOUND_SHARE.get(one.name, 1.0) * one.cases for one in made.planted)
    quiet = made.real_alarms == made.replayed_alarms == 0 and made.alarm_bound <= MOST_ALARMS
    return quiet and found


def load_certificate(path: Path) -> Certificate | None:
    """The stored certificate, or None where there is none. Raises HarnessError for a damaged one."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw["powers"] = tuple(MetricPower(**one) for one in raw["powers"])
        raw["planted"] = tuple(PlantedResult(**one) for one in raw["planted"])
        return Certificate(**raw)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{path} is damaged ({error}): remove it and run `firstbyte gate --self-check`"
        ) from error


def certificate_text(path: Path, of: Mapping[str, Any] | None = None) -> str:
    """The line for a gate's result: what the self-check on a host said, or that there is none.

    The host is this one unless `of` names another. Raises HarnessError for a damaged certificate.
    """
    certificate = load_certificate(path)
    if certificate is None:
        return NOT_SELF_CHECKED
    if differing := differences(certificate.host, host() if of is None else of):
        return f"{NOT_SELF_CHECKED} (there is one of another host: {'; '.join(differing)})"
    return certificate.summary


def plant(side: Side, fault: Fault) -> Side:
    """The side with every backend wrapped."""
    wrapped = {
        name: replace(
            info,
            module="harness.gate.planted",
            variants=tuple(
                replace(
                    variant,
                    options={
                        "module": info.module,
                        "options": dict(variant.options),
                        **asdict(fault),
                    },
                )
                for variant in info.variants
            ),
        )
        for name, info in side.backends.items()
    }
    return replace(side, backends=wrapped)


@dataclass
class SelfCheck:
    """One self-check: `side` is compared with itself, and with itself made worse."""

    side: Side
    manifest: Manifest
    prepared: Path
    cases: Sequence[Case]
    policy: Policy
    say: Callable[[str], None]
    rule: PairedRule = field(default_factory=PairedRule)
    seed: int = 0

    def run(self, *, pairs: int, planted_gates: int) -> Certificate:
        """Record `pairs` unchanged pairs of every timed case, plant, simulate.

        Raises ValueError where fewer pairs are asked for than a screen takes.
        """
        recorded, real = self._unchanged(pairs)
        planted = tuple(
            self._planted(name, kind, fault, planted_gates)
            for name, (kind, fault) in PLANTED.items()
            if planted_gates
        )
        if planted_gates:
            planted += (self._planted_bytes(planted_gates),)
        rng = np.random.default_rng(self.seed)
        self.say(f"simulating up to {SIMULATED_GATES:,} gates")
        alarms = self._simulate(recorded, rng)
        replayed = replay(recorded, rule=self.rule)
        return Certificate(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            host=host(),
            corpus=self.manifest.spec,
            metrics=SIMULATED_METRICS,
            gates=alarms.trials,
            alarms=alarms.events,
            alarm_bound=alarms.high,
            real_gates=len(real),
            real_alarms=sum(outcome is Outcome.REGRESSED for outcome in real),
            replayed=replayed.trials,
            replayed_alarms=replayed.events,
            powers=tuple(self._powers(recorded, rng)),
            planted=planted,
            pairs=recorded,
        )

    def _unchanged(self, pairs: int) -> tuple[dict[str, list[float]], list[Outcome]]:
        """Log ratios by case and metric over as many whole real gates as give `pairs` screen pairs."""
        recorded: dict[str, list[float]] = defaultdict(list)

        def keep(case: Case, pair: Mapping[str, tuple[Figure, Figure]]) -> None:
            for name, (base, head) in pair.items():
                if isinstance(base, float | int) and isinstance(head, float | int):
                    recorded[f"{case.name} {name}"].append(log(head / base))

        outcomes = []
        gates = -(-pairs // self.rule.screen_pairs)
        for number in range(gates):
            self.say(f"unchanged gate {number + 1} of {gates}")
            run = self._gate(Fault(), Kind.TIME, self.cases)
            run.on_pair = keep
            outcomes.append(overall(run.run().verdicts))
        least = self.rule.screen_pairs
        return {name: ds for name, ds in recorded.items() if len(ds) >= least}, outcomes

    def _simulate(self, recorded: Mapping[str, Sequence[float]], rng: np.random.Generator) -> Rate:
        """Whole gates, as many as the time allows: noisy pairs make many suspects to play through."""
        events = trials = 0
        began = time.monotonic()
        while trials < SIMULATED_GATES and time.monotonic() - began < SIMULATION_SECONDS:
            some = false_alarms(
                recorded, metrics=SIMULATED_METRICS, gates=CHUNK_GATES, rule=self.rule, rng=rng
            )
            events, trials = events + some.events, trials + some.trials
        return Rate.of(events, trials)

    def _planted(self, name: str, kind: Kind, fault: Fault, gates: int) -> PlantedResult:
        found = total = 0
        for number in range(gates):
            self.say(f"planted {name}, gate {number + 1} of {gates}")
            verdicts = self._gate(fault, kind, self.cases).run().verdicts
            regressed = {v.case for v in verdicts if v.outcome is Outcome.REGRESSED}
            judged = {v.case for v in verdicts}
            found += len(regressed)
            total += len(judged)
        return PlantedResult(name, found, total, gates)

    def _planted_bytes(self, gates: int) -> PlantedResult:
        """One per cent of each case's own traced peak, held while a reader is open."""
        found = total = 0
        traced = [case for case in self.cases if case.planned.cell.instrument == TRACER]
        for case in traced:
            self.say(f"planted {HELD}, {case.name}")
            twins = [one for one in self.cases if one.name in (case.name, case.resident_twin)]
            probe = self._live("base", Fault()).observe(case)
            peak = probe.figures.get(TRACED_PEAK)
            if not isinstance(peak, float | int):
                continue
            fault = Fault(held_bytes=ceil(peak / 100))
            for _ in range(gates):
                verdicts = self._gate(fault, Kind.SIZE, twins).run().verdicts
                judged = [v for v in verdicts if v.metric == TRACED_PEAK]
                found += any(v.outcome is Outcome.REGRESSED for v in judged)
                total += bool(judged)  # none where the figure is withheld
        return PlantedResult(HELD, found, total, gates)

    def _live(self, name: str, fault: Fault) -> LiveSide:
        side = replace(self.side, environment=replace(self.side.environment, name=name))
        return LiveSide(plant(side, fault), self.manifest, self.prepared, self.policy.environment)

    def _gate(self, fault: Fault, kind: Kind, cases: Sequence[Case]) -> GateRun:
        metrics: list[GatedMetric] = [m for m in GATED_METRICS.values() if m.kind is kind]
        chosen = [case for case in cases if case.planned.cell.instrument in INSTRUMENTS[kind]]
        return GateRun(
            self._live("base", Fault()),
            self._live("head", fault),
            chosen,
            metrics,
            replace(self.policy, waivers=()),
            rule=self.rule,
        )

    def _powers(
        self, recorded: Mapping[str, Sequence[float]], rng: np.random.Generator
    ) -> list[MetricPower]:
        found = []
        for name, differences_ in recorded.items():
            for effect in EFFECTS:
                one = power(differences_, effect, gates=POWER_GATES, rule=self.rule, rng=rng)
                found.append(
                    MetricPower(
                        metric=name,
                        effect=effect,
                        found=one.found.value,
                        found_low=one.found.low,
                        inconclusive=one.inconclusive.value,
                        pairs=len(differences_),
                    )
                )
        return found
