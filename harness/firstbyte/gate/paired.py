"""Noisy figures, such as times: screened with a few pairs, confirmed by the signed-rank test."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf, log, log1p, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from firstbyte.analysis.stats import (
    Floats,
    hodges_lehmann,
    signed_rank_bounds,
    signed_rank_bounds_of_rows,
    signed_rank_p,
)
from firstbyte.gate.trials import GateFigure, GateOutcome, TrialFinding, number_of

TIME_TOLERANCE = 0.02
SHOWN_ERROR = 0.025
"""Error on each side of the interval that is shown: together a 95% interval."""
SCREEN_ERROR = 0.05
MISSED = 0.10
"""A smallest detectable effect is one that would be missed at most this often."""


@dataclass(frozen=True, slots=True)
class PairedRule:
    """How noisy figures (times) are judged. Fractions are relative changes."""

    tolerance: float = TIME_TOLERANCE
    """A change up to this is never a failure. What is sought is 2.5 times as large: a threshold
    equal to the effect sought finds it every second time only."""
    screen_pairs: int = 6
    longest_screen_pairs: int = 12
    """Where the noise is such that the screen could not rule out the change that is sought, it goes
    on to so many pairs. Its data are discarded either way, so this costs no certainty."""
    looks: tuple[int, ...] = (12, 16, 24, 32)
    """Numbers of fresh pairs at which a confirmation may stop."""
    alarm: float = 0.001
    """Chance of one or more false failures in a whole gate, shared by all suspects and looks."""

    def __post_init__(self) -> None:
        if self.tolerance <= 0:
            raise ValueError(f"tolerance must be above 0, got {self.tolerance:g}")
        if self.longest_screen_pairs < self.screen_pairs:
            raise ValueError("longest_screen_pairs must not be below screen_pairs")
        if self.screen_pairs < 1 or not self.looks or list(self.looks) != sorted(set(self.looks)):
            raise ValueError("screen_pairs must be positive and looks must rise")

    @property
    def sought(self) -> float:
        return 2.5 * self.tolerance

    @property
    def negligible(self) -> float:
        return self.tolerance / 4

    def clears(self, differences: Floats) -> NDArray[np.bool_]:
        """Whether screens of shape (..., screen_pairs) rule out the change that is sought."""
        upper = signed_rank_bounds_of_rows(differences, SCREEN_ERROR)[1]
        return np.asarray(upper < log1p(self.sought))

    def p_needed(self, suspects: int) -> float:
        """Bonferroni over the looks and the suspects: valid under any dependence between them."""
        return self.alarm / (len(self.looks) * suspects)


class PairedTrial:
    """Screen by the Hodges-Lehmann estimate of log(head / base); confirm by the signed-rank test.

    Random order makes base and head exchangeable where nothing changed, which is all that the test
    assumes: no normality, no equal variances, no quiet machine.
    """

    def __init__(self, rule: PairedRule) -> None:
        self._rule = rule
        self._pairs: list[tuple[float, float]] = []
        self._screen_pairs = rule.screen_pairs
        self._suspects = 0
        self._direction = 0
        self._decided: GateOutcome | None = None
        self._screen_error = inf

    @property
    def wanted(self) -> int:
        if self._suspects == 0:
            return max(0, self._screen_pairs - len(self._pairs))
        if self._decided is not None:
            return 0
        return next(look for look in self._rule.looks if look > len(self._pairs)) - len(self._pairs)

    @property
    def suspect(self) -> int:
        if self._suspects or self.wanted:
            return 0
        centre = float(hodges_lehmann(self._differences()))
        threshold = log1p(self._rule.tolerance)
        return int(centre > threshold) - int(centre < -threshold)

    def add(self, base: GateFigure, head: GateFigure) -> None:
        base, head = number_of(base), number_of(head)
        if not (0 < base < inf and 0 < head < inf):
            raise ValueError(f"a ratio needs positive figures, got base {base:g}, head {head:g}")
        self._pairs.append((base, head))
        if self._suspects == 0 and len(self._pairs) == self._rule.screen_pairs:
            self._lengthen_screen()
        if self._suspects and len(self._pairs) in self._rule.looks:
            self._look()

    def confirm(self, suspects: int) -> None:
        self._direction = self.suspect
        differences = self._differences()
        self._screen_error = (
            float(hodges_lehmann(differences)) - (signed_rank_bounds(differences, MISSED)[0])
        )
        self._suspects = suspects
        self._pairs.clear()

    def foreseen_effect(self, pairs: int) -> float:
        """About the smallest change that so many confirming pairs find nine times in ten.

        A forecast from the few pairs of the screen, by normal quantiles and the square root of the
        number of pairs; what the pairs themselves say comes with the finding.
        """
        normal = NormalDist()
        error = self._screen_error * sqrt(self._screen_pairs / pairs)
        certainty = -normal.inv_cdf(self._rule.p_needed(self._suspects))
        crossing = max(log1p(self._rule.tolerance), error * certainty / -normal.inv_cdf(MISSED))
        return expm1(crossing + error)

    def _lengthen_screen(self) -> None:
        differences = self._differences()
        unsuspected = abs(float(hodges_lehmann(differences))) <= log1p(self._rule.tolerance)
        if unsuspected and not self._rule.clears(differences):
            self._screen_pairs = self._rule.longest_screen_pairs

    def _look(self) -> None:
        rule = self._rule
        rises = self._direction * self._differences()
        centre = float(hodges_lehmann(rises))
        upper = signed_rank_bounds(rises, 0.05)[1]
        if centre > log1p(rule.tolerance) and signed_rank_p(rises) <= rule.p_needed(self._suspects):
            self._decided = GateOutcome.REGRESSED if self._direction > 0 else GateOutcome.IMPROVED
        elif centre < log1p(rule.negligible) or (
            upper < log1p(rule.sought) and centre < log1p(rule.tolerance)
        ):
            self._decided = GateOutcome.PASS
        elif len(self._pairs) == rule.looks[-1]:
            # An improvement that cannot be proved is no reason to hold a change back.
            self._decided = GateOutcome.INCONCLUSIVE if self._direction > 0 else GateOutcome.PASS

    def finding(self) -> TrialFinding:
        if not self._pairs:
            return TrialFinding(GateOutcome.INCONCLUSIVE, "no pairs were measured")
        differences = self._differences()
        low, high = signed_rank_bounds(differences, SHOWN_ERROR)
        base, head = (float(np.median(side)) for side in zip(*self._pairs, strict=True))
        outcome, rule = self._conclusion()
        return TrialFinding(
            outcome=outcome,
            rule=rule,
            base=base,
            head=head,
            change=expm1(float(hodges_lehmann(differences))),
            low=_change_or_none(low),
            high=_change_or_none(high),
            pairs=len(self._pairs),
            smallest_effect=self._smallest_effect(differences),
        )

    def _conclusion(self) -> tuple[GateOutcome, str]:
        rule = self._rule
        if self._suspects == 0:
            if self.wanted:
                return GateOutcome.INCONCLUSIVE, f"{len(self._pairs)} of {self._screen_pairs} pairs"
            if self.suspect:
                return GateOutcome.INCONCLUSIVE, "a suspect that was not confirmed on fresh pairs"
            return GateOutcome.PASS, f"screen: within {rule.tolerance:.1%}"
        needed = rule.p_needed(self._suspects)
        if self._decided in (GateOutcome.REGRESSED, GateOutcome.IMPROVED):
            p = signed_rank_p(self._direction * self._differences())
            return self._decided, f"signed-rank p = {p:.1e} <= {needed:.1e}"
        if self._decided is GateOutcome.PASS:
            return (
                self._decided,
                f"not confirmed as {'slower' if self._direction > 0 else 'faster'}",
            )
        return GateOutcome.INCONCLUSIVE, f"undecided at {len(self._pairs)} pairs"

    def _smallest_effect(self, differences: Floats) -> float | None:
        """Shift by which this sample would have crossed the rule, plus room for being unlucky."""
        centre = float(hodges_lehmann(differences))
        unlucky = centre - signed_rank_bounds(differences, MISSED)[0]
        crossing = log1p(self._rule.tolerance)
        if self._suspects:
            error = self._rule.p_needed(self._suspects)
            crossing = max(crossing, centre - signed_rank_bounds(differences, error)[0])
        return _change_or_none(crossing + unlucky)

    def _differences(self) -> Floats:
        return np.array([log(head / base) for base, head in self._pairs])


def _change_or_none(log_ratio: float) -> float | None:
    return expm1(log_ratio) if np.isfinite(log_ratio) else None
