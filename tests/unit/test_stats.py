"""The statistics against brute force, against scipy, and against their own invariances."""

from __future__ import annotations

from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from firstbyte.analysis.stats import (
    block_resample,
    clopper_pearson,
    hodges_lehmann,
    signed_rank_bounds,
    signed_rank_p,
    theil_sen,
)

# Few distinct values, so that ties and zeros are the rule and not the exception.
tied = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9)
real = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=12)


def p_by_enumeration(values: list[float]) -> float:
    """P(rank sum >= observed) over all sign patterns, zeros ranked and left out (Pratt)."""
    size = np.abs(values)
    ranks = scipy_stats.rankdata(size)
    observed = ranks[np.array(values) > 0].sum()
    movable = ranks[size > 0]
    sums = [
        movable[np.array(signs, dtype=bool)].sum() for signs in product((0, 1), repeat=len(movable))
    ]
    return float(np.mean([total >= observed - 1e-9 for total in sums]))


@given(tied)
def test_signed_rank_p_is_exact_under_ties_and_zeros(values: list[float]) -> None:
    assert signed_rank_p(values) == pytest.approx(p_by_enumeration(values), abs=1e-12)


@given(tied, st.sampled_from([0.5, 0.2, 0.05, 0.01]))
def test_exchangeable_pairs_are_rejected_no_more_often_than_promised(
    values: list[float], alpha: float
) -> None:
    """The promise of the gate: over all 2^n orders of unchanged pairs, P(p <= alpha) <= alpha."""
    orders = [
        signed_rank_p([sign * value for sign, value in zip(signs, values, strict=True)])
        for signs in product((-1, 1), repeat=len(values))
    ]
    assert np.mean([p <= alpha for p in orders]) <= alpha + 1e-12


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20, unique_by=abs))
def test_signed_rank_p_agrees_with_scipy_without_ties(values: list[float]) -> None:
    assume(all(values))
    theirs = scipy_stats.wilcoxon(values, alternative="greater", method="exact").pvalue
    assert signed_rank_p(values) == pytest.approx(theirs, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=8))
def test_signed_rank_p_agrees_with_scipy_permutation_under_pratt(values: list[float]) -> None:
    assume(any(values))
    theirs = scipy_stats.wilcoxon(
        values,
        alternative="greater",
        zero_method="pratt",
        method=scipy_stats.PermutationMethod(n_resamples=10**6),
    ).pvalue
    assert signed_rank_p(values) == pytest.approx(theirs, abs=1e-9)


@given(real, st.randoms(use_true_random=False), st.sampled_from([1e-9, 0.5, 2.0, 1024.0]))
def test_order_and_units_do_not_matter(values: list[float], random: object, unit: float) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert signed_rank_p(shuffled) == signed_rank_p(values)
    assert hodges_lehmann(shuffled) == hodges_lehmann(values)
    scaled = [value * unit for value in values]
    assert hodges_lehmann(scaled) == pytest.approx(float(hodges_lehmann(values)) * unit)
    assume(len({abs(value) for value in scaled}) == len({abs(value) for value in values}))
    assert signed_rank_p(scaled) == signed_rank_p(values)


@given(tied)
def test_turning_all_signs_swaps_the_tails(values: list[float]) -> None:
    """The two tails overlap in P(W = w), so together they are never less than one."""
    assert signed_rank_p(values) + signed_rank_p([-value for value in values]) >= 1 - 1e-12


def test_tiny_samples() -> None:
    assert signed_rank_p([]) == 1.0
    assert signed_rank_p([0.0]) == 1.0
    assert signed_rank_p([1.0]) == 0.5
    assert signed_rank_p([-1.0]) == 1.0
    assert signed_rank_p([1.0] * 12) == 2.0**-12
    assert signed_rank_bounds([], 0.05) == (-inf, inf)
    assert signed_rank_bounds([3.0], 0.05) == (-inf, inf)
    assert signed_rank_bounds([3.0], 0.5) == (3.0, 3.0)


def test_a_zero_weighs_against_a_change() -> None:
    """Pratt's point: an unchanged pair must not make the rest look more certain."""
    assert signed_rank_p([1.0, 2.0, 3.0, -0.5]) < signed_rank_p([1.0, 2.0, 3.0, -1.5])
    zero_ranked = signed_rank_p([0.0, 2.0, 3.0, -1.0])
    assert zero_ranked == p_by_enumeration([0.0, 2.0, 3.0, -1.0])
    assert zero_ranked == 2 / 8


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        signed_rank_p([1.0, float("nan")])


