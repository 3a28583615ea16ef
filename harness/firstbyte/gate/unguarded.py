"""Backends of which a gate judges no memory: the first thing that its reader has to know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from firstbyte.gate.cases import Case
from firstbyte.gate.metrics import MEMORY_METRICS, GatedMetric
from firstbyte.gate.observe import Observation
from firstbyte.model import Status


@dataclass(frozen=True, slots=True)
class Unguarded:
    """A backend and variant whose memory is not gated, and why."""

    case: str
    """The first of its cases."""
    subject: str
    reason: str

    def __str__(self) -> str:
        return f"memory of {self.subject}: not gated, because {self.reason}"


def unguarded(
    cases: Iterable[Case],
    judged: Mapping[str, Collection[str]],
    probes: Mapping[str, tuple[Observation, Observation]],
    metrics: Sequence[GatedMetric],
) -> list[Unguarded]:
    """Those without a memory metric among the `judged` ones, which are named by case."""
    by_subject: dict[str, list[Case]] = {}
    for case in cases:
        if case.name in judged:
            by_subject.setdefault(str(case.subject), []).append(case)
    return [
        Unguarded(own[0].name, subject, _reason(own, probes, metrics))
        for subject, own in by_subject.items()
        if not any(set(MEMORY_METRICS) & set(judged[case.name]) for case in own)
    ]


def _reason(
    cases: Sequence[Case],
    probes: Mapping[str, tuple[Observation, Observation]],
    metrics: Sequence[GatedMetric],
) -> str:
    if not any(metric.name in MEMORY_METRICS for metric in metrics):
        return "no metric of memory is among those that are gated"
    for case in cases:
        sides = probes.get(case.name, ())
        if not case.timed and (bad := [one for one in sides if one.status is not Status.OK]):
            return f"{case.scenario} is {bad[0].status}: {bad[0].reason}"
    return "no scenario of this gate gives a figure of it that can be judged"
