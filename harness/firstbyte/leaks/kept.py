"""Leak verdicts as rows: what is kept beside a run, and what terminal and report show of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstbyte.contracts import Document, Raw
from firstbyte.errors import StoreError
from firstbyte.leaks.investigation import Investigation
from firstbyte.leaks.rules import LeakVerdict
from firstbyte.model import Run, Subject
from firstbyte.whole import write_whole
from firstbyte.worker.ledgers import KERNELS
from firstbyte.worker.shapes import Shape

FILE = "leaks.json"
"""In a run folder: the verdicts, in the order in which they were reached."""
SCHEMA = 3
"""Version of that file. 1: did not state itself. 2: does. 3: a verdict is of a shape of use."""
NOT_RUN = "not run"
SKIPPED = "skipped"
LEGEND = (
    "B per use: slope of the steepest ledger with its 99 % interval. Would have seen: the smallest leak "
    "per use that these series would have shown, in memory that an allocator counts and in any other, if "
    "the reader is used as the line says: other uses are not covered."
)


@dataclass(frozen=True, slots=True)
class LeakRow:
    """One backend and variant in one shape of use. Texts are ready to be shown."""

    subject: str
    outcome: str
    """The class of the verdict, NOT_RUN, or SKIPPED."""
    slope: str
    scans: str
    would_have_seen: str
    reason: str
    flamegraph: str = ""
    """File in the folder of the check's run; empty where there is none."""
    shape: str = Shape.WHOLE.value


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of one check, and where they come from."""

    rows: tuple[LeakRow, ...]
    run_id: str
    """The run that holds the series behind them."""
    command: str
    started: str


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """A verdict as it is kept: for machines, and as the row that people are shown."""

    backend: str
    variant: str
    verdict: Mapping[str, Any] | None
    """The fields of a `LeakVerdict`; None where the check could not be run."""
    trouble: str
    row: LeakRow
    shape: str = Shape.WHOLE.value


@dataclass(frozen=True, slots=True)
class Kept:
    """A `leaks.json`."""

    run_id: str
    command: str
    started: str
    verdicts: tuple[KeptVerdict, ...]
    schema: int = SCHEMA


def row(investigation: Investigation) -> LeakRow:
    """What is shown of an investigation."""
    name = str(Subject(investigation.backend, investigation.variant))
    if investigation.verdict is None:
        skipped = investigation.skipped
        outcome, reason = (SKIPPED, skipped) if skipped else (NOT_RUN, investigation.trouble)
        return LeakRow(name, outcome, "", "", "", reason, shape=investigation.shape.value)
    verdict = investigation.verdict
    culprit = f"; {_culprit(investigation)}" if verdict.stacks else ""
    return LeakRow(
        name,
        verdict.outcome.value,
        _slope(verdict),
        f"{verdict.processes} x {verdict.scans:,}",
        detectable(verdict),
        f"{verdict.reason}{culprit}",
        investigation.flamegraph.name if investigation.flamegraph else "",
        investigation.shape.value,
    )


def detectable(verdict: LeakVerdict) -> str:
    """The smallest leak that the run could have seen: in counted memory, and in any other. Empty where it
    could have seen none.
    """
    bounds = verdict.detectable_bytes
    if not bounds:
        return ""
    counted = [size for ledger, size in bounds.items() if ledger not in KERNELS]
    parts = [f"{max(counted):,.0f} counted"] if counted else []
    elsewhere = max(size for ledger, size in bounds.items() if ledger in KERNELS)
    return ", ".join([*parts, f"{elsewhere:,.0f} elsewhere"])


def write(folder: Path, run: Run, command: str, investigations: Sequence[Investigation]) -> None:
    """Keep the verdicts in a run folder, in one step."""
    kept = Kept(run.run_id, command, run.started, tuple(map(_entry, investigations)))
    write_whole(folder / FILE, json.dumps(asdict(kept), indent=1, ensure_ascii=False))


def read(folder: Path) -> Verdicts | None:
    """The verdicts kept in a run folder, or None. Raises StoreError for a damaged file."""
    path = folder / FILE
    if not path.exists():
        return None
    kept = DOCUMENT.read(path)
    rows = tuple(entry.row for entry in kept.verdicts)
    return Verdicts(rows, kept.run_id, kept.command, kept.started)


def upgrade_1_to_2(raw: Raw) -> Raw:
    """The first version did not state itself; nothing else has changed."""
    return raw


def upgrade_2_to_3(raw: Raw) -> Raw:
    """All verdicts were of whole scans, which is what a verdict without a shape is of."""
    return raw


DOCUMENT = Document(
    Kept,
    SCHEMA,
    StoreError,
    {1: upgrade_1_to_2, 2: upgrade_2_to_3},
    remedy="remove it, or check again with `firstbyte leaks`",
    unmarked=1,
)


def _entry(investigation: Investigation) -> KeptVerdict:
    verdict = asdict(investigation.verdict) if investigation.verdict else None
    return KeptVerdict(
        investigation.backend,
        investigation.variant,
        verdict,
        investigation.trouble,
        row(investigation),
        investigation.shape.value,
    )


def _culprit(investigation: Investigation) -> str:
    assert investigation.verdict is not None
    stack = investigation.verdict.stacks[0]
    where = " < ".join(
        f"{name} ({Path(file).name}:{line})" for name, file, line in stack.frames[:3]
    )
    more = f"; flamegraph: {investigation.flamegraph.name}" if investigation.flamegraph else ""
    return f"{stack.bytes_per_scan:,.0f} B per scan from {where or 'a thread without Python'}{more}"


def _slope(verdict: LeakVerdict) -> str:
    slope = verdict.slope
    if slope is None:
        return ""
    return f"{slope.estimate:,.0f} [{slope.low:,.0f}, {slope.high:,.0f}]"