@given(real)
def test_hodges_lehmann_is_the_median_of_all_averages(values: list[float]) -> None:
    averages = [
        values[i] / 2 + values[j] / 2 for i in range(len(values)) for j in range(i, len(values))
    ]
    assert hodges_lehmann(values) == pytest.approx(float(np.median(averages)))


def test_hodges_lehmann_works_on_rows() -> None:
    rows = np.array([[1.0, 2.0, 9.0], [-1.0, 0.0, 1.0]])
    assert hodges_lehmann(rows).tolist() == [float(hodges_lehmann(row)) for row in rows]


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=14, unique_by=abs),
    st.sampled_from([0.5, 0.1, 0.05, 0.01, 0.00025]),
)
def test_bounds_are_the_inversion_of_the_test(values: list[float], alpha: float) -> None:
    """Without ties the lower bound exceeds zero exactly where the test rejects zero."""
    averages = {a / 2 + b / 2 for a in values for b in values}
    assume(0.0 not in averages)
    lower, upper = signed_rank_bounds(values, alpha)
    assert (lower > 0) == (signed_rank_p(values) <= alpha)
    assert (upper < 0) == (signed_rank_p([-value for value in values]) <= alpha)


def test_bounds_cover_the_true_centre_as_often_as_promised() -> None:
    """Over all sign patterns of |d| = 1..10 the lower bound lies above the centre in <= alpha."""
    misses = [
        signed_rank_bounds([s * d for s, d in zip(signs, range(1, 11), strict=True)], 0.05)[0] > 0
        for signs in product((-1.0, 1.0), repeat=10)
    ]
    assert 0.04 < np.mean(misses) <= 0.05


def test_theil_sen_recovers_a_line_and_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    x = np.arange(61.0)
    exact = theil_sen(x, 3.0 * x + 7)
    assert (exact.low, exact.estimate, exact.high) == (3.0, 3.0, 3.0)
    y = 0.5 * x + rng.standard_cauchy(61)
    fit = theil_sen(x, y, confidence=0.99)
    theirs = scipy_stats.theilslopes(y, x, alpha=0.99)
    assert (fit.low, fit.estimate, fit.high) == (theirs[2], theirs[0], theirs[3])
    assert fit.low < 0.5 < fit.high


@given(
    st.lists(st.integers(-50, 50).map(float), min_size=5, max_size=15), st.sampled_from([2.0, 0.25])
)
def test_theil_sen_scales_with_its_units(values: list[float], unit: float) -> None:
    x = [float(index) for index in range(len(values))]
    plain = theil_sen(x, values)
    scaled = theil_sen(x, [value * unit for value in values])
    assert scaled.estimate == pytest.approx(plain.estimate * unit)
    assert scaled.low == pytest.approx(plain.low * unit)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "at least 3 points"),
        ([1.0, 2.0, 3.0], [1.0], "differ in length"),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "x values that differ"),
    ],
)
def test_theil_sen_refuses_what_has_no_slope(x: list[float], y: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        theil_sen(x, y)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
def test_block_resample_keeps_neighbours(length: int, block: int, size: int) -> None:
    rng = np.random.default_rng(0)
    if block > length:
        with pytest.raises(ValueError, match="block must be between"):
            block_resample(length, block, size, rng)
        return
    drawn = block_resample(length, block, size, rng)
    assert drawn.size == size
    assert drawn.min() >= 0
    assert drawn.max() < length
    for start in range(0, size, block):
        part = drawn[start : start + block]
        assert (np.diff(part) % length == 1 % length).all()


def test_clopper_pearson_agrees_with_scipy() -> None:
    theirs = scipy_stats.binomtest(3, 50).proportion_ci(confidence_level=0.95, method="exact")
    assert clopper_pearson(3, 50) == pytest.approx((theirs.low, theirs.high))


def test_clopper_pearson_at_the_ends() -> None:
    """None in n: the bound solves (1 - p)^n = error, known as the rule of three."""
    low, high = clopper_pearson(0, 20_000)
    assert low == 0.0
    assert (1 - high) ** 20_000 == pytest.approx(0.05)
    assert clopper_pearson(7, 7)[1] == 1.0
    with pytest.raises(ValueError, match="trials > 0"):
        clopper_pearson(0, 0)
