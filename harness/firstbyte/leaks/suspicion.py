"""One ledger over all processes of an investigation: is it settled, and if not, what would settle it?

A suspicious series is followed up: in two more fresh processes, then over four times as many uses, and
where that leaves it open, over sixteen times as many. A leak grows in two processes at least, is flagged in
the longest, and keeps its slope as the uses become more. A suspicion is refuted where the slope of a longer
series is surely less than half of what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from firstbyte.leaks.slopes import SeriesFinding

KIB = 1024

PERSISTENCE = 0.5
"""Over more uses, a leak keeps at least this share of its slope."""
CONFIRMING_PROCESSES = 3
CONFIRMING_MAJORITY = 2
LONGER = 4
LONGEST = 16
"""So many times the uses of the first process."""
BLIND_BYTES = 32 * KIB
"""A series that would not have shown a leak of this size per use is not enough to call anything clean."""


class Wants(StrEnum):
    """What would settle a suspicion, in the order in which it is done."""

    NOTHING = ""
    PROCESSES = "processes"
    LONGER = "longer"
    LONGEST = "longest"


class State(StrEnum):
    """What is known of a ledger."""

    CLEAR = "clear"
    OPEN = "open"
    LEAKS = "leaks"


@dataclass(frozen=True, slots=True)
class Followed:
    """The state of one ledger, with the finding that shows it best."""

    state: State
    finding: SeriesFinding
    reason: str = ""
    """Empty where nothing was ever suspicious."""
    wants: Wants = Wants.NOTHING


def settle(
    short: Sequence[SeriesFinding], longer: Sequence[SeriesFinding], *, exhausted: bool
) -> Followed:
    """What one to three processes of N uses say, and with them one of LONGER N and one of LONGEST N.

    `exhausted`: nothing more can be done, so what is open stays open.
    """
    last = longer[-1] if longer else short[0]
    suspects = [one for one in short if one.suspicious]
    growing = sum(one.grows for one in (*short, *longer))
    if not suspects and not any(one.suspicious for one in longer):
        if not longer and last.detectable_bytes > BLIND_BYTES and not exhausted:
            reason = f"{last.ledger} is too noisy for {last.scans:,} uses"
            return Followed(State.OPEN, last, reason, Wants.LONGER)
        return Followed(State.CLEAR, last, _drift(last))
    first = suspects[0] if suspects else next(one for one in longer if one.suspicious)
    size = median([one.slope.estimate for one in suspects]) if suspects else first.slope.estimate
    seen = _grows(first, size, f"in {len(suspects)} of {len(short)} processes")
    if len(short) < CONFIRMING_PROCESSES and not longer and not exhausted:
        return Followed(State.OPEN, first, f"{seen}: not confirmed", Wants.PROCESSES)
    if not longer:
        reason = f"{seen}: not followed over {LONGER} times the uses"
        return Followed(State.OPEN, first, reason, Wants.NOTHING if exhausted else Wants.LONGER)
    before = longer[-2].slope.estimate if len(longer) > 1 else size
    now = _grows(last, last.slope.estimate, f"over {last.scans:,} uses")
    persists = last.flagged and last.slope.estimate >= PERSISTENCE * before
    against = sum(not one.suspicious and one.detectable_bytes < size for one in short)
    if (
        persists
        and growing >= CONFIRMING_MAJORITY
        and (against < CONFIRMING_MAJORITY or len(longer) > 1)
    ):
        return Followed(
            State.LEAKS, last, f"{seen}, and still {_rate(last)} after {last.scans:,} uses"
        )
    if not last.suspicious and last.slope.high < PERSISTENCE * size:
        return Followed(State.CLEAR, last, f"{seen}, but {_rate(last)} over {last.scans:,} uses")
    if len(longer) < 2 and not exhausted:
        return Followed(State.OPEN, last, f"{seen}, {now}: not settled", Wants.LONGEST)
    if last.suspicious:
        return Followed(State.OPEN, last, f"{seen}, {now}: not settled")
    return Followed(State.CLEAR, last, f"{seen}, but not surely over {last.scans:,} uses")


def _rate(finding: SeriesFinding) -> str:
    return f"{finding.slope.estimate:,.0f} B per use"


def _grows(finding: SeriesFinding, size: float, where: str) -> str:
    between = " between its drops" if finding.torn else ""
    return f"{finding.ledger} grows {size:,.0f} B per use{between} {where}"


def _drift(finding: SeriesFinding) -> str:
    """Why a slope that is surely above zero is none to speak of; empty where it is not."""
    slope = finding.slope
    if slope.low <= 0:
        return ""
    return (
        f"{finding.ledger} drifts {slope.estimate:,.0f} [{slope.low:,.0f}, {slope.high:,.0f}] B per use, "
        f"less than the {finding.floor_bytes:,.0f} that count"
    )
