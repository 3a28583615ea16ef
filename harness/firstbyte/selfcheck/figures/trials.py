"""Tries the planted kinds and the honest ones, one condition of the machine after another.

What is judged by time, or by when memory was there, runs alone. Lies are told by values and leaks by slopes:
two of them are tried at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from firstbyte.engine import fingerprint as environment
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.store import RunFolder
from firstbyte.leaks.effort import Effort
from firstbyte.leaks.investigation import investigate
from firstbyte.model import Record, Run, Subject
from firstbyte.render.tables import RunView
from firstbyte.say import Say
from firstbyte.selfcheck.figures import saying
from firstbyte.selfcheck.figures.kinds import CONTROL, Grows, Kind, Place, Sort
from firstbyte.selfcheck.figures.saying import Answer
from firstbyte.selfcheck.gate.busy import busy_cores
from firstbyte.visibility import shown

AT_ONCE = 2
"""Lies or leaks that are tried beside each other."""
EFFORT = Effort(budget_seconds=10.0)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the machine is used while kinds are tried."""

    name: str
    begin: Callable[[], AbstractContextManager[None]]


AS_IT_IS = Surroundings("as it is", nullcontext)
BUSY = Surroundings("two busy loops beside", lambda: busy_cores(2))


@dataclass(frozen=True, slots=True)
class TriedKind:
    """What was said of one kind under one condition."""

    condition: str
    sort: Sort
    kind: str
    said: Answer


@dataclass
class Trials:
    """What all trials of a check share. Each is noted in the journal as it ends."""

    rich: Laboratory
    """On what lies are told of."""
    large: Laboratory
    """On what takes long enough to read that it shows when it was not."""
    small: Laboratory
    """On what is read again and again for leaks."""
    journal: Journal
    say: Say
    _controls: dict[tuple[str, Place], Record] = field(default_factory=dict)

    def all(self, kinds: Sequence[Kind], condition: Surroundings) -> Iterator[TriedKind]:
        """Every kind under the condition; what the journal has is not tried again."""
        with condition.begin():
            together = [kind for kind in kinds if kind.sort in (Sort.LIE, Sort.LEAK)]
            lies = [kind for kind in together if kind.sort is Sort.LIE]
            for place in dict.fromkeys(place for kind in lies for place in kind.places):
                self._control(self.rich, place)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                yield from pool.map(lambda kind: self._one(kind, condition), together)
            for kind in kinds:
                if kind not in together:
                    yield self._one(kind, condition)
            self._controls.clear()

    def _one(self, kind: Kind, condition: Surroundings) -> TriedKind:
        step = f"{condition.name}/{kind.subject}"
        tried = self.journal.find(step, TriedKind)
        if tried is None:
            said = self._leak(kind) if kind.sort is Sort.LEAK else self._shown(kind)
            tried = TriedKind(condition.name, kind.sort, kind.name, said)
            self.journal.note(step, asdict(tried))
            how = "named" if said.named else said.untried or "NOT named"
            self.say(f"{condition.name}: {kind.sort} {kind.name}: {how}: {said.text}")
        return tried

    def _leak(self, kind: Kind) -> Answer:
        assert isinstance(kind.wanted, Grows)
        found = investigate(
            self.small,
            self.small.subject(str(kind.subject)),
            EFFORT,
            name_stacks=False,
            shape=kind.wanted.shape,
        )
        return saying.of_investigation(kind, found)

    def _shown(self, kind: Kind) -> Answer:
        """Through a run folder, as everything that is shown comes from one."""
        laboratory = self.rich if kind.sort is Sort.LIE else self.large
        records = [_measured(laboratory, kind.subject, place) for place in kind.places]
        records += [self._control(laboratory, place) for place in kind.places]
        with tempfile.TemporaryDirectory(prefix="firstbyte-selfcheck-") as folder:
            run = _run(len(records))
            kept = RunFolder.create(Path(folder), run)
            for record in records:
                kept.append(record)
            view = RunView(shown.load(kept.path, laboratory.catalogue), laboratory.catalogue)
        return saying.of_records(kind, view, records)

    def _control(self, laboratory: Laboratory, place: Place) -> Record:
        """Measured once, under the condition that is at hand."""
        key = (laboratory.manifest.spec, place)
        if key not in self._controls:
            self._controls[key] = _measured(laboratory, CONTROL, place)
        return self._controls[key]


def _measured(laboratory: Laboratory, subject: Subject, place: Place) -> Record:
    return laboratory.measure(
        laboratory.subject(str(subject)),
        laboratory.catalogue.scenario_for(place.purpose),
        place.instrument,
        repetitions=place.repetitions,
        params=dict(place.params),
    )


def _run(cells: int) -> Run:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Run(
        run_id="selfcheck",
        started=now,
        argv=("firstbyte", "selfcheck"),
        profile="selfcheck",
        git={},
        host=environment.host(),
        versions={},
        corpora={},
        planned_cells=cells,
    )
