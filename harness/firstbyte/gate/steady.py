"""Figures that repeat exactly, such as allocated bytes: every head process against every base process.

What does not repeat in one and the same program is no size. One rule, for gates of pairs and for stored
baselines: it is left out, and said to be (`NotRepeatingError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from firstbyte.gate.paired import PairedRule, PairedTrial
from firstbyte.gate.trials import GateFigure, GateOutcome, TrialFinding, number_of

SIZE_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class SteadyRule:
    """How figures that repeat exactly (allocator peak, bytes, counts) are judged: no p-values."""

    tolerance: float = SIZE_TOLERANCE
    pairs: int = 2
    otherwise: PairedRule = field(default_factory=PairedRule)
    """Takes over where only the head does not agree with itself: the figure is then judged as a time."""


class NotRepeatingError(ValueError):
    """The processes of one program do not agree on the figure: it cannot be judged as a size."""


def require_repeating(values: Sequence[float], tolerance: float = SIZE_TOLERANCE) -> None:
    """Raises NotRepeatingError where the largest is above the smallest by more than the tolerance."""
    if max(values) > min(values) * (1 + tolerance):
        spread = max(values) / min(values) - 1 if min(values) else inf
        raise NotRepeatingError(f"does not repeat (spread {spread:.1%})")


class SteadyTrial:
    """Every head process above every base process by more than the tolerance, twice.

    A change is confirmed on as many fresh pairs, so a figure with two modes is not taken for a
    change. Where the base disagrees with itself the figure is no size; where only the head does, the
    pairs seen so far are discarded and a paired trial takes over.
    """

    def __init__(self, rule: SteadyRule) -> None:
        self._rule = rule
        self._pairs: list[tuple[float, float]] = []
        self._bases: list[float] = []
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

    def add(self, base: GateFigure, head: GateFigure) -> None:
        base, head = number_of(base), number_of(head)
        if not (0 <= base < inf and 0 <= head < inf):
            raise ValueError(f"a size cannot be negative: base {base:g}, head {head:g}")
        self._bases.append(base)
        require_repeating(self._bases, self._rule.tolerance)
        if self._paired is not None:
            self._paired.add(base, head)
            return
        self._pairs.append((base, head))
        if self.wanted == 0 and not self._repeats():
            self._paired = PairedTrial(self._rule.otherwise)

    def confirm(self, suspects: int) -> None:
        if self._paired is None:
            raise ValueError("a steady figure is confirmed while it is screened")
        self._paired.confirm(suspects)

    def foreseen_effect(self, pairs: int) -> float:
        return self._paired.foreseen_effect(pairs) if self._paired else self._rule.tolerance

    def finding(self) -> TrialFinding:
        if self._paired is not None:
            return self._paired.finding()
        if self.wanted:
            seen = len(self._pairs)
            return TrialFinding(
                GateOutcome.INCONCLUSIVE, f"{seen} of {seen + self.wanted} pairs", pairs=seen
            )
        base, head = (float(np.median(side)) for side in zip(*self._pairs, strict=True))
        direction = self._direction(self._pairs)
        outcome = (GateOutcome.PASS, GateOutcome.REGRESSED, GateOutcome.IMPROVED)[direction]
        changes = [_relative(before, after) for before, after in self._pairs]
        known = [change for change in changes if change is not None]
        return TrialFinding(
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


def _relative(before: float, after: float) -> float | None:
    """Relative change, or None from a base of zero, of which there is no multiple."""
    if before == 0:
        return 0.0 if after == 0 else None
    return after / before - 1
