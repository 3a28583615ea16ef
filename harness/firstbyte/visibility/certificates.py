"""Certificates from the records of the scenarios that certify an instrument (`api.CertifyingScenario`)."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from firstbyte.engine.registry import Catalogue, ScenarioInfo
from firstbyte.model import Cell, Record, Subject
from firstbyte.visibility.rule import Sight, VisibilityCertificate, certify


class Covered(NamedTuple):
    """What a certificate is about: an instrument, and the subject whose memory it sees or not."""

    instrument: str
    subject: Subject
    """In one environment."""


NAMES_IN_BINARIES = ("jemalloc", "mimalloc", "tcmalloc", "snmalloc", "rpmalloc")
"""Words to look for when a hidden allocator is to be named; they decide nothing."""


def covered(cell: Cell) -> Covered:
    """What a certificate must be about to cover the cell."""
    return Covered(cell.instrument, cell.subject_here)


def certifying(catalogue: Catalogue, instrument: str) -> list[ScenarioInfo]:
    """The scenarios that certify the instrument."""
    return [one for one in catalogue.scenarios.values() if one.certifies == instrument]


def certificates(
    records: Iterable[Record], catalogue: Catalogue
) -> dict[Covered, VisibilityCertificate]:
    """The certificate of every subject for which a certifying scenario has a good record.

    Where several records tell of one subject, as on several corpora, one that saw the instrument
    fail outweighs the others, and one that could decide outweighs one that could not.
    """
    found: dict[Covered, list[VisibilityCertificate]] = defaultdict(list)
    for record in records:
        cell = record.cell
        scenario = catalogue.scenarios.get(cell.scenario)
        if scenario is None or scenario.certifies != cell.instrument or not record.ok:
            continue
        backend = catalogue.backends.get(cell.backend)
        hints = allocator_names(backend.distribution) if backend else ()
        for sample in record.samples:
            found[covered(cell)].append(certificate(scenario, sample.values, hints))
    return {subject: min(several, key=_weight) for subject, several in found.items()}


def certificate(
    scenario: ScenarioInfo, values: Mapping[str, float], allocators: tuple[str, ...] = ()
) -> VisibilityCertificate:
    """The certificate that the values of one sample of a certifying scenario give."""
    try:
        account = scenario.account(values)
    except KeyError as error:
        return VisibilityCertificate(
            scenario.certifies, (), f"`{scenario.name}` did not give {error}"
        )
    return certify(scenario.certifies, account, allocators)


def _weight(made: VisibilityCertificate) -> int:
    return {Sight.SEEN: 1, Sight.UNDECIDED: 2}.get(made.verdict, 0)


@cache
def allocator_names(distribution: str | None) -> tuple[str, ...]:
    """Names of known allocators that occur inside a distribution's native libraries."""
    if distribution is None:
        return ()
    found: set[str] = set()
    for path in _libraries(distribution):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            found.update(name for name in NAMES_IN_BINARIES if text.find(name.encode()) >= 0)
    return tuple(sorted(found))


def _libraries(distribution: str) -> list[Path]:
    """Native libraries of a distribution and of what it needs under a similar name."""
    found = []
    for one in metadata.distributions():
        name = canonicalize_name(one.metadata["Name"] or "")
        if not name.startswith(canonicalize_name(distribution)):
            continue
        found += [
            Path(str(file.locate()))
            for file in one.files or ()
            if ".so" in Path(str(file)).suffixes
        ]
    return [path for path in found if path.is_file() and path.stat().st_size]
