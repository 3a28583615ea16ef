"""The gate's loop: a probe of every case, then pairs in random order until the rule wants no more."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from firstbyte.gate.baselines import UPDATE, differences
from firstbyte.gate.blind import blind_passes
from firstbyte.gate.cases import Case
from firstbyte.gate.cores import IdlestCore
from firstbyte.gate.hostwatch import HostWatch
from firstbyte.gate.metrics import (
    GATED_METRICS,
    MEMORY_METRICS,
    NET_WALL,
    GatedMetric,
    Tolerances,
    trial_for,
)
from firstbyte.gate.observe import GateSide, Observation
from firstbyte.gate.paired import PairedRule
from firstbyte.gate.pairs import both_ok, observe_pair, paired_figures, runs_together
from firstbyte.gate.policy import Policy
from firstbyte.gate.result import NOT_SELF_CHECKED, GateResult
from firstbyte.gate.trials import GateOutcome, PairedFigures, Trial
from firstbyte.gate.tuning import threaded, tuned, with_threaded_wall
from firstbyte.gate.unguarded import unguarded
from firstbyte.gate.unseen import unseen
from firstbyte.gate.verdicts import Gate
from firstbyte.model import Status
from firstbyte.say import Say
from firstbyte.worker.instruments.clock import WALL

RULE_TEXT = (
    "Rule: interleaved pairs of fresh processes; {screen} pairs screen ({longest} where it is noisy),"
    " suspects are confirmed on up to {last} fresh pairs by an exact signed-rank test at {alarm:g} a"
    " gate (Bonferroni over {looks} looks and all suspects) and a change above the tolerance; sizes"
    " must change in every process."
)


@dataclass
class GateRun:
    """Everything that one gate needs; `run` does it."""

    base: GateSide
    head: GateSide
    cases: Sequence[Case]
    metrics: Sequence[GatedMetric]
    policy: Policy
    rule: PairedRule = field(default_factory=PairedRule)
    budget_seconds: float | None = None
    same_versions: bool = False
    """Whether a case whose backend has other versions on the two sides is INCONCLUSIVE."""
    say: Say = lambda _: None
    rng: random.Random = field(default_factory=random.SystemRandom)
    clock: Callable[[], float] = time.monotonic
    certificate: str = NOT_SELF_CHECKED
    on_pair: Callable[[Case, PairedFigures], None] = lambda _case, _pair: None

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        """Lines that the result will show."""
        self.not_gated: list[str] = []
        """What nobody should believe to have passed: said before everything else."""
        self.lost: list[str] = []
        """Cases that base has and nobody can run any more: a missing side."""
        self._watch = HostWatch()
        self._cores = IdlestCore()
        self._tolerance: dict[str, Tolerances] = {}
        self._pairs = 0
        self._pair_seconds: dict[str, float] = {}

    def run(self) -> GateResult:
        """Probe, screen, confirm. Raises nothing for what happens in a worker."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._began = self.clock()
        gate, cases = self._probe()
        self._say_cost(gate)
        self._measure(gate, cases)
        return GateResult(
            base=self.base.label,
            head=self.head.label,
            rule=RULE_TEXT.format(
                screen=self.rule.screen_pairs,
                longest=self.rule.longest_screen_pairs,
                last=self.rule.looks[-1],
                alarm=self.rule.alarm,
                looks=len(self.rule.looks),
            ),
            verdicts=self.policy.waive(gate.verdicts()),
            started=started,
            seconds=self._elapsed(),
            pairs=self._pairs,
            suspects=gate.suspects,
            not_gated=(*self.not_gated, *_left_out(gate)),
            notes=(
                *self.notes,
                *blind_passes(gate.verdicts(), self._tolerance),
                *self._watch.notes(),
            ),
            certificate=self.certificate,
        )

    def _probe(self) -> tuple[Gate, dict[str, Case]]:
        """One pair of every case that counts for nothing: is it OK, what does it give, what is its cost?

        It also fills caches, converts the corpus and verifies digests on both sides.
        """
        probes: dict[str, tuple[Observation, Observation]] = {}
        left_out: dict[str, list[str]] = {}
        for case in self.cases:
            if self._spent():
                break
            self.say(f"probe {case.name}")
            base, head = self._probe_pair(case)
            if base.status is head.status is Status.SKIPPED:
                left_out.setdefault(head.reason, []).append(case.name)
                continue
            probes[case.name] = (base, head)
        for reason, names in left_out.items():
            self.not_gated.append(f"{len(names)} cases left out, on both sides alike: {reason}")
        skipped = {name for names in left_out.values() for name in names}
        hidden = unseen(self.base, self.head, self.cases, probes)
        probes |= hidden.probes
        self.not_gated.extend(hidden.notes)
        unmeasured = [
            case for case in self.cases if case.name not in probes and case.name not in skipped
        ]
        trials = {name: self._trials(name, *probe) for name, probe in probes.items()}
        self._missing_metrics(trials, probes)
        # A case without a gated figure has nothing to say, unless a side of it failed.
        kept = {
            name: metrics
            for name, metrics in trials.items()
            if metrics or name in hidden.lost or not both_ok(*probes[name])
        }
        gone: dict[str, dict[str, Trial]] = {name: {} for name in self.lost}
        gate = Gate(kept | {case.name: {} for case in unmeasured} | gone)
        for name in self.lost:
            gate.fail(
                name, GateOutcome.INCONCLUSIVE, "in the base, but there is no such case any more"
            )
        for name in kept:
            self._fail_unless_ok(gate, name, *probes[name])
            self._fail_unless_comparable(gate, name, *probes[name])
        for name, reason in hidden.lost.items():
            gate.fail(name, GateOutcome.INCONCLUSIVE, reason)
        for one in unguarded(self.cases, kept, probes, self._gated()):
            self.not_gated.insert(0, str(one))
            for name in self._asked_of_memory():
                gate.unjudged(one.case, name, str(one))
        for case in unmeasured:
            gate.fail(case.name, GateOutcome.INCONCLUSIVE, f"not measured: {self._spent()}")
        return gate, {
            case.name: tuned(case, *probes[case.name]) for case in self.cases if case.name in kept
        }

    def _probe_pair(self, case: Case) -> tuple[Observation, Observation]:
        # On all cores: that several threads are at work cannot be seen on one.
        base, head = observe_pair(self.base, self.head, case, None)
        self._note_cost(case, base, head)
        return base, head

    def _note_cost(self, case: Case, base: Observation, head: Observation) -> None:
        """Remember what a pair of the case takes, from the latest."""
        alone = base.seconds + head.seconds
        together = max(base.seconds, head.seconds)
        self._pair_seconds[case.name] = together if runs_together(case) else alone

    def _trials(self, name: str, base: Observation, head: Observation) -> dict[str, Trial]:
        scenario = next(case.scenario for case in self.cases if case.name == name)
        # Against a baseline only what was stored counts: what does not repeat was left out of it.
        offered = {*base.figures} if self.same_versions else {*base.figures, *head.figures}
        tolerances = self.policy.tolerances
        if any(threaded(side) for side in (base, head)):
            tolerances = with_threaded_wall(tolerances)
        self._tolerance[name] = tolerances
        return {
            metric.name: trial_for(scenario, metric, tolerances, self.rule)
            for metric in self._gated()
            if metric.name in offered
        }

    def _gated(self) -> list[GatedMetric]:
        names = {metric.name for metric in self.metrics}
        if NET_WALL in names:
            names.add(WALL.name)  # stands in where the kernel keeps no run-queue wait
        return [metric for metric in GATED_METRICS.values() if metric.name in names]

    def _asked_of_memory(self) -> list[str]:
        """The metrics of memory that the policy names: whoever asks for them wants an answer."""
        return [name for name in self.policy.metrics if name in MEMORY_METRICS]

    def _missing_metrics(
        self,
        trials: Mapping[str, Mapping[str, Trial]],
        probes: Mapping[str, tuple[Observation, Observation]],
    ) -> None:
        """Say which metrics no case gave: nobody should believe that they were gated."""
        given = {name for metrics in trials.values() for name in metrics}
        if WALL.name in given:
            given.add(NET_WALL)
        asked = {metric.name for metric in self.metrics if metric.name != WALL.name}
        if probes and (absent := sorted(asked - given)):
            self.not_gated.append(f"not gated, as no case gave it: {', '.join(absent)}")

    def _measure(self, gate: Gate, cases: Mapping[str, Case]) -> None:
        """Rounds of one pair a case, cases and sides in random order, until nothing is wanted."""
        screening = True
        while wanted := gate.wanted():
            if screening and gate.suspects is not None:
                screening = False
                self._say_confirmation(gate, wanted)
            names = list(wanted)
            self.rng.shuffle(names)
            for name in names:
                if reason := self._spent(self._pair_seconds[name]):
                    gate.stop(reason)
                    return
                self._pair(gate, cases[name])

    def _pair(self, gate: Gate, case: Case) -> None:
        core = None if case.threaded else self._cores.pick()
        # The order of every pair is drawn: it is what makes the test exact.
        if self.rng.random() < 0.5:
            base, head = observe_pair(self.base, self.head, case, core)
        else:
            head, base = observe_pair(self.head, self.base, case, core)
        if not both_ok(base, head):
            self._fail_unless_ok(gate, case.name, base, head)
            return
        self._pairs += 1
        self._note_cost(case, base, head)
        self._watch.saw(case.name, self._elapsed(), base)
        pair = paired_figures(base, head)
        self.on_pair(case, pair)
        gate.add(case.name, pair)

    def _fail_unless_ok(self, gate: Gate, name: str, base: Observation, head: Observation) -> None:
        if both_ok(base, head):
            return
        if base.status is Status.OK:
            gate.fail(name, GateOutcome.REGRESSED, f"head is {head.status}: {head.reason}")
        else:
            beside = "" if head.status is Status.OK else f"; head is {head.status}: {head.reason}"
            gate.fail(
                name, GateOutcome.INCONCLUSIVE, f"base is {base.status}: {base.reason}{beside}"
            )

    def _fail_unless_comparable(
        self, gate: Gate, name: str, base: Observation, head: Observation
    ) -> None:
        if not (self.same_versions and both_ok(base, head)):
            return
        if differing := differences(base.versions, head.versions):
            reason = f"other versions than in the baseline: {differing}; run {UPDATE}"
            gate.fail(name, GateOutcome.INCONCLUSIVE, reason)

    def _say_cost(self, gate: Gate) -> None:
        seconds = sum(pairs * self._pair_seconds[name] for name, pairs in gate.wanted().items())
        text = f"screening {len(gate.wanted())} cases takes about {seconds:.0f} s"
        if self.budget_seconds is not None:
            left = self.budget_seconds - self._elapsed()
            text += f", {left:.0f} s of the budget are left"
            if seconds > left:
                text += ": too little to screen everything, the rest will be INCONCLUSIVE"
                self.notes.append(text)
        self.say(text)

    def _say_confirmation(self, gate: Gate, wanted: Mapping[str, int]) -> None:
        """What is left to do, and within a budget, what it can still see."""
        round_seconds = sum(self._pair_seconds[name] for name in wanted)
        last = self.rule.looks[-1]
        text = (
            f"confirming {len(wanted)} cases ({gate.suspects} metrics look slower or larger):"
            f" {round_seconds:.1f} s a round of pairs, at most {last} rounds"
        )
        if self.budget_seconds is not None:
            left = max(0.0, self.budget_seconds - self._elapsed())
            rounds = min(last, int(left / round_seconds))
            looks = [look for look in self.rule.looks if look <= rounds]
            text += f"; the budget allows {rounds}, "
            if looks:
                effect = gate.foreseen_effect(looks[-1])
                text += (
                    f"enough for the look at {looks[-1]}, which sees changes of about {effect:+.1%}"
                )
            else:
                text += "too few for a verdict"
        self.say(text)
        if self.budget_seconds is not None:
            self.notes.append(text)

    def _spent(self, needed_seconds: float = 0.0) -> str:
        """Why there is no time left for so many seconds more; empty while there is."""
        if self.budget_seconds is None:
            return ""
        if self._elapsed() + needed_seconds <= self.budget_seconds:
            return ""
        return f"the budget of {self.budget_seconds:.0f} s is spent"

    def _elapsed(self) -> float:
        return self.clock() - self._began


def _left_out(gate: Gate) -> list[str]:
    return [
        f"not gated, as it {reason}: {metric} of {case}" for case, metric, reason in gate.left_out
    ]
