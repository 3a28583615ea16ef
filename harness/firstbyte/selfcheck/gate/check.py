"""The gate checks itself on this machine: how often it alarms for nothing, and what it finds.

Whole gates are run in which nothing changed (both sides the same program, both wrapped alike), on the
machine as it is and beside a busy loop on another core. The gate's own rule is then replayed on their
pairs, whole gates at a time, unchanged and with a change added. Real planted changes (a busy loop, a
sleep, held bytes, a leak), in one backend at a time, go through real gates.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import ceil, log
from pathlib import Path
from statistics import median

import numpy as np

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.fingerprint import host
from firstbyte.engine.journal import Journal
from firstbyte.engine.registry import discover
from firstbyte.engine.witnesses import resolve
from firstbyte.gate.cases import DEFAULT_CORPUS, INSTRUMENTS, Case, cases
from firstbyte.gate.metrics import GATED_METRICS, NET_WALL, MetricKind
from firstbyte.gate.observe import LiveSide
from firstbyte.gate.paired import PairedRule
from firstbyte.gate.policy import Policy
from firstbyte.gate.run import GateRun
from firstbyte.gate.sides import Side
from firstbyte.gate.trials import GateOutcome, PairedFigures
from firstbyte.gate.verdicts import Verdict, overall
from firstbyte.gate.workshop import prepared, this_program
from firstbyte.model import Subject
from firstbyte.say import Say
from firstbyte.selfcheck.gate.busy import busy_cores
from firstbyte.selfcheck.gate.certificate import (
    Condition,
    GateCertificate,
    MetricPower,
    PlantedResult,
)
from firstbyte.selfcheck.gate.planted import SHORTEST_SLEEP_NS, Fault
from firstbyte.selfcheck.gate.simulation import Rate, false_alarms, power, replay
from firstbyte.worker.instruments.clock import WALL
from firstbyte.worker.instruments.heap import PEAK_HEAP

EFFECTS = (0.02, 0.05, 0.10)
SIMULATED_GATES = 20_000
SIMULATION_SECONDS = 60.0
CHUNK_GATES = 500
POWER_GATES = 300
HELD = "held +1% of peak"
CONDITIONS: Mapping[str, int] = {"as it is": 0, "one core busy": 1}
"""What the gates are tried under, with the number of cores that somebody else keeps busy."""

PLANTED: Mapping[str, tuple[MetricKind, Fault]] = {
    "busy +5%": (MetricKind.TIME, Fault(busy=0.05)),
    "sleep +5%": (MetricKind.TIME, Fault(sleep=0.05)),
    "busy +10%": (MetricKind.TIME, Fault(busy=0.10)),
    "leak 4 KiB/scan": (MetricKind.GROWTH, Fault(leaked_bytes=4096)),
}
"""What is planted in real gates, and the kind of metric that must find it."""


def plant(side: Side, fault: Fault) -> Side:
    """The side with every backend wrapped."""
    wrapped = {
        name: replace(
            info,
            module="firstbyte.selfcheck.gate.planted",
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


@dataclass(frozen=True, slots=True)
class Tried:
    """One real gate of a self-check, as the journal keeps it."""

    outcome: str
    metrics: int
    found: int
    """Cases in which something was called worse."""
    cases: int
    changes: Sequence[float]
    """Relative change of the metric that moved most, for each of those cases that has one."""
    open: Sequence[str]
    """What stayed INCONCLUSIVE, and why."""
    seconds: float
    pairs: Mapping[str, Sequence[float]]
    """Log ratios of its screened pairs by case and metric; kept where nothing was planted."""
    wall_ns: Mapping[str, float]
    """Time of one span by case."""


@dataclass
class SelfCheck:
    """One self-check: `side` is compared with itself, and with itself made worse."""

    side: Side
    manifest: Manifest
    prepared: Path
    cases: Sequence[Case]
    policy: Policy
    say: Say
    rule: PairedRule = field(default_factory=PairedRule)
    seed: int = 0
    _lives: dict[tuple[str, Fault], LiveSide] = field(default_factory=dict)

    def run(self, journal: Journal, *, gates: int, planted_gates: int) -> GateCertificate:
        """Under each condition `gates` unchanged gates, and as many with each change and backend.

        What the journal holds is not run again. Raises ValueError for less than one gate.
        """
        if gates < 1:
            raise ValueError("a self-check takes at least one unchanged gate")
        # Conditions take turns, so a check that was stopped half-way has done about half of each.
        unchanged: dict[str, list[Tried]] = {name: [] for name in CONDITIONS}
        for number in range(gates):
            for name, tries in unchanged.items():
                step = f"unchanged, {name}, gate {number + 1}"
                tries.append(self._tried(journal, step, name, Fault(), self.cases))
        planted: dict[str, list[PlantedResult]] = {name: [] for name in CONDITIONS}
        for name in CONDITIONS if planted_gates else ():
            wall_ns = unchanged[name][0].wall_ns
            planted[name] = list(self._planted(journal, name, planted_gates, wall_ns))
        return GateCertificate(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            host=host(),
            corpus=self.manifest.spec,
            conditions=tuple(
                self._condition(name, unchanged[name], planted[name]) for name in CONDITIONS
            ),
        )

    def _tried(
        self, journal: Journal, step: str, condition: str, fault: Fault, cases: Sequence[Case]
    ) -> Tried:
        """A real gate, or what the journal says of it."""
        if (noted := journal.find(step, Tried)) is not None:
            return noted
        run = GateRun(
            self._live("base", Fault()),
            self._live("head", fault),
            cases,
            tuple(GATED_METRICS.values()),
            replace(self.policy, waivers=()),
            rule=self.rule,
        )
        pairs: dict[str, list[float]] = defaultdict(list)
        walls: dict[str, list[float]] = defaultdict(list)

        def keep(case: Case, pair: PairedFigures) -> None:
            for name, (base, head) in pair.items():
                timed = GATED_METRICS[name].kind is MetricKind.TIME
                if timed and isinstance(base, float | int) and isinstance(head, float | int):
                    pairs[f"{case.name} {name}"].append(log(head / base))
                    if name in (NET_WALL, WALL.name):
                        walls[case.name].append(base)

        run.on_pair = keep
        with busy_cores(CONDITIONS[condition]):
            result = run.run()
        worse = [v for v in result.verdicts if v.outcome is GateOutcome.REGRESSED]
        tried = Tried(
            outcome=overall(result.verdicts).value,
            metrics=len(result.verdicts),
            found=len({verdict.case for verdict in worse}),
            cases=len({verdict.case for verdict in result.verdicts}),
            changes=_largest_changes(worse),
            open=[
                f"{one.case} {one.metric}: {one.finding.rule}"
                for one in result.verdicts
                if one.outcome is GateOutcome.INCONCLUSIVE
            ],
            seconds=result.seconds,
            pairs={} if fault != Fault() else dict(pairs),
            wall_ns={name: median(values) for name, values in walls.items()},
        )
        self.say("; ".join((f"{step}: {tried.outcome} after {tried.seconds:.0f} s", *tried.open)))
        journal.note(step, asdict(tried))
        return tried

    def _planted(
        self, journal: Journal, condition: str, gates: int, wall_ns: Mapping[str, float]
    ) -> Iterator[PlantedResult]:
        for name, (kind, fault) in PLANTED.items():
            if kind is not MetricKind.TIME and CONDITIONS[condition]:
                continue  # sizes do not know what other cores do
            tries = [
                self._tried(
                    journal, f"{name}, {condition}, {subject}, {number}", condition, fault, chosen
                )
                for number in range(gates)
                for subject, chosen in self._by_subject(kind, fault, wall_ns).items()
            ]
            yield _planted_result(name, tries)
        if not CONDITIONS[condition]:
            yield _planted_result(HELD, list(self._held(journal, condition, gates)))

    def _by_subject(
        self, kind: MetricKind, fault: Fault, wall_ns: Mapping[str, float]
    ) -> dict[Subject, list[Case]]:
        """The cases of each subject that can show the fault.

        Not those where it is too short to be slept, nor where threads decode on while it is slept.
        """
        chosen: dict[Subject, list[Case]] = defaultdict(list)
        for case in self.cases:
            sleeps_ns = wall_ns.get(case.name, 0.0) * fault.sleep
            alone = case.planned.variant.threads in (1, None)
            # Twice the shortest, so that every scan has its sleep however much of it is put off.
            asleep = not fault.sleep or (alone and sleeps_ns >= 2 * SHORTEST_SLEEP_NS)
            repeated = kind is not MetricKind.GROWTH or case.grows
            if case.planned.cell.instrument in INSTRUMENTS[kind] and repeated and asleep:
                chosen[case.subject].append(case)
        return chosen

    def _held(self, journal: Journal, condition: str, gates: int) -> Iterator[Tried]:
        """One per cent of each case's own traced peak, held while a reader is open."""
        for case in self.cases:
            base = self._live("base", Fault())
            if not case.traced or base.hidden(case):
                continue  # a figure that is withheld is not gated
            peak = base.observe(case).figures.get(PEAK_HEAP.name)
            if not isinstance(peak, float | int):
                continue
            fault = Fault(held_bytes=ceil(peak / 100))
            for number in range(gates):
                step = f"{HELD}, {condition}, {case.subject} {case.scenario}, {number}"
                yield self._tried(journal, step, condition, fault, [case])

    def _live(self, name: str, fault: Fault) -> LiveSide:
        """A side with that fault; the same one again, so that what it verified is not verified anew."""
        if (name, fault) not in self._lives:
            side = replace(self.side, environment=replace(self.side.environment, name=name))
            self._lives[name, fault] = LiveSide(
                plant(side, fault), self.manifest, self.prepared, self.policy.environment
            )
        return self._lives[name, fault]

    def _condition(
        self, name: str, unchanged: Sequence[Tried], planted: Sequence[PlantedResult]
    ) -> Condition:
        """What the gates of one condition say, and what their pairs say when gates are replayed."""
        recorded: dict[str, list[float]] = defaultdict(list)
        for tried in unchanged:
            for metric, ratios in tried.pairs.items():
                recorded[metric].extend(ratios)
        least = self.rule.screen_pairs
        recorded = {metric: ds for metric, ds in recorded.items() if len(ds) >= least}
        metrics = min(tried.metrics for tried in unchanged)
        rng = np.random.default_rng(self.seed)
        self.say(f"{name}: simulating up to {SIMULATED_GATES:,} gates")
        alarms = self._simulate(recorded, metrics, rng)
        replayed = replay(recorded, rule=self.rule)
        return Condition(
            name=name,
            metrics=metrics,
            gates=alarms.trials,
            alarms=alarms.events,
            alarm_bound=alarms.high,
            real_gates=len(unchanged),
            real_alarms=sum(tried.outcome == GateOutcome.REGRESSED for tried in unchanged),
            real_inconclusive=sum(tried.outcome == GateOutcome.INCONCLUSIVE for tried in unchanged),
            gate_seconds=median(tried.seconds for tried in unchanged),
            replayed=replayed.trials,
            replayed_alarms=replayed.events,
            powers=tuple(self._powers(recorded, rng)),
            planted=tuple(planted),
            pairs=recorded,
        )

    def _simulate(
        self, recorded: Mapping[str, Sequence[float]], metrics: int, rng: np.random.Generator
    ) -> Rate:
        """Whole gates, as many as the time allows: noisy pairs make many suspects to play through."""
        events = trials = 0
        began = time.monotonic()
        while trials < SIMULATED_GATES and time.monotonic() - began < SIMULATION_SECONDS:
            some = false_alarms(
                recorded, metrics=metrics, gates=CHUNK_GATES, rule=self.rule, rng=rng
            )
            events, trials = events + some.events, trials + some.trials
        return Rate.of(events, trials)

    def _powers(
        self, recorded: Mapping[str, Sequence[float]], rng: np.random.Generator
    ) -> Iterator[MetricPower]:
        for name, differences_ in recorded.items():
            for effect in EFFECTS:
                one = power(differences_, effect, gates=POWER_GATES, rule=self.rule, rng=rng)
                yield MetricPower(
                    metric=name,
                    effect=effect,
                    found=one.found.value,
                    found_low=one.found.low,
                    inconclusive=one.inconclusive.value,
                    pairs=len(differences_),
                )


def self_check(policy: Policy, say: Say) -> SelfCheck:
    """The check of this policy's gate, with this program on both sides."""
    manifest = resolve(policy.corpus or DEFAULT_CORPUS)
    chosen = cases(discover(), policy, manifest, set(MetricKind))
    return SelfCheck(this_program(), manifest, prepared(), chosen, policy, say)


def _largest_changes(worse: Sequence[Verdict]) -> list[float]:
    """Of each case the largest relative change; cases whose changes have a unit are left out."""
    largest: dict[str, float] = {}
    for verdict in worse:
        change = verdict.finding.change
        if change is not None and verdict.finding.unit == "ratio":
            largest[verdict.case] = max(change, largest.get(verdict.case, change))
    return list(largest.values())


def _planted_result(name: str, tries: Sequence[Tried]) -> PlantedResult:
    return PlantedResult(
        name,
        found=sum(tried.found for tried in tries),
        cases=sum(tried.cases for tried in tries),
        gates=len(tries),
        changes=tuple(sorted(change for tried in tries for change in tried.changes)),
    )
