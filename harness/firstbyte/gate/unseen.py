"""Figures of an instrument that does not see the backend's memory: they are not gated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from firstbyte.gate.cases import Case
from firstbyte.gate.observe import GateSide, Observation
from firstbyte.gate.pairs import both_ok


@dataclass(frozen=True, slots=True)
class Unseen:
    """What was found out about the traced cases of a gate."""

    probes: Mapping[str, tuple[Observation, Observation]]
    """Those of the cases that are affected, without their figures."""
    lost: Mapping[str, str]
    """Cases in which the base's memory was seen and the head's is not, with the reason."""
    notes: Sequence[str]


def unseen(
    base: GateSide,
    head: GateSide,
    cases: Sequence[Case],
    probes: Mapping[str, tuple[Observation, Observation]],
) -> Unseen:
    """Ask both sides for each traced case whose probes ended OK."""
    without: dict[str, tuple[Observation, Observation]] = {}
    withheld: dict[str, list[str]] = {}
    lost: dict[str, str] = {}
    for case in cases:
        if not case.traced or case.name not in probes or not both_ok(*probes[case.name]):
            continue
        before, after = base.hidden(case), head.hidden(case)
        if not before and not after:
            continue
        of_base, of_head = probes[case.name]
        without[case.name] = (replace(of_base, figures={}), replace(of_head, figures={}))
        if of_base.figures and not before:
            lost[case.name] = f"memray saw the memory of the base, not that of the head: {after}"
        else:
            withheld.setdefault(before or after, []).append(f"{case.scenario} {case.subject}")
    notes = [
        f"heap figures of {', '.join(names)} withheld: {reason}"
        for reason, names in withheld.items()
    ]
    return Unseen(without, lost, notes)
