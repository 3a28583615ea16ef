"""The honest ones: every installed backend and variant, of which nothing bad must be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from firstbyte import places
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import registry
from firstbyte.engine.cells import Engine
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.launch import current_environment
from firstbyte.engine.plan import Axes, Planned, make_plan
from firstbyte.engine.registry import Catalogue, Chosen
from firstbyte.leaks.effort import Effort
from firstbyte.leaks.investigation import investigate
from firstbyte.model import Status
from firstbyte.say import Say
from firstbyte.selfcheck.figures.kinds import BACKENDS, CONTROL

EFFORT = Effort(budget_seconds=10.0)


@dataclass(frozen=True, slots=True)
class HonestCell:
    """What was said of one cell of an installed backend, or of one leak check of it."""

    condition: str
    cell: str
    """Its key, or `leaks BACKEND:VARIANT`."""
    said: str
    """A status, or the class of a verdict."""
    reason: str


def plan(catalogue: Catalogue, corpora: Sequence[str]) -> tuple[Planned, ...]:
    """The cells of the quick profile that can be run here, of all backends but the planted ones."""
    axes = Axes(backends=_installed(catalogue), corpora=corpora)
    return tuple(
        planned
        for planned in make_plan(catalogue, axes, current_environment()).cells
        if not planned.skipped
    )


def cells(
    planned: Sequence[Planned],
    manifests: Sequence[Manifest],
    condition: str,
    journal: Journal,
    say: Say,
) -> Iterator[HonestCell]:
    """Run them; what the journal has is not run again."""
    engine = Engine(
        "selfcheck",
        current_environment(),
        registry.plugin_roots(),
        {one.spec: one for one in manifests},
        places.cache() / "prepared",
    )
    for number, one in enumerate(planned, 1):
        step = f"{condition}/honest {one.cell.key}"
        found = journal.find(step, HonestCell)
        if found is None:
            record = engine.record(one)
            found = HonestCell(condition, str(one.cell.key), record.status.value, record.reason)
            journal.note(step, asdict(found))
            if record.status not in (Status.OK, Status.SKIPPED):
                say(f"{condition}: honest {one.cell.key}: {record.status}: {record.reason}")
            elif number % 20 == 0:
                say(f"{condition}: {number} of {len(planned)} honest cells")
        yield found


def leak_checks(
    laboratory: Laboratory, condition: str, journal: Journal, say: Say
) -> Iterator[HonestCell]:
    """A leak check of each installed backend and variant."""
    for subject in _installed(laboratory.catalogue):
        step = f"{condition}/leaks {subject}"
        found = journal.find(step, HonestCell)
        if found is None:
            made = investigate(laboratory, laboratory.subject(subject), EFFORT, name_stacks=False)
            said = made.verdict.outcome.value if made.verdict else ""
            reason = made.verdict.reason if made.verdict else made.trouble
            found = HonestCell(condition, f"leaks {subject}", said, reason)
            journal.note(step, asdict(found))
            say(f"{condition}: honest {subject}: {said or reason}")
        yield found


def _installed(catalogue: Catalogue) -> list[str]:
    planted = {*BACKENDS.values(), CONTROL.backend}
    return [
        str(Chosen(backend, variant).subject)
        for backend in catalogue.backends.values()
        if backend.name not in planted and not backend.unavailable
        for variant in backend.variants
    ]
