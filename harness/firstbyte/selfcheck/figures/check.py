"""The whole self-check of the figures: what is planted and what is honest, quiet and busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from firstbyte import places
from firstbyte.engine import fingerprint as environment
from firstbyte.engine import registry
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.registry import Catalogue
from firstbyte.engine.witnesses import resolve
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Status
from firstbyte.plugins import PACKAGE
from firstbyte.say import Say
from firstbyte.selfcheck.figures import honest
from firstbyte.selfcheck.figures.catalogue import kinds
from firstbyte.selfcheck.figures.certificate import (
    BAD,
    FiguresCertificate,
    HonestCells,
    PlantedKind,
    certificate_path,
)
from firstbyte.selfcheck.figures.corpus import corpus
from firstbyte.selfcheck.figures.honest import HonestCell
from firstbyte.selfcheck.figures.kinds import Kind
from firstbyte.selfcheck.figures.trials import AS_IT_IS, BUSY, Surroundings, Trials, TriedKind
from firstbyte.selfcheck.planting import findable

FOLDER = PACKAGE / "selfcheck" / "figures" / "planted"
"""A plug-in root: its backends are found by this self-check and by nobody else."""
LARGE = "mt:size=20MB,shards=2"
"""Made up, so that a self-check needs nothing but this project."""
SMALL = "mt:size=1MB,shards=2"


@dataclass(frozen=True, slots=True)
class HonestPart:
    """What installed backends do in some surroundings."""

    corpus: str
    every: int
    """One of so many cells of the quick profile."""
    leak_checks: bool


HONEST = {
    AS_IT_IS.name: HonestPart("mt:size=1MB,shards=2", 1, leak_checks=True),
    BUSY.name: HonestPart("llm:size=1MB,shards=2", 2, leak_checks=False),
}
QUICK_HONEST_CELLS = 4
FINE = {Status.OK, Status.SKIPPED, *LeakClass}


def self_check(say: Say, *, resume: bool = False, quick: bool = False) -> FiguresCertificate:
    """Run everything, or a slice of it, and return the certificate.

    `resume` goes on with a check that was stopped. Raises HarnessError where there is nothing that can be
    resumed.
    """
    with findable(FOLDER):
        return _self_check(say, resume=resume, quick=quick)


def _self_check(say: Say, *, resume: bool, quick: bool) -> FiguresCertificate:
    journal = Journal(certificate_path().with_name("figures.progress.jsonl"), resume=resume)
    catalogue = registry.discover()
    small = leak_corpus(resolve(SMALL), places.cache())
    trials = Trials(
        rich=Laboratory(corpus(), catalogue),
        large=Laboratory(resolve(LARGE), catalogue),
        small=Laboratory(small, catalogue),
        journal=journal,
        say=say,
    )
    chosen = [kind for kind in kinds() if kind.quick or not quick]
    tried: list[PlantedKind] = []
    said: list[HonestCells] = []
    for condition in (AS_IT_IS,) if quick else (AS_IT_IS, BUSY):
        tried += _planted(chosen, trials.all(chosen, condition), catalogue)
        said.append(_honest(trials, condition, quick))
    return FiguresCertificate(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        host=environment.host(),
        versions=environment.versions(),
        quick=quick,
        kinds=tuple(tried),
        honest=tuple(said),
    )


def _planted(
    chosen: Sequence[Kind], tried: Iterable[TriedKind], catalogue: Catalogue
) -> list[PlantedKind]:
    by_name = {(kind.sort, kind.name): kind for kind in chosen}
    return [
        PlantedKind(
            condition=one.condition,
            sort=one.sort,
            kind=one.kind,
            planted=_summary(by_name[one.sort, one.kind], catalogue),
            wanted=str(by_name[one.sort, one.kind].wanted),
            said=one.said.text,
            named=one.said.named,
            praised=one.said.praised,
            untried=one.said.untried,
        )
        for one in tried
    ]


def _summary(kind: Kind, catalogue: Catalogue) -> str:
    return catalogue.backend(kind.subject.backend).variant(kind.name).summary


def _honest(trials: Trials, condition: Surroundings, quick: bool) -> HonestCells:
    catalogue = trials.small.catalogue
    part = HONEST[condition.name]
    manifest = resolve(part.corpus)
    planned = honest.plan(catalogue, [manifest.spec])[:: part.every]
    with condition.begin():
        found: list[HonestCell] = [
            *honest.cells(
                planned[:QUICK_HONEST_CELLS] if quick else planned,
                [manifest],
                condition.name,
                trials.journal,
                trials.say,
            ),
            *(
                ()
                if quick or not part.leak_checks
                else honest.leak_checks(trials.small, condition.name, trials.journal, trials.say)
            ),
        ]
    lines = [f"{one.cell}: {one.said} {one.reason}".strip() for one in found]
    return HonestCells(
        condition.name,
        dict(Counter(one.said for one in found)),
        bad=tuple(line for line, one in zip(lines, found, strict=True) if one.said in BAD),
        not_run=tuple(
            line
            for line, one in zip(lines, found, strict=True)
            if one.said not in FINE and one.said not in BAD
        ),
    )
