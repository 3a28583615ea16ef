"""Passes that say little: too noisy for the change that is sought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firstbyte.gate.metrics import GATED_METRICS, MetricKind, Tolerances
from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.verdicts import Verdict
from firstbyte.model import CellKey

BLIND_TOLERANCES = 5.0
"""A pass that would not have shown a change of so many tolerances is pointed out."""
MOST_NAMED = 5


def blind_passes(verdicts: Iterable[Verdict], tolerances: Mapping[str, Tolerances]) -> list[str]:
    """A line for the reader where there are any. `tolerances` are those of each case, by name."""
    blind = [
        f"{verdict.case} {verdict.metric} ({verdict.finding.smallest_effect:+.1%})"
        if verdict.finding.smallest_effect is not None
        else f"{verdict.case} {verdict.metric} (any)"
        for verdict in verdicts
        if verdict.finding.outcome is GateOutcome.PASS and _too_noisy(verdict, tolerances)
    ]
    if not blind:
        return []
    shown = ", ".join(blind[:MOST_NAMED]) + (" ..." if len(blind) > MOST_NAMED else "")
    return [
        f"{len(blind)} metrics passed that were too noisy to show a change of"
        f" {BLIND_TOLERANCES:g} tolerances nine times in ten, with what they would show: {shown}"
    ]


def _too_noisy(verdict: Verdict, tolerances: Mapping[str, Tolerances]) -> bool:
    metric = GATED_METRICS.get(verdict.metric)
    if metric is None or metric.kind is not MetricKind.TIME:
        return False
    tolerance = tolerances[verdict.case].of(CellKey.parse(verdict.case).scenario, metric)
    seen = verdict.finding.smallest_effect
    return seen is None or seen > BLIND_TOLERANCES * tolerance
