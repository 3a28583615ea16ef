"""The whole gate as a state machine: phases, frozen suspects, failures, and never a silent pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstbyte.errors import UnknownNameError
from firstbyte.gate.growth import GrowthTrial
from firstbyte.gate.metrics import GATED_METRICS, Tolerances, gated_metric, trial_for
from firstbyte.gate.paired import PairedRule, PairedTrial
from firstbyte.gate.steady import SteadyRule, SteadyTrial
from firstbyte.gate.trials import GateOutcome, TrialFinding
from firstbyte.gate.verdicts import STATUS_METRIC, Gate, Verdict, overall
from firstbyte.selfcheck.gate.simulation import false_alarms, power

RULE = PairedRule()
PASS, REGRESSED = GateOutcome.PASS, GateOutcome.REGRESSED
IMPROVED, INCONCLUSIVE = GateOutcome.IMPROVED, GateOutcome.INCONCLUSIVE


def run(
    gate: Gate, ratios: Mapping[str, Mapping[str, float]]
) -> dict[tuple[str, str], TrialFinding]:
    """Drive the gate with constant ratios to its end."""
    while wanted := gate.wanted():
        for case in wanted:
            gate.add(case, {name: (100.0, 100.0 * r) for name, r in ratios[case].items()})
    return {(v.case, v.metric): v.finding for v in gate.verdicts()}


def two_cases() -> Gate:
    return Gate(
        {
            "a": {"cpu_ns": PairedTrial(RULE), "net_wall_ns": PairedTrial(RULE)},
            "b": {"cpu_ns": PairedTrial(RULE), "peak": SteadyTrial(SteadyRule())},
        }
    )


def test_an_unchanged_program_ends_after_the_screen() -> None:
    gate = two_cases()
    found = run(gate, {"a": {"cpu_ns": 1.0, "net_wall_ns": 1.0}, "b": {"cpu_ns": 1.0, "peak": 1.0}})
    assert {finding.outcome for finding in found.values()} == {PASS}
    assert gate.suspects == 0
    assert found["a", "cpu_ns"].pairs == RULE.screen_pairs
    assert found["b", "peak"].pairs == 2


def test_only_suspects_are_confirmed_and_their_number_is_frozen() -> None:
    gate = two_cases()
    found = run(
        gate, {"a": {"cpu_ns": 1.06, "net_wall_ns": 1.06}, "b": {"cpu_ns": 0.9, "peak": 1.0}}
    )
    assert gate.suspects == 2
    assert found["a", "cpu_ns"].outcome is REGRESSED
    assert found["a", "cpu_ns"].pairs == 16
    assert found["b", "cpu_ns"].outcome is IMPROVED
    assert found["b", "cpu_ns"].pairs == 12, "improvements are a family of their own"
    assert overall(gate.verdicts()) is REGRESSED


def test_a_metric_that_one_side_did_not_give_is_inconclusive() -> None:
    found = run(two_cases(), {"a": {"cpu_ns": 1.0}, "b": {"cpu_ns": 1.0, "peak": 1.0}})
    finding = found["a", "net_wall_ns"]
    assert finding.outcome is INCONCLUSIVE
    assert finding.rule == "not measured on both sides"


def test_a_figure_that_cannot_be_judged_is_inconclusive_with_the_reason() -> None:
    gate = Gate({"a": {"cpu_ns": PairedTrial(RULE)}})
    gate.add("a", {"cpu_ns": (0.0, 1.0)})
    assert gate.wanted() == {}
    (verdict,) = gate.verdicts()
    assert verdict.finding.outcome is INCONCLUSIVE
    assert "positive figures" in verdict.finding.rule


def test_a_new_failure_fails_at_once_and_the_other_case_goes_on() -> None:
    gate = two_cases()
    gate.fail("a", REGRESSED, "head CRASHED: killed by SIGSEGV")
    assert set(gate.wanted()) == {"b"}
    found = run(gate, {"b": {"cpu_ns": 1.0, "peak": 1.0}})
    assert found["a", STATUS_METRIC].outcome is REGRESSED
    assert found["a", "cpu_ns"].outcome is INCONCLUSIVE
    assert found["b", "cpu_ns"].outcome is PASS
    assert overall(gate.verdicts()) is REGRESSED


def test_a_failure_late_in_a_confirmation_leaves_nothing_open() -> None:
    gate = Gate({"a": {"cpu_ns": PairedTrial(RULE)}})
    for _ in range(8):
        gate.wanted()
        gate.add("a", {"cpu_ns": (100.0, 106.0)})
    gate.fail("a", REGRESSED, "head WRONG: digest mismatch")
    assert gate.wanted() == {}
    assert {v.finding.outcome for v in gate.verdicts()} == {REGRESSED, INCONCLUSIVE}


@pytest.mark.parametrize("pairs", [0, 3, 6, 9])
def test_a_gate_that_is_stopped_early_never_passes_what_is_open(pairs: int) -> None:
    gate = Gate({"a": {"cpu_ns": PairedTrial(RULE)}})
    for _ in range(pairs):
        gate.wanted()
        gate.add("a", {"cpu_ns": (100.0, 106.0)})
    gate.stop("the budget of 10 s is spent")
    assert gate.wanted() == {}
    (verdict,) = gate.verdicts()
    assert verdict.outcome is INCONCLUSIVE
    assert "budget" in verdict.finding.rule


def test_stopping_does_not_undo_what_was_decided() -> None:
    gate = two_cases()
    for _ in range(6):
        gate.add("b", {"cpu_ns": (1.0, 1.0), "peak": (1.0, 1.0)})
    gate.stop("the budget is spent")
    found = {(v.case, v.metric): v.outcome for v in gate.verdicts()}
    assert found["b", "peak"] is PASS
    assert found["b", "cpu_ns"] is PASS
    assert found["a", "cpu_ns"] is INCONCLUSIVE


def verdict(outcome: GateOutcome, waived: str = "") -> Verdict:
    return Verdict("case", "cpu_ns", TrialFinding(outcome, "rule"), waived)


def test_the_worst_outcome_is_the_gates_word() -> None:
    assert overall([]) is INCONCLUSIVE
    assert overall([verdict(PASS), verdict(IMPROVED)]) is IMPROVED
    assert overall([verdict(IMPROVED), verdict(INCONCLUSIVE)]) is INCONCLUSIVE
    assert overall([verdict(INCONCLUSIVE), verdict(REGRESSED)]) is REGRESSED
    assert overall([verdict(REGRESSED, waived="known"), verdict(PASS)]) is PASS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.9, 1.0, 1.01, 1.05]), min_size=1, max_size=5))
def test_every_metric_gets_exactly_one_verdict_and_no_undecided_one_passes(
    ratios: list[float],
) -> None:
    gate = Gate({str(i): {"cpu_ns": PairedTrial(RULE)} for i in range(len(ratios))})
    found = run(gate, {str(i): {"cpu_ns": ratio} for i, ratio in enumerate(ratios)})
    expected = {0.9: IMPROVED, 1.0: PASS, 1.01: PASS, 1.05: REGRESSED}
    assert len(found) == len(ratios)
    for index, ratio in enumerate(ratios):
        assert found[str(index), "cpu_ns"].outcome is expected[ratio]


def test_each_kind_of_metric_has_its_trial() -> None:
    tolerances = Tolerances(named={"concurrent_reads.cpu_ns": 0.15, "cpu_ns": 0.03})
    assert tolerances.of("concurrent_reads", gated_metric("cpu_ns")) == 0.15
    assert tolerances.of("full_scan", gated_metric("cpu_ns")) == 0.03
    assert tolerances.of("full_scan", gated_metric("net_wall_ns")) == 0.02
    assert tolerances.of("full_scan", gated_metric("allocation_count")) == 0.005
    kinds = {
        name: type(trial_for("s", metric, tolerances, RULE))
        for name, metric in GATED_METRICS.items()
    }
    assert kinds["net_wall_ns"] is PairedTrial
    assert kinds["peak_heap_bytes"] is SteadyTrial
    assert kinds["live_bytes_per_scan"] is GrowthTrial
    with pytest.raises(UnknownNameError, match="did you mean 'cpu_ns'"):
        gated_metric("cpu_n")


def test_the_simulated_gate_keeps_its_promise_on_wild_noise() -> None:
    """Heavy tails and bursts: no false alarm in 1,000 gates of 40 metrics of which many suspect."""
    rng = np.random.default_rng(5)
    bursts = np.repeat(rng.lognormal(0, 1, 20), 3)
    null = {"wild": rng.standard_t(2, 60) * 0.01 * bursts}
    rate = false_alarms(null, metrics=40, gates=1_000, rule=RULE, rng=rng)
    assert rate.events <= 2
    assert rate.trials == 1_000
    assert rate.high >= rate.value


def test_the_simulation_notices_a_rule_that_cries_wolf() -> None:
    """A planted fault in the rule: one look after six pairs at p <= 0.25 alarms all the time."""
    rng = np.random.default_rng(6)
    loose = PairedRule(screen_pairs=2, longest_screen_pairs=2, looks=(6,), alarm=0.25)
    null = {"quiet": rng.normal(0, 0.05, 60)}
    rate = false_alarms(null, metrics=40, gates=60, rule=loose, rng=rng)
    assert rate.low > 0.01


def test_power_rises_with_the_effect() -> None:
    rng = np.random.default_rng(7)
    null = rng.normal(0, 0.017, 60)
    none, five, ten = (
        power(null, effect, gates=150, rule=RULE, rng=rng) for effect in (0.0, 0.05, 0.10)
    )
    assert none.found.events == 0
    assert five.found.value > 0.9
    assert ten.found.value == 1.0
    crowded = power(null, 0.05, gates=100, rule=RULE, rng=rng, other_suspects=5)
    assert crowded.found.value > 0.8


def test_too_few_pairs_cannot_be_simulated() -> None:
    with pytest.raises(ValueError, match="needs at least 6"):
        power([0.0] * 5, 0.05, gates=1, rule=RULE, rng=np.random.default_rng(0))
