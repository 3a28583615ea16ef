"""Trials: each judges one metric of one case, is fed pairs, and says how many more it wants.

A pair is the figure of one fresh base process and one fresh head process, run in random order. A
trial is a pure state machine without clock or processes, so that the very code that decides can be
replayed by `firstbyte.selfcheck.gate.simulation`.

A trial goes through two phases. While it is being screened it wants a few pairs and may become a
suspect. The gate then freezes the number of suspects, and each suspect is confirmed on fresh pairs:
what made it a suspect is thrown away, or its chance to be picked would have to be paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import expm1, inf, log, log1p, sqrt
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firstbyte.analysis.stats import (
    Floats,
    Slope,
    hodges_lehmann,
    signed_rank_bounds,
    signed_rank_bounds_of_rows,
    signed_rank_p,
)

TIME_TOLERANCE = 0.02
SIZE_TOLERANCE = 0.005
SHOWN_ERROR = 0.025
"""Error on each side of the interval that is shown: together a 95% interval."""
SCREEN_ERROR = 0.05
MISSED = 0.10
"""A smallest detectable effect is one that would be missed at most this often."""


Figure = float | Slope
"""What one process gave for a metric: a number, or a slope with its interval."""


class Outcome(StrEnum):
    """What a gate says, of one metric and as a whole."""

    PASS = "PASS"
    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial found. Effects are relative changes (0.05 is +5%) unless `unit` names a unit."""

    outcome: Outcome
    rule: str
    base: float | None = None
    head: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    smallest_effect: float | None = None
    """The smallest change that this trial would have found nine times in ten, given its noise."""
    unit: str = "ratio"


