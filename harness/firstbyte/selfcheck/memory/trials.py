"""The investigations of a self-check, one after another, each noted on disk as it ends.

Subjects take turns, so a check that was stopped half-way has done about half of each. A journal
lets it go on where it stopped: a full check takes hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from operator import itemgetter

from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.registry import Chosen
from firstbyte.errors import HarnessError
from firstbyte.leaks.effort import Effort
from firstbyte.leaks.investigation import investigate
from firstbyte.say import Say
from firstbyte.selfcheck.memory.planted import BACKEND, HARDEST, TRUTHS, planted_subject


@dataclass(frozen=True, slots=True)
class TriedSubject:
    """One investigation of one backend and variant."""

    subject: str
    """`backend:variant`."""
    number: int
    """How many of the same subject came before it."""
    outcome: str
    """The verdict's class; empty where it could not be run."""
    reason: str
    detectable_bytes: Mapping[str, float]
    """Smallest visible leak by ledger, in bytes per scan."""


def trials(
    laboratory: Laboratory, repetitions: int, journal: Journal, say: Say
) -> Iterator[TriedSubject]:
    """All investigations of a check: how often each is made, `planned_repetitions` says.

    Raises HarnessError where a planted truth cannot be run.
    """
    wanted = [
        ((number + 0.5) / count, subject, number)
        for subject, count in planned_repetitions(laboratory, repetitions).items()
        for number in range(count)
    ]
    for place, (_, subject, number) in enumerate(sorted(wanted, key=itemgetter(0)), 1):
        step = f"{subject} {number}"
        if (trial := journal.find(step, TriedSubject)) is None:
            trial = _try(laboratory, subject, number)
            journal.note(step, asdict(trial))
            say(f"{place} of {len(wanted)}: {subject}: {trial.outcome or trial.reason}")
        yield trial


def planned_repetitions(laboratory: Laboratory, repetitions: int) -> dict[str, int]:
    """Subject -> how often it is investigated.

    The smallest planted leaks `repetitions` times, the other faults a sixth as often. Installed
    backends two thirds as often: there are many, and together they are the negatives.
    """
    hardest = {planted_subject(variant) for variant in HARDEST}
    made_up = {
        subject: repetitions if subject in hardest else ceil(repetitions / 6)
        for subject in _planted()
    }
    return made_up | {subject: ceil(2 * repetitions / 3) for subject in _installed(laboratory)}


def _try(laboratory: Laboratory, subject: str, number: int) -> TriedSubject:
    investigation = investigate(
        laboratory, laboratory.subject(subject), Effort(), name_stacks=False
    )
    if investigation.verdict is not None:
        found = investigation.verdict
        return TriedSubject(
            subject, number, found.outcome.value, found.reason, dict(found.detectable_bytes)
        )
    if subject in _planted():
        raise HarnessError(f"{subject} could not be run: {investigation.trouble}")
    return TriedSubject(subject, number, "", investigation.trouble, {})


def _planted() -> list[str]:
    return [planted_subject(variant) for variant in TRUTHS]


def _installed(laboratory: Laboratory) -> list[str]:
    return [
        str(Chosen(backend, variant).subject)
        for backend in laboratory.catalogue.backends.values()
        if backend.name != BACKEND and not backend.unavailable
        for variant in backend.variants
    ]
