"""Trials: each judges one metric of one case, is fed pairs, and says how many more it wants.

A pair is the figure of one fresh base process and one fresh head process, run in random order. A
trial is a pure state machine without clock or processes, so that the very code that decides can be
replayed by `firstbyte.selfcheck.gate.simulation`. Which trial judges which figures: `paired` noisy ones,
`steady` those that repeat exactly, `growth` slopes.

A trial goes through two phases. While it is being screened it wants a few pairs and may become a
suspect. The gate then freezes the number of suspects, and each suspect is confirmed on fresh pairs:
what made it a suspect is thrown away, or its chance to be picked would have to be paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from firstbyte.analysis.stats import Slope

GateFigure = float | Slope
"""What one process gave for a metric: a number, or a slope with its interval."""
PairedFigures = Mapping[str, tuple[GateFigure, GateFigure]]
"""By metric: the base's and the head's, of one pair."""


class GateOutcome(StrEnum):
    """What a gate says, of one metric and as a whole."""

    PASS = "PASS"
    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """What a trial found. Effects are relative changes (0.05 is +5%) unless `unit` names a unit."""

    outcome: GateOutcome
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

    def add(self, base: GateFigure, head: GateFigure) -> None:
        """Feed one pair. Raises ValueError for a figure that this rule cannot judge."""
        ...

    def confirm(self, suspects: int) -> None:
        """Begin confirmation as one of `suspects` in the same direction."""
        ...

    def foreseen_effect(self, pairs: int) -> float:
        """The smallest change that a confirmation on so many pairs is expected to find."""
        ...

    def finding(self) -> TrialFinding:
        """What was found so far; INCONCLUSIVE while pairs are still wanted."""
        ...


def number_of(figure: GateFigure) -> float:
    """The figure itself, or the estimate of a slope."""
    return figure.estimate if isinstance(figure, Slope) else figure
