"""Each trial: what it wants, what it finds, and that a planted change and an unchanged pair differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import exp, log, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbyte.analysis.stats import Slope
from firstbyte.gate.growth import GrowthRule, GrowthTrial
from firstbyte.gate.paired import PairedRule, PairedTrial
from firstbyte.gate.steady import NotRepeatingError, SteadyRule, SteadyTrial, require_repeating
from firstbyte.gate.trials import GateOutcome, Trial
from firstbyte.gate.verdicts import Gate, overall
from firstbyte.selfcheck.gate.simulation import _rises

RULE = PairedRule()


def feed(trial: Trial, ratios: Sequence[float], base: float = 1e6) -> Trial:
    for ratio in ratios:
        trial.add(base, base * ratio)
    return trial


def confirmed(ratios: Sequence[float], suspects: int = 1, rule: PairedRule = RULE) -> PairedTrial:
    """A trial screened as slower, then fed these ratios for as long as it wants pairs."""
    trial = PairedTrial(rule)
    feed(trial, [1.10] * rule.screen_pairs)
    trial.confirm(suspects)
    for ratio in ratios:
        if trial.wanted:
            feed(trial, [ratio])
    return trial


def test_a_screen_wants_its_pairs_and_clears_what_did_not_change() -> None:
    trial = PairedTrial(RULE)
    assert trial.wanted == RULE.screen_pairs
    feed(trial, [1.001, 0.999, 1.01, 0.99, 1.0])
    assert trial.wanted == 1
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    feed(trial, [1.0])
    assert (trial.wanted, trial.suspect) == (0, 0)
    finding = trial.finding()
    assert finding.outcome is GateOutcome.PASS
    assert finding.pairs == 6
    assert finding.change == pytest.approx(0.0, abs=1e-9)
    assert finding.smallest_effect is not None
    assert 0.02 < finding.smallest_effect < 0.05


def test_a_noisy_screen_goes_on_until_it_could_see_something() -> None:
    noisy = [1.08, 0.92, 1.06, 0.94, 1.1, 0.91]
    trial = feed(PairedTrial(RULE), noisy)
    assert trial.wanted == 6
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    feed(trial, noisy)
    assert (trial.wanted, trial.suspect) == (0, 0)
    assert feed(PairedTrial(RULE), [1.0 + 0.01 * (-1) ** i for i in range(6)]).wanted == 0
    assert feed(PairedTrial(RULE), [1.3, 1.2, 0.9, 1.1, 1.2, 1.0]).wanted == 0, "suspected at once"


@given(st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=12))
def test_screens_in_bulk_are_the_trials_own(differences: list[float]) -> None:
    trial = PairedTrial(RULE)
    left = iter(np.exp(differences))
    while trial.wanted:
        feed(trial, [next(left)])
    exact = np.array([log(exp(value)) for value in differences])
    assert bool(_rises(exact[None, :], RULE)[0]) is (trial.suspect == 1)


def test_a_suspect_that_nobody_confirmed_is_not_a_pass() -> None:
    trial = feed(PairedTrial(RULE), [1.05] * 6)
    assert trial.suspect == 1
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE


@pytest.mark.parametrize(("ratio", "suspect"), [(1.021, 1), (1.019, 0), (0.981, 0), (0.975, -1)])
def test_the_screen_suspects_beyond_the_tolerance(ratio: float, suspect: int) -> None:
    assert feed(PairedTrial(RULE), [ratio] * 6).suspect == suspect


def test_confirmation_forgets_the_screen_and_stops_at_the_first_look() -> None:
    trial = confirmed([1.05] * 12)
    assert trial.wanted == 0
    finding = trial.finding()
    assert finding.outcome is GateOutcome.REGRESSED
    assert finding.pairs == 12
    assert finding.change == pytest.approx(0.05)
    assert "signed-rank p" in finding.rule


def test_more_suspects_ask_for_more_evidence() -> None:
    """2^-12 is enough for one suspect at four looks and not for two: 0.001 / 8 < 2^-12."""
    trial = confirmed([1.05] * 12, suspects=2)
    assert trial.wanted == 4
    feed(trial, [1.05] * 4)
    assert trial.finding().outcome is GateOutcome.REGRESSED
    assert trial.finding().pairs == 16


def test_a_false_suspect_is_cleared_at_the_first_look() -> None:
    trial = confirmed([1.002, 0.998] * 6)
    assert trial.finding().outcome is GateOutcome.PASS
    assert trial.finding().pairs == 12


def test_one_pair_against_the_trend_delays_the_verdict() -> None:
    trial = confirmed([0.80] + [1.06] * 40)
    assert trial.finding().outcome is GateOutcome.REGRESSED
    assert trial.finding().pairs > 12


def test_noise_that_hides_the_answer_is_inconclusive_at_the_last_look() -> None:
    trial = confirmed([1.6, 0.68, 1.5, 0.8] * 8)
    assert trial.wanted == 0
    finding = trial.finding()
    assert finding.outcome is GateOutcome.INCONCLUSIVE
    assert finding.pairs == 32
    assert finding.smallest_effect is not None
    assert finding.smallest_effect > 0.1


def test_a_change_within_the_tolerance_never_fails_however_sure() -> None:
    assert confirmed([1.015] * 32).finding().outcome is GateOutcome.PASS


def test_tolerance_scales_the_whole_rule() -> None:
    loose = PairedRule(tolerance=0.15)
    assert feed(PairedTrial(loose), [1.12] * 6).suspect == 0
    trial = PairedTrial(loose)
    feed(trial, [1.30] * 6)
    trial.confirm(1)
    assert feed(trial, [1.30] * 12).finding().outcome is GateOutcome.REGRESSED


def test_an_improvement_is_confirmed_like_a_regression_and_never_holds_back() -> None:
    def improved(ratios: Sequence[float]) -> PairedTrial:
        trial = feed(PairedTrial(RULE), [0.9] * 6)
        assert isinstance(trial, PairedTrial)
        assert trial.suspect == -1
        trial.confirm(1)
        for ratio in ratios:
            if trial.wanted:
                feed(trial, [ratio])
        return trial

    found = improved([0.9] * 12).finding()
    assert found.outcome is GateOutcome.IMPROVED
    assert found.change == pytest.approx(-0.1)
    assert improved([1.6, 0.6, 1.4, 0.7] * 8).finding().outcome is GateOutcome.PASS


@given(st.floats(1e-3, 1e12), st.floats(1.0, 1.2))
def test_units_do_not_matter(unit: float, ratio: float) -> None:
    plain = feed(PairedTrial(RULE), [ratio, 1 / ratio, ratio**2, ratio, ratio, 1.0])
    scaled = feed(PairedTrial(RULE), [ratio, 1 / ratio, ratio**2, ratio, ratio, 1.0], base=unit)
    assert plain.finding().change == pytest.approx(scaled.finding().change, abs=1e-9)


@given(st.permutations([0.93, 0.98, 1.0, 1.03, 1.04, 1.2]))
def test_order_of_pairs_does_not_matter_to_the_screen(ratios: list[float]) -> None:
    ordered = feed(PairedTrial(RULE), sorted(ratios))
    shuffled = feed(PairedTrial(RULE), ratios)
    assert shuffled.suspect == ordered.suspect
    assert shuffled.finding().change == pytest.approx(ordered.finding().change)


def test_false_failures_over_all_orders_of_unchanged_pairs_are_exact() -> None:
    """The promise itself: every order of 10 unchanged pairs, at a tolerance that never binds."""
    rule = PairedRule(tolerance=1e-9, looks=(10,), alarm=0.01)
    sizes = np.random.default_rng(3).lognormal(-3, 1, 10)
    failures = 0
    for signs in product((-1, 1), repeat=10):
        trial = confirmed([exp(s * d) for s, d in zip(signs, sizes, strict=True)], rule=rule)
        failures += trial.finding().outcome is GateOutcome.REGRESSED
    assert 0.007 < failures / 2**10 <= 0.01


@pytest.mark.parametrize(("base", "head"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, np.inf)])
def test_a_ratio_of_nothing_is_refused(base: float, head: float) -> None:
    with pytest.raises(ValueError, match="positive figures"):
        PairedTrial(RULE).add(base, head)


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        PairedRule(tolerance=0.0)
    with pytest.raises(ValueError, match="looks must rise"):
        PairedRule(looks=(16, 12))


def test_the_smallest_effect_is_what_the_trial_finds_nine_times_in_ten() -> None:
    """Self-consistency: plant the effect that 12-pair confirmations say they would see."""
    rng = np.random.default_rng(11)
    rule = replace(RULE, looks=(16,))
    noise = 0.017
    said = [
        confirmed(np.exp(rng.normal(0.10, noise, 16)), rule=rule).finding().smallest_effect
        for _ in range(200)
    ]
    effect = float(np.median([value for value in said if value is not None]))
    found = [
        confirmed(np.exp(rng.normal(log1p(effect), noise, 16)), rule=rule).finding().outcome
        is GateOutcome.REGRESSED
        for _ in range(400)
    ]
    assert np.mean(found) >= 0.88


def test_a_forecast_is_near_what_the_pairs_then_say() -> None:
    rng = np.random.default_rng(12)
    ratios = []
    for _ in range(60):
        trial = PairedTrial(replace(RULE, looks=(32,)))
        feed(trial, np.exp(rng.normal(0.08, 0.03, 6)))
        trial.confirm(1)
        foreseen = trial.foreseen_effect(32)
        feed(trial, np.exp(rng.normal(0.08, 0.03, 32)))
        said = trial.finding().smallest_effect
        assert said is not None
        ratios.append(foreseen / said)
    assert 0.7 < np.median(ratios) < 1.4


def test_steady_figures_need_two_processes_a_side() -> None:
    trial = feed(SteadyTrial(SteadyRule()), [1.0])
    assert trial.wanted == 1
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    feed(trial, [1.0])
    assert trial.wanted == 0
    finding = trial.finding()
    assert (finding.outcome, finding.smallest_effect) == (GateOutcome.PASS, 0.005)


def test_one_per_cent_more_bytes_fails_and_is_confirmed_on_fresh_processes() -> None:
    trial = feed(SteadyTrial(SteadyRule()), [1.01, 1.01])
    assert trial.wanted == 2
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    feed(trial, [1.01, 1.01])
    finding = trial.finding()
    assert finding.outcome is GateOutcome.REGRESSED
    assert finding.change == pytest.approx(0.01)


def test_fewer_bytes_is_an_improvement() -> None:
    finding = feed(SteadyTrial(SteadyRule()), [0.9] * 4).finding()
    assert finding.outcome is GateOutcome.IMPROVED


def test_growth_out_of_nothing_fails_without_a_ratio() -> None:
    trial = SteadyTrial(SteadyRule())
    for _ in range(4):
        trial.add(0.0, 4096.0)
    finding = trial.finding()
    assert (finding.outcome, finding.change) == (GateOutcome.REGRESSED, None)
    with pytest.raises(ValueError, match="negative"):
        SteadyTrial(SteadyRule()).add(-1.0, 0.0)


def test_a_figure_that_does_not_repeat_is_judged_like_a_time() -> None:
    trial = feed(SteadyTrial(SteadyRule()), [1.03, 0.97])
    assert trial.wanted == 6
    feed(trial, [1.03, 0.97, 1.02, 0.98, 1.01, 0.99])
    assert trial.suspect == 0
    assert trial.finding().outcome is GateOutcome.PASS


def test_a_figure_with_two_modes_is_not_taken_for_a_change() -> None:
    """Both first heads in the upper mode and both bases in the lower: chance, not change."""
    trial = feed(SteadyTrial(SteadyRule()), [1.05, 1.05, 1.0, 1.05])
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    assert trial.wanted == 6
    feed(trial, [1.05] * 6)
    assert trial.suspect == 1
    trial.confirm(1)
    feed(trial, [1.05] * 12)
    assert trial.finding().outcome is GateOutcome.REGRESSED


def growth(base: tuple[float, float], head: tuple[float, float], pairs: int) -> GrowthTrial:
    trial = GrowthTrial(GrowthRule(threshold=512.0, unit="B/scan"))
    for _ in range(pairs):
        trial.add(
            Slope(base[0], sum(base) / 2, base[1]),
            Slope(head[0], sum(head) / 2, head[1]),
        )
    return trial


def test_a_new_leak_fails_after_fresh_processes() -> None:
    trial = growth((-50.0, 50.0), (4000.0, 4200.0), pairs=2)
    assert trial.wanted == 2
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE
    finding = growth((-50.0, 50.0), (4000.0, 4200.0), pairs=4).finding()
    assert finding.outcome is GateOutcome.REGRESSED
    assert finding.unit == "B/scan"


def test_an_old_leak_is_no_regression_and_a_mended_one_is_an_improvement() -> None:
    assert growth((4000.0, 4200.0), (4000.0, 4200.0), 2).finding().outcome is GateOutcome.PASS
    assert growth((4000.0, 4200.0), (-50.0, 50.0), 4).finding().outcome is GateOutcome.IMPROVED


def test_a_slope_that_is_not_sure_passes_and_says_what_it_would_have_seen() -> None:
    finding = growth((-50.0, 50.0), (300.0, 5000.0), 2).finding()
    assert finding.outcome is GateOutcome.PASS
    assert finding.smallest_effect is not None
    assert finding.smallest_effect > 512.0


def test_growth_that_fresh_processes_do_not_show_is_inconclusive() -> None:
    trial = growth((-50.0, 50.0), (4000.0, 4200.0), pairs=2)
    for _ in range(2):
        trial.add(0.0, 10.0)
    assert trial.finding().outcome is GateOutcome.INCONCLUSIVE


def test_a_size_that_the_base_does_not_repeat_is_left_out_as_from_a_baseline() -> None:
    trial = SteadyTrial(SteadyRule())
    trial.add(497.0, 497.0)
    with pytest.raises(NotRepeatingError, match=r"does not repeat \(spread 13\.1%\)"):
        trial.add(562.0, 497.0)
    with pytest.raises(NotRepeatingError, match="does not repeat"):
        require_repeating([497.0, 497.0, 562.0])
    require_repeating([497.0, 497.0, 498.0])


def test_what_is_left_out_has_no_verdict_and_stops_nothing() -> None:
    rule = PairedRule()
    running = Gate({"a": {"peak": SteadyTrial(SteadyRule()), "cpu_ns": PairedTrial(rule)}})
    for number in range(rule.screen_pairs):
        running.add("a", {"peak": (497.0 + 20 * number, 497.0), "cpu_ns": (1.0, 1.0)})
    assert [verdict.metric for verdict in running.verdicts()] == ["cpu_ns"]
    assert overall(running.verdicts()) is GateOutcome.PASS
    assert running.left_out == (("a", "peak", "does not repeat (spread 4.0%)"),)
