"""Takes memray's figures out of what is shown where memray does not see the backend's memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstbyte.engine.registry import Catalogue
from firstbyte.model import Record
from firstbyte.visibility.certificates import HEAP_METRICS, SCENARIO, certificates

HEAP_INSTRUMENT = "heap"


def withhold(
    records: Sequence[Record], catalogue: Catalogue
) -> tuple[list[Record], tuple[str, ...]]:
    """The records as they may be shown, and one line for each backend whose figures are left out.

    The certificate comes from the scenario `visibility` of the same records; without one nothing is
    certified. Records on disk keep everything.
    """
    made = certificates(records, catalogue)
    shown: list[Record] = []
    reasons: dict[str, str] = {}
    for record in records:
        cell = record.cell
        heap = cell.instrument == HEAP_INSTRUMENT and cell.scenario != SCENARIO
        certificate = made.get((cell.backend, cell.variant))
        if not heap or not record.ok or (certificate and certificate.heap_certified):
            shown.append(record)
            continue
        why = certificate.reason if certificate else f"no record of `{SCENARIO}` in this run"
        reasons[f"{cell.backend}:{cell.variant}"] = why
        shown.append(_without_heap(record, why))
    return shown, tuple(
        f"memray's figures for {name} are withheld: {why}" for name, why in sorted(reasons.items())
    )


def _without_heap(record: Record, why: str) -> Record:
    samples = tuple(
        replace(
            sample,
            values={name: v for name, v in sample.values.items() if name not in HEAP_METRICS},
        )
        for sample in record.samples
    )
    return replace(
        record, samples=samples, reason=record.reason or f"memray's figures are withheld: {why}"
    )
