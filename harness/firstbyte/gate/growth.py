"""Slopes and accumulation, near zero when healthy: judged by an absolute threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstbyte.analysis.stats import Slope
from firstbyte.gate.trials import GateFigure, GateOutcome, TrialFinding


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

    def add(self, base: GateFigure, head: GateFigure) -> None:
        pair = (_slope(base), _slope(head))
        if not np.isfinite([(side.low, side.high) for side in pair]).all():
            raise ValueError("a growth figure must be finite")
        self._pairs.append(pair)

    def confirm(self, suspects: int) -> None:
        raise ValueError("growth is confirmed while it is screened")

    def foreseen_effect(self, pairs: int) -> float:
        return self._rule.threshold

    def finding(self) -> TrialFinding:
        seen, unit = len(self._pairs), self._rule.unit
        if self.wanted:
            rule = f"{seen} of {seen + self.wanted} pairs"
            return TrialFinding(GateOutcome.INCONCLUSIVE, rule, pairs=seen, unit=unit)
        outcome, rule = self._conclusion()
        rises = [head.estimate - base.estimate for base, head in self._pairs]
        width = max(
            (head.estimate - head.low) + (base.high - base.estimate) for base, head in self._pairs
        )
        return TrialFinding(
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

    def _conclusion(self) -> tuple[GateOutcome, str]:
        threshold = f"{self._rule.threshold:g} {self._rule.unit}"
        once = self._rule.pairs
        first, fresh = self._direction(self._pairs[:once]), self._direction(self._pairs[once:])
        if first == 0:
            return GateOutcome.PASS, f"no growth beyond {threshold}"
        if first == fresh:
            outcome = GateOutcome.REGRESSED if first > 0 else GateOutcome.IMPROVED
            return outcome, f"every pair beyond {threshold}"
        if first > 0:
            return GateOutcome.INCONCLUSIVE, f"beyond {threshold}, but not in fresh processes"
        return GateOutcome.PASS, f"no growth beyond {threshold}"

    def _direction(self, pairs: Sequence[tuple[Slope, Slope]]) -> int:
        if not pairs:
            return 0
        threshold = self._rule.threshold
        rose = all(head.low - max(base.high, 0.0) > threshold for base, head in pairs)
        fell = all(base.low - max(head.high, 0.0) > threshold for base, head in pairs)
        return int(rose) - int(fell)


def _slope(figure: GateFigure) -> Slope:
    return figure if isinstance(figure, Slope) else Slope(figure, figure, figure)
