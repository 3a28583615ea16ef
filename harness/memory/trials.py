"""The investigations of a self-check, one after another, each noted on disk as it ends.

Subjects take turns, so a check that was stopped half-way has done about half of each. A journal
lets it go on where it stopped: a full check takes hours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness import environment, registry
from harness.errors import HarnessError
from harness.memory.effort import Effort
from harness.memory.investigation import investigate
from harness.memory.laboratory import Laboratory
from harness.memory.planted import BACKEND, HARDEST, TRUTHS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
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


class Journal:
    """A file with a line for each trial that ended.

    Its first line says where it was begun; it is gone on with only by the same sources on the same
    host with the same libraries.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Begin it, or read it. Raises HarnessError where there is none to resume, or another's."""
        self._path = path
        self._done: dict[tuple[str, int], Trial] = {}
        if resume:
            self._read()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(_circumstances()) + "\n", encoding="utf-8")

    def find(self, subject: str, number: int) -> Trial | None:
        """The trial, if it was made before."""
        return self._done.get((subject, number))

    def note(self, trial: Trial) -> None:
        """Write it down at once."""
        self._done[trial.subject, trial.number] = trial
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial), ensure_ascii=False) + "\n")

    def _read(self) -> None:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            begun: dict[str, Any] = json.loads(lines[0])
            # A last line without its end was being written when the check was stopped.
            trials = [Trial(**json.loads(line)) for line in lines[1:] if line.endswith("}")]
        except FileNotFoundError:
            raise HarnessError(
                f"there is no self-check to resume: {self._path} does not exist; leave out --resume"
            ) from None
        except (ValueError, IndexError, TypeError) as error:
            raise HarnessError(
                f"{self._path} is damaged ({error}); leave out --resume to begin anew"
            ) from error
        now = _circumstances()
        if differing := [name for name in now if now[name] != begun.get(name)]:
            raise HarnessError(
                f"the self-check in {self._path} was begun elsewhere ({', '.join(differing)} "
                "differ); leave out --resume to begin anew"
            )
        self._path.write_text(lines[0] + "\n", encoding="utf-8")
        for trial in trials:
            self.note(trial)


def trials(laboratory: Laboratory, repetitions: int, journal: Journal, say: Say) -> Iterator[Trial]:
    """All investigations of a check: how often each is made, `planned_repetitions` says.

    Raises HarnessError where a planted truth cannot be run.
    """
    wanted = [
        ((number + 0.5) / count, subject, number)
        for subject, count in planned_repetitions(laboratory, repetitions).items()
        for number in range(count)
    ]
    for place, (_, subject, number) in enumerate(sorted(wanted, key=itemgetter(0)), 1):
        trial = journal.find(subject, number)
        if trial is None:
            trial = _try(laboratory, subject, number)
            journal.note(trial)
            say(f"{place} of {len(wanted)}: {subject}: {trial.outcome or trial.reason}")
        yield trial


def planned_repetitions(laboratory: Laboratory, repetitions: int) -> dict[str, int]:
    """Subject -> how often it is investigated.

    The smallest planted leaks `repetitions` times, the other faults a sixth as often. Installed
    backends two thirds as often: there are many, and together they are the negatives.
    """
    hardest = {f"{BACKEND}:{variant}" for variant in HARDEST}
    planted = {
        subject: repetitions if subject in hardest else ceil(repetitions / 6)
        for subject in _planted()
    }
    return planted | {subject: ceil(2 * repetitions / 3) for subject in _installed(laboratory)}


def _try(laboratory: Laboratory, subject: str, number: int) -> Trial:
    finding = investigate(laboratory, laboratory.subject(subject), Effort(), name_stacks=False)
    if finding.verdict is not None:
        found = finding.verdict
        return Trial(
            subject, number, found.outcome.value, found.reason, dict(found.detectable_bytes)
        )
    if subject in _planted():
        raise HarnessError(f"{subject} could not be run: {finding.trouble}")
    return Trial(subject, number, "", finding.trouble, {})


def _planted() -> list[str]:
    return [f"{BACKEND}:{variant}" for variant in TRUTHS]


def _installed(laboratory: Laboratory) -> list[str]:
    return [
        f"{backend.name}:{variant.name}"
        for backend in laboratory.catalogue.backends.values()
        if backend.name != BACKEND and not backend.unavailable
        for variant in backend.variants
    ]


def _circumstances() -> dict[str, Any]:
    host = environment.host()
    return {
        "host": {name: host[name] for name in environment.COMPARABLE_FIELDS},
        "commit": environment.git(registry.PROJECT).get("commit"),
        "versions": environment.versions(),
    }
