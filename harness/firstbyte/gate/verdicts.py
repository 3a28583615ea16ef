"""The gate's rule as a pure state machine: which pairs are wanted next, and what they amount to.

The machinery that launches processes (`firstbyte.gate`) and the simulation that replays recorded ones
(`firstbyte.selfcheck.gate.simulation`) drive the same object:

    while wanted := gate.wanted():
        for case in wanted:
            gate.add(case, one pair of figures)
    report(gate.verdicts(), overall(gate.verdicts()))

Rule. Screen every metric with a few pairs. Count the suspects, k, once, and freeze it. Confirm
them on fresh pairs, looking at 12, 16, 24 and 32: REGRESSED where the exact one-sided signed-rank p
is at most 0.001 / (4 k) and the estimate exceeds the tolerance. With the order of every pair drawn
at random, an unchanged program gives exchangeable pairs; by Bonferroni over suspects and looks a
whole gate then raises a false alarm at most once in 1,000, however the metrics hang together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from firstbyte.gate.steady import NotRepeatingError
from firstbyte.gate.trials import GateOutcome, PairedFigures, Trial, TrialFinding

STATUS_METRIC = "status"
"""Stands for the cell itself: whether it still ends OK."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of one metric of one case."""

    case: str
    metric: str
    finding: TrialFinding
    waived: str = ""
    """Reason of the waiver that covers this verdict, where there is one."""

    @property
    def outcome(self) -> GateOutcome:
        """What counts towards the gate: a waived finding counts as passed, and is still shown."""
        return GateOutcome.PASS if self.waived else self.finding.outcome


def overall(verdicts: Iterable[Verdict]) -> GateOutcome:
    """The gate's word: the worst that was found. Nothing measured is INCONCLUSIVE, never a pass."""
    outcomes = {verdict.outcome for verdict in verdicts}
    for outcome in (
        GateOutcome.REGRESSED,
        GateOutcome.INCONCLUSIVE,
        GateOutcome.IMPROVED,
        GateOutcome.PASS,
    ):
        if outcome in outcomes:
            return outcome
    return GateOutcome.INCONCLUSIVE


class Gate:
    """All trials of one gate: screens them, freezes the number of suspects, confirms those."""

    def __init__(self, trials: Mapping[str, Mapping[str, Trial]]) -> None:
        """`trials` maps a case to a trial for each of its metrics."""
        self._trials = {case: dict(metrics) for case, metrics in trials.items()}
        self._ended: dict[str, dict[str, TrialFinding]] = {case: {} for case in trials}
        self._left_out: dict[str, dict[str, str]] = {case: {} for case in trials}
        self._suspects: dict[int, int] | None = None
        self._stopped = ""

    @property
    def suspects(self) -> int | None:
        """Metrics that are being confirmed as slower or larger; None while screening lasts."""
        return None if self._suspects is None else self._suspects[+1]

    def wanted(self) -> dict[str, int]:
        """Pairs that each case still wants in this phase; empty when the gate is over."""
        if self._stopped:
            return {}
        wanted = self._pairs_wanted()
        if not wanted and self._suspects is None:
            self._freeze()
            wanted = self._pairs_wanted()
        return wanted

    def foreseen_effect(self, pairs: int) -> float:
        """The worst forecast over what is being confirmed, as a relative change; 0 if nothing is."""
        confirmed = (
            trial
            for case in self._trials
            for trial in self._live(case).values()
            if self._suspects is not None and trial.wanted
        )
        return max((trial.foreseen_effect(pairs) for trial in confirmed), default=0.0)

    def add(self, case: str, pair: PairedFigures) -> None:
        """Feed one pair of the case: base and head figure of each metric that both sides gave.

        A metric that is missing, or cannot be judged, ends as INCONCLUSIVE with the reason; one that does
        not repeat in the base itself is left out.
        """
        for metric, trial in self._live(case).items():
            if trial.wanted == 0:
                continue
            if metric not in pair:
                self._end(case, metric, "not measured on both sides")
                continue
            try:
                trial.add(*pair[metric])
            except NotRepeatingError as error:
                self._left_out[case][metric] = str(error)
            except ValueError as error:
                self._end(case, metric, str(error))

    def fail(self, case: str, outcome: GateOutcome, reason: str) -> None:
        """The case cannot go on: one side did not end OK. Its open trials end with it."""
        self._ended[case][STATUS_METRIC] = TrialFinding(outcome, reason)
        for metric, trial in self._live(case).items():
            if trial.wanted or trial.suspect:
                self._end(case, metric, reason)

    def unjudged(self, case: str, metric: str, reason: str) -> None:
        """Nobody can say anything of a metric that was asked for: INCONCLUSIVE, whatever the others say."""
        self._ended[case][metric] = TrialFinding(GateOutcome.INCONCLUSIVE, reason)

    @property
    def left_out(self) -> tuple[tuple[str, str, str], ...]:
        """Case, metric and reason of what has no verdict, as it does not repeat."""
        return tuple(
            (case, metric, reason)
            for case, metrics in self._left_out.items()
            for metric, reason in metrics.items()
        )

    def stop(self, reason: str) -> None:
        """End the gate early, such as when a budget is spent; what is open is INCONCLUSIVE."""
        self._stopped = reason

    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict a metric, in the order in which the cases were given."""
        return tuple(
            Verdict(case, metric, finding)
            for case in self._trials
            for metric, finding in self._findings(case).items()
        )

    def _findings(self, case: str) -> dict[str, TrialFinding]:
        findings = dict(self._ended[case])
        for metric, trial in self._live(case).items():
            finding = trial.finding()
            open_still = trial.wanted > 0 or trial.suspect != 0
            findings[metric] = _with_reason(finding, self._stopped) if open_still else finding
        return findings

    def _live(self, case: str) -> dict[str, Trial]:
        over = self._ended[case].keys() | self._left_out[case].keys()
        return {name: trial for name, trial in self._trials[case].items() if name not in over}

    def _pairs_wanted(self) -> dict[str, int]:
        wanted = {
            case: max((trial.wanted for trial in self._live(case).values()), default=0)
            for case in self._trials
        }
        return {case: pairs for case, pairs in wanted.items() if pairs}

    def _freeze(self) -> None:
        """Count the suspects in each direction, once, and start their confirmation."""
        suspects = [
            (trial.suspect, trial)
            for case in self._trials
            for trial in self._live(case).values()
            if trial.suspect
        ]
        self._suspects = {
            sign: sum(direction == sign for direction, _ in suspects) for sign in (+1, -1)
        }
        for direction, trial in suspects:
            trial.confirm(self._suspects[direction])

    def _end(self, case: str, metric: str, reason: str) -> None:
        pairs = self._trials[case][metric].finding().pairs
        self._ended[case][metric] = TrialFinding(GateOutcome.INCONCLUSIVE, reason, pairs=pairs)


def _with_reason(finding: TrialFinding, reason: str) -> TrialFinding:
    if not reason:
        return finding
    return replace(finding, outcome=GateOutcome.INCONCLUSIVE, rule=f"{finding.rule}; {reason}")
