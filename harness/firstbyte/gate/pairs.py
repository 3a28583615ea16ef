"""A pair: one fresh process of each side, and what the two are compared by."""

from __future__ import annotations

from firstbyte.gate.cases import Case
from firstbyte.gate.figures import in_turns
from firstbyte.gate.observe import GateSide, LiveSide, Observation
from firstbyte.gate.trials import GateFigure, PairedFigures
from firstbyte.model import Status


def observe_pair(
    first: GateSide, second: GateSide, case: Case, core: int | None
) -> tuple[Observation, Observation]:
    """A process of each side, together where that does not touch what is measured.

    Those that take turns keep to `core`, unless that is None.

    Spans of two processes that time the same thing alternate; sizes do not depend on the time that
    they take. Cold starts stand alone, one after the other.
    """
    if runs_together(case) and isinstance(first, LiveSide) and isinstance(second, LiveSide):
        return first.observe_together(second, case, core)
    return first.observe(case), second.observe(case)


def runs_together(case: Case) -> bool:
    """Whether the two processes of a pair may be alive at the same time."""
    return case.takes_turns or not case.timed


def paired_figures(base: Observation, head: Observation) -> PairedFigures:
    """Figures of both sides by metric, for what both gave; times that were taken in turns by turn."""
    pairs: dict[str, tuple[GateFigure, GateFigure]] = {
        name: (base.figures[name], head.figures[name])
        for name in base.figures.keys() & head.figures.keys()
    }
    for name in pairs:
        before, after = base.spans.get(name, ()), head.spans.get(name, ())
        if before and len(before) == len(after) and min(*before, *after) > 0:
            pairs[name] = in_turns(before, after)
    return pairs


def both_ok(base: Observation, head: Observation) -> bool:
    """Whether the processes of a pair ended well."""
    return base.status is head.status is Status.OK
