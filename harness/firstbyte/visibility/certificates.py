"""Visibility certificates from the records of the scenario `visibility`."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from firstbyte.engine.registry import Catalogue
from firstbyte.model import Record
from firstbyte.visibility.rule import HEAP, Certificate, certify
from firstbyte.worker.ledgers import Moment

SCENARIO = "visibility"
HEAP_METRICS = frozenset(
    {"peak_heap_bytes", "total_allocated_bytes", "allocation_count", "leaked_heap_bytes"}
)
"""What is withheld for a backend whose allocations memray does not see."""
NAMES_IN_BINARIES = ("jemalloc", "mimalloc", "tcmalloc", "snmalloc", "rpmalloc")
"""Words to look for when a hidden allocator is to be named; they decide nothing."""


def certificates(
    records: Iterable[Record], catalogue: Catalogue
) -> dict[tuple[str, str], Certificate]:
    """The certificate of each (backend, variant) that has a good record of the scenario."""
    found = {}
    for record in records:
        if record.cell.scenario == SCENARIO and record.ok:
            backend = catalogue.backends.get(record.cell.backend)
            hints = allocator_names(backend.distribution) if backend else ()
            values = record.samples[0].values
            found[record.cell.backend, record.cell.variant] = certificate(values, hints)
    return found


def certificate(values: Mapping[str, float], allocators: tuple[str, ...] = ()) -> Certificate:
    """The certificate that the figures of one process of the scenario give."""
    accounted = {**Moment.HELD.readings(values), HEAP: values["leaked_heap_bytes"]}
    return certify(values["taken_rss_anon_bytes"], accounted, allocators)


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
        name = one.metadata["Name"] or ""
        if not name.lower().replace("_", "-").startswith(distribution.lower().replace("_", "-")):
            continue
        found += [
            Path(str(file.locate()))
            for file in one.files or ()
            if ".so" in Path(str(file)).suffixes
        ]
    return [path for path in found if path.is_file() and path.stat().st_size]