class Trial(Protocol):
    """One metric of one case under judgement."""

    @property
    def wanted(self) -> int:
        """Pairs still wanted in this phase; 0 when the phase is over."""
        ...

    @property
    def suspect(self) -> int:
        """After screening: +1 for a rise to confirm, -1 for a fall to confirm, else 0."""
        ...

    def add(self, base: Figure, head: Figure) -> None:
        """Feed one pair. Raises ValueError for a figure that this rule cannot judge."""
        ...

    def confirm(self, suspects: int) -> None:
        """Begin confirmation as one of `suspects` in the same direction."""
        ...

    def foreseen_effect(self, pairs: int) -> float:
        """The smallest change that a confirmation on so many pairs is expected to find."""
        ...

    def finding(self) -> Finding:
        """What was found so far; INCONCLUSIVE while pairs are still wanted."""
        ...


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
        self._decided: Outcome | None = None
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

    def add(self, base: Figure, head: Figure) -> None:
        base, head = _number(base), _number(head)
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
            self._decided = Outcome.REGRESSED if self._direction > 0 else Outcome.IMPROVED
        elif centre < log1p(rule.negligible) or (
            upper < log1p(rule.sought) and centre < log1p(rule.tolerance)
        ):
            self._decided = Outcome.PASS
        elif len(self._pairs) == rule.looks[-1]:
            # An improvement that cannot be proved is no reason to hold a change back.
            self._decided = Outcome.INCONCLUSIVE if self._direction > 0 else Outcome.PASS

    def finding(self) -> Finding:
        if not self._pairs:
            return Finding(Outcome.INCONCLUSIVE, "no pairs were measured")
        differences = self._differences()
        low, high = signed_rank_bounds(differences, SHOWN_ERROR)
        base, head = (float(np.median(side)) for side in zip(*self._pairs, strict=True))
        outcome, rule = self._conclusion()
        return Finding(
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

    def _conclusion(self) -> tuple[Outcome, str]:
        rule = self._rule
        if self._suspects == 0:
            if self.wanted:
                return Outcome.INCONCLUSIVE, f"{len(self._pairs)} of {self._screen_pairs} pairs"
            if self.suspect:
                return Outcome.INCONCLUSIVE, "a suspect that was not confirmed on fresh pairs"
            return Outcome.PASS, f"screen: within {rule.tolerance:.1%}"
        needed = rule.p_needed(self._suspects)
        if self._decided in (Outcome.REGRESSED, Outcome.IMPROVED):
            p = signed_rank_p(self._direction * self._differences())
            return self._decided, f"signed-rank p = {p:.1e} <= {needed:.1e}"
        if self._decided is Outcome.PASS:
            return (
                self._decided,
                f"not confirmed as {'slower' if self._direction > 0 else 'faster'}",
            )
        return Outcome.INCONCLUSIVE, f"undecided at {len(self._pairs)} pairs"

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


@dataclass(frozen=True, slots=True)
class SteadyRule:
    """How figures that repeat exactly (allocator peak, bytes, counts) are judged: no p-values."""

    tolerance: float = SIZE_TOLERANCE
    pairs: int = 2
    otherwise: PairedRule = field(default_factory=PairedRule)
    """Takes over where a side does not agree with itself: the figure is then judged as a time."""


class SteadyTrial:
    """Every head process above every base process by more than the tolerance, twice.

    A change is confirmed on as many fresh pairs, so a figure with two modes is not taken for a
    change. A side that disagrees with itself shows that the figure does not repeat here: then the
    pairs seen so far are discarded and a paired trial takes over.
    """

    def __init__(self, rule: SteadyRule) -> None:
        self._rule = rule
        self._pairs: list[tuple[float, float]] = []
        self._paired: PairedTrial | None = None

    @property
    def wanted(self) -> int:
        if self._paired is not None:
            return self._paired.wanted
        if len(self._pairs) < self._rule.pairs:
            return self._rule.pairs - len(self._pairs)
        if self._direction(self._pairs[: self._rule.pairs]):
            return max(0, 2 * self._rule.pairs - len(self._pairs))
        return 0

    @property
    def suspect(self) -> int:
        return self._paired.suspect if self._paired is not None else 0

    def add(self, base: Figure, head: Figure) -> None:
        base, head = _number(base), _number(head)
        if self._paired is not None:
            self._paired.add(base, head)
            return
        if not (0 <= base < inf and 0 <= head < inf):
            raise ValueError(f"a size cannot be negative: base {base:g}, head {head:g}")
        self._pairs.append((base, head))
        if self.wanted == 0 and not self._repeats():
            self._paired = PairedTrial(self._rule.otherwise)

    def confirm(self, suspects: int) -> None:
        if self._paired is None:
            raise ValueError("a steady figure is confirmed while it is screened")
        self._paired.confirm(suspects)

    def foreseen_effect(self, pairs: int) -> float:
        return self._paired.foreseen_effect(pairs) if self._paired else self._rule.tolerance

    def finding(self) -> Finding:
        if self._paired is not None:
            return self._paired.finding()
        if self.wanted:
            seen = len(self._pairs)
            return Finding(
                Outcome.INCONCLUSIVE, f"{seen} of {seen + self.wanted} pairs", pairs=seen
            )
        base, head = (float(np.median(side)) for side in zip(*self._pairs, strict=True))
        direction = self._direction(self._pairs)
        outcome = (Outcome.PASS, Outcome.REGRESSED, Outcome.IMPROVED)[direction]
        changes = [_relative(before, after) for before, after in self._pairs]
        known = [change for change in changes if change is not None]
        return Finding(
            outcome=outcome,
            rule=f"every process {'beyond' if direction else 'within'} {self._rule.tolerance:.1%}",
            base=base,
            head=head,
            change=_relative(base, head),
            low=min(known, default=None),
            high=max(known, default=None),
            pairs=len(self._pairs),
            smallest_effect=self._rule.tolerance,
        )

    def _direction(self, pairs: Sequence[tuple[float, float]]) -> int:
        bases, heads = zip(*pairs, strict=True)
        factor = 1 + self._rule.tolerance
        return int(min(heads) > max(bases) * factor) - int(max(heads) * factor < min(bases))

    def _repeats(self) -> bool:
        factor = 1 + self._rule.tolerance
        half = self._rule.pairs
        steady = all(max(side) <= min(side) * factor for side in zip(*self._pairs, strict=True))
        same = len(self._pairs) == half or (
            self._direction(self._pairs[:half]) == self._direction(self._pairs[half:])
        )
        return steady and same


@dataclass(frozen=True, slots=True)
class GrowthRule:
    """How slopes and accumulation coefficients are judged: absolute, as their base is near zero."""

    threshold: float
    unit: str
    pairs: int = 2


class GrowthTrial:
    """Head grows surely by more than the threshold beyond what base may do, in every pair, twice.

    "Surely" means that the intervals are apart, where the figures carry intervals. A rise is
    confirmed on as many fresh pairs.
    """

    def __init__(self, rule: GrowthRule) -> None:
        self._rule = rule
        self._pairs: list[tuple[Slope, Slope]] = []

    @property
    def wanted(self) -> int:
        once, seen = self._rule.pairs, len(self._pairs)
        if seen < once:
            return once - seen
        return max(0, 2 * once - seen) if self._direction(self._pairs[:once]) else 0

    @property
    def suspect(self) -> int:
        return 0

    def add(self, base: Figure, head: Figure) -> None:
        pair = (_slope(base), _slope(head))
        if not np.isfinite([(side.low, side.high) for side in pair]).all():
            raise ValueError("a growth figure must be finite")
        self._pairs.append(pair)

    def confirm(self, suspects: int) -> None:
        raise ValueError("growth is confirmed while it is screened")

    def foreseen_effect(self, pairs: int) -> float:
        return self._rule.threshold

    def finding(self) -> Finding:
        seen, unit = len(self._pairs), self._rule.unit
        if self.wanted:
            rule = f"{seen} of {seen + self.wanted} pairs"
            return Finding(Outcome.INCONCLUSIVE, rule, pairs=seen, unit=unit)
        outcome, rule = self._conclusion()
        rises = [head.estimate - base.estimate for base, head in self._pairs]
        width = max(
            (head.estimate - head.low) + (base.high - base.estimate) for base, head in self._pairs
        )
        return Finding(
            outcome=outcome,
            rule=rule,
            base=float(np.median([base.estimate for base, _ in self._pairs])),
            head=float(np.median([head.estimate for _, head in self._pairs])),
            change=float(np.median(rises)),
            low=min(rises),
            high=max(rises),
            pairs=seen,
            smallest_effect=self._rule.threshold + width,
            unit=unit,
        )

    def _conclusion(self) -> tuple[Outcome, str]:
        threshold = f"{self._rule.threshold:g} {self._rule.unit}"
        once = self._rule.pairs
        first, fresh = self._direction(self._pairs[:once]), self._direction(self._pairs[once:])
        if first == 0:
            return Outcome.PASS, f"no growth beyond {threshold}"
        if first == fresh:
            outcome = Outcome.REGRESSED if first > 0 else Outcome.IMPROVED
            return outcome, f"every pair beyond {threshold}"
        if first > 0:
            return Outcome.INCONCLUSIVE, f"beyond {threshold}, but not in fresh processes"
        return Outcome.PASS, f"no growth beyond {threshold}"

    def _direction(self, pairs: Sequence[tuple[Slope, Slope]]) -> int:
        if not pairs:
            return 0
        threshold = self._rule.threshold
        rose = all(head.low - max(base.high, 0.0) > threshold for base, head in pairs)
        fell = all(base.low - max(head.high, 0.0) > threshold for base, head in pairs)
        return int(rose) - int(fell)


def _number(figure: Figure) -> float:
    return figure.estimate if isinstance(figure, Slope) else figure


def _slope(figure: Figure) -> Slope:
    return figure if isinstance(figure, Slope) else Slope(figure, figure, figure)


def _relative(before: float, after: float) -> float | None:
    """Relative change, or None from a base of zero, of which there is no multiple."""
    if before == 0:
        return 0.0 if after == 0 else None
    return after / before - 1


def _change_or_none(log_ratio: float) -> float | None:
    return expm1(log_ratio) if np.isfinite(log_ratio) else None
