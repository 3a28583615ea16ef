"""Distribution-free statistics, exact where the harness acts on them; no assumption about tails.

Sources are named at each function. Arrays are one-dimensional unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hodges_lehmann(differences: Sequence[float] | Floats) -> Floats:
    """Median of the Walsh averages (d_i + d_j) / 2, i <= j: a centre that outliers cannot move.

    `differences` has shape (..., n) with n >= 1; the result has shape (...), in the same unit.
    Source: Hodges and Lehmann, Ann. Math. Stat. 34 (1963) 598-611.
    """
    return np.asarray(np.median(_walsh_averages(differences), axis=-1))


def signed_rank_p(differences: Sequence[float] | Floats) -> float:
    """Exact one-sided p-value of the Wilcoxon signed-rank test; small when values exceed zero.

    If each difference is as likely as its negative (pairs in random order, nothing changed), then
    given the absolute values all 2^n sign patterns are equally likely. The distribution of the rank
    sum is built by convolution over the actual midranks, so it is exact under ties as well.

    Zeros follow Pratt: they are ranked, then left out of the sum. Dropping them before ranking
    (Wilcoxon's way) can make a result more significant when a difference shrinks to nothing; an
    unchanged pair is evidence against a change and has to keep its rank.

    Returns 1.0 for no differences. Raises ValueError for a value that is not finite.
    Sources: Wilcoxon, Biometrics Bull. 1 (1945) 80-83; Pratt, JASA 54 (1959) 655-667.
    """
    values = _finite(differences)
    if values.size == 0:
        return 1.0
    doubled = _doubled_midranks(np.abs(values))
    observed = int(doubled[values > 0].sum())
    null = _null_distribution(tuple(int(rank) for rank in np.sort(doubled[values != 0])))
    # The same numbers summed in another order may exceed one by a rounding step beyond n = 53.
    return min(1.0, float(null[observed:].sum()))


def signed_rank_bounds(differences: Sequence[float] | Floats, alpha: float) -> tuple[float, float]:
    """Lower and upper confidence bounds of the centre, each one-sided with error at most `alpha`.

    Order statistics of the Walsh averages, at the exact critical value of the signed-rank
    distribution; infinite where n is too small for `alpha` (2^-n > alpha). Together they are an
    interval with confidence 1 - 2 alpha. Source: Lehmann, Nonparametrics (1975), section 4.3.
    """
    lower, upper = signed_rank_bounds_of_rows(_finite(differences), alpha)
    return float(lower), float(upper)


def signed_rank_bounds_of_rows(differences: Floats, alpha: float) -> tuple[Floats, Floats]:
    """`signed_rank_bounds` along the last axis of an array of shape (..., n), n >= 0."""
    depth = _critical_depth(differences.shape[-1], alpha)
    if depth == 0:
        unbounded = np.full(differences.shape[:-1], np.inf)
        return -unbounded, unbounded
    walsh = np.sort(_walsh_averages(differences), axis=-1)
    return walsh[..., depth - 1], walsh[..., -depth]


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with its confidence interval, in units of y per unit of x."""

    low: float
    estimate: float
    high: float


def theil_sen(x: Sequence[float], y: Sequence[float], confidence: float = 0.99) -> Slope:
    """Median of the slopes between all pairs of points, with Sen's interval at `confidence`.

    The interval takes points as independent: for autocorrelated series (resident memory) it is too
    narrow, so callers add a threshold of their own. Raises ValueError for fewer than three points,
    unequal lengths or x all equal.
    Sources: Theil (1950); Sen, JASA 63 (1968) 1379-1389, through scipy.stats.theilslopes.
    """
    from scipy import stats as scipy_stats

    if len(x) != len(y):
        raise ValueError(f"x and y differ in length: {len(x)} and {len(y)}")
    if len(x) < 3:
        raise ValueError(f"a slope with an interval needs at least 3 points, got {len(x)}")
    if min(x) == max(x):
        raise ValueError("a slope needs x values that differ")
    fit = scipy_stats.theilslopes(_finite(y), _finite(x), alpha=confidence)
    return Slope(float(fit.low_slope), float(fit.slope), float(fit.high_slope))


def block_resample(
    length: int, block: int, size: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """`size` indices into a series of `length`, drawn as circular blocks of consecutive positions.

    Neighbours stay neighbours, so that drift and bursts of the machine survive the resampling.
    Source: Politis and Romano, circular block resampling (1992).
    """
    if not (1 <= block <= length):
        raise ValueError(f"block must be between 1 and the series length {length}, got {block}")
    starts = rng.integers(length, size=-(-size // block))
    positions = (starts[:, None] + np.arange(block)[None, :]) % length
    return positions.ravel()[:size]


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided confidence interval of a proportion; never narrower than promised.

    With no success (or no failure) all the error is given to the one side that is open.
    Source: Clopper and Pearson, Biometrika 26 (1934) 404-413.
    """
    from scipy import stats as scipy_stats

    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"need 0 <= successes <= trials and trials > 0: {successes}, {trials}")
    error = 1 - confidence
    tail = error if successes in (0, trials) else error / 2
    beta = scipy_stats.beta
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.isf(tail, successes + 1, trials - successes))
    return low, high


def _finite(values: Sequence[float] | Floats) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("all values must be finite numbers")
    return array


def _walsh_averages(differences: Sequence[float] | Floats) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    first, second = _walsh_indices(values.shape[-1])
    # Halving first cannot overflow, and x/2 + x/2 is x exactly.
    return np.asarray(values[..., first] / 2 + values[..., second] / 2)


@lru_cache(maxsize=128)
def _walsh_indices(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count)


def _doubled_midranks(values: Floats) -> NDArray[np.intp]:
    """Twice the ranks 1..n, ties sharing their mean: doubled, they are whole numbers."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((2 * last - counts + 1)[inverse])


@lru_cache(maxsize=1024)
def _null_distribution(doubled_ranks: tuple[int, ...]) -> Floats:
    """Probability of each doubled rank sum, every rank joining it with probability one half.

    All probabilities are multiples of 2^-n, hence exact in binary floating point up to n = 53.
    """
    distribution = np.zeros(sum(doubled_ranks) + 1)
    distribution[0] = 1.0
    for rank in doubled_ranks:
        joined = np.zeros_like(distribution)
        joined[rank:] = distribution[: distribution.size - rank]
        distribution = (distribution + joined) / 2
    return distribution


@lru_cache(maxsize=1024)
def _critical_depth(count: int, alpha: float) -> int:
    """Largest c with P(rank sum <= c - 1) <= alpha when there are no ties; 0 where none exists."""
    tail = np.cumsum(_null_distribution(tuple(range(1, count + 1))))
    return int(np.searchsorted(tail, alpha, side="right"))
