"""What is shown of a run. A figure that must not be shown is a reason here, and no number.

Everything that shows figures takes these types, and they come from a whole run folder and from
nowhere else: the certificates of an instrument are records of the same run, so whoever had some of
its records only would withhold what is certified, or show what is not. Stored records are of another
type, on purpose. Parts of a run are chosen afterwards, with `ShownRun.only`.

For the same reason a reader that was WRONG in one cell is known here to be so in all of the run: whoever
delivers other rows than the corpus has in one cell has no time and no memory to show in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from firstbyte.engine import store
from firstbyte.engine.registry import Catalogue, ScenarioInfo
from firstbyte.inert import inert, inert_fields
from firstbyte.model import Cell, Conditions, Record, Run, Sample, Status, Subject
from firstbyte.visibility.certificates import Covered, certificates, certifying, covered
from firstbyte.visibility.rule import Sight, VisibilityCertificate

BUSY_MARK = "~"
"""Stands behind a time that was measured on a busy machine."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """What stands in the place of a figure that nobody may be shown."""

    reason: str


@dataclass(frozen=True, slots=True)
class ShownSample:
    """The figures of one repetition as they may be shown."""

    values: Mapping[str, float | Withheld]
    series: Mapping[str, Sequence[float] | Withheld]
    process: int


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A cell, how it ended, and what may be shown of what it gave."""

    cell: Cell
    versions: Mapping[str, str]
    status: Status
    reason: str
    samples: tuple[ShownSample, ...]
    stderr_tail: str
    started: str
    duration_s: float
    conditions: Conditions | None

    @property
    def ok(self) -> bool:
        return self.status is Status.OK

    @property
    def busy(self) -> bool:
        """Whether the machine was busy with other work: times of the cell hold that as well."""
        return self.conditions is not None and self.conditions.busy

    @property
    def withheld(self) -> dict[str, str]:
        """Why a figure or series is withheld, by its name."""
        return {
            name: value.reason
            for sample in self.samples
            for name, value in [*sample.values.items(), *sample.series.items()]
            if isinstance(value, Withheld)
        }

    @property
    def remark(self) -> str:
        """Why the cell is not OK, or why figures of it are withheld; empty where all is shown."""
        return self.reason or "; ".join(dict.fromkeys(self.withheld.values()))


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run, or a chosen part of it, with one record per cell."""

    run: Run
    records: tuple[ShownRecord, ...]
    cells: int
    """How many cells of the whole run have a record."""

    @property
    def extent(self) -> str:
        """`13 of 168 cells`: what the whole run has of what was planned, as far as that is known."""
        planned = self.run.planned_cells
        return f"{self.cells} cells" if planned is None else f"{self.cells} of {planned} cells"

    @property
    def lacking(self) -> bool:
        """Whether cells that were planned have no record."""
        return self.run.planned_cells is not None and self.cells < self.run.planned_cells

    @property
    def disturbed(self) -> str:
        """What to know of the cells that were measured on a busy machine; empty where none was."""
        busy = [one.conditions for one in self.records if one.conditions and one.conditions.busy]
        if not busy:
            return ""
        highest = {
            "CPU pressure": max(one.cpu_pressure_share or 0.0 for one in busy),
            "CPU time of others": max(one.others_cpu_share or 0.0 for one in busy),
            "stolen": max(one.steal_share or 0.0 for one in busy),
        }
        said = ", ".join(f"{name} up to {share:.0%}" for name, share in highest.items())
        return (
            f"{len(busy)} of {len(self.records)} cells were measured on a busy machine ({said}): "
            f"their times are marked {BUSY_MARK}"
        )

    def only(self, keep: Callable[[Cell], bool]) -> ShownRun:
        """The part whose cells are kept; what is withheld stays so, and what is certified as well."""
        return replace(self, records=tuple(one for one in self.records if keep(one.cell)))

    @property
    def withheld(self) -> tuple[str, ...]:
        """One line for each instrument, backend and variant that is OK and has figures withheld."""
        return tuple(
            dict.fromkeys(
                f"{record.cell.subject}: {reason}"
                for record in self.records
                if record.ok
                for reason in record.withheld.values()
            )
        )


def load(folder: Path, catalogue: Catalogue) -> ShownRun:
    """What may be shown of the run in that folder. Raises StoreError where it cannot be read.

    Where a resumed run measured a cell again, the later record counts. Records on disk keep all.
    """
    run, records = store.load(folder)
    kept = {record.cell.key: record for record in records}.values()
    made = certificates(kept, catalogue)
    wrong = _wrong(kept)
    records_shown = tuple(_shown(_tainted(one, wrong), made, catalogue) for one in kept)
    return ShownRun(inert_fields(run), records_shown, len(records_shown))


class Reads(NamedTuple):
    """Who reads what: the rows are right or wrong, whatever is measured meanwhile."""

    subject: Subject
    """In one environment."""
    corpus: str


def _reads(cell: Cell) -> Reads:
    return Reads(cell.subject_here, cell.corpus)


def _wrong(records: Iterable[Record]) -> dict[Reads, Record]:
    """The first cell that is WRONG, for each reader and corpus that has any."""
    found: dict[Reads, Record] = {}
    for record in records:
        if record.status is Status.WRONG:
            found.setdefault(_reads(record.cell), record)
    return found


def _tainted(record: Record, wrong: Mapping[Reads, Record]) -> Record:
    """The record; one that is OK is WRONG where its reader is, in whatever cell that was seen."""
    cause = wrong.get(_reads(record.cell))
    if cause is None or not record.ok:
        return record
    key = cause.cell.key
    where = " ".join(part for part in (key.scenario, key.params, f"under {key.instrument}") if part)
    return replace(record, status=Status.WRONG, reason=f"WRONG in {where}: {cause.reason}")


def _shown(
    record: Record, made: Mapping[Covered, VisibilityCertificate], catalogue: Catalogue
) -> ShownRecord:
    hidden = _hidden(record, made, catalogue)
    return ShownRecord(
        cell=inert_fields(record.cell),
        versions={inert(name): inert(version) for name, version in record.versions.items()},
        status=record.status,
        reason=inert(record.reason),
        samples=tuple(_sample(sample, hidden) for sample in record.samples),
        stderr_tail=inert(record.stderr_tail, keep="\n\t"),
        started=record.started,
        duration_s=record.duration_s,
        conditions=record.conditions,
    )


def _hidden(
    record: Record, made: Mapping[Covered, VisibilityCertificate], catalogue: Catalogue
) -> Mapping[str, Withheld]:
    """What is withheld of the record, by name: all figures of a cell that read other rows."""
    if record.status is Status.WRONG:
        return dict.fromkeys(_names(record), Withheld(inert(record.reason)))
    hidden = _uncovered(record, made, catalogue)
    return dict.fromkeys(hidden, Withheld(_reason(record, made, catalogue))) if hidden else {}


def _sample(sample: Sample, hidden: Mapping[str, Withheld]) -> ShownSample:
    return ShownSample(
        {inert(name): hidden.get(name, value) for name, value in sample.values.items()},
        {inert(name): hidden.get(name, values) for name, values in sample.series.items()},
        sample.process,
    )


def _uncovered(
    record: Record, made: Mapping[Covered, VisibilityCertificate], catalogue: Catalogue
) -> frozenset[str]:
    """Names of the figures that need a certificate, where the record's instrument has none.

    What a scenario declares is the evidence where it is the one that certifies. What it derives from
    a figure that is withheld is withheld as well.
    """
    cell = record.cell
    instrument = catalogue.instruments.get(cell.instrument)
    if instrument is None:  # nothing here says what its figures need
        return frozenset(_names(record))
    scenario = catalogue.scenarios.get(cell.scenario)
    own = scenario.own_metrics if scenario else ()
    needing = {one.name for one in (*instrument.metrics, *own) if one.needs_certificate}
    certificate = made.get(covered(cell))
    if not needing or (certificate and certificate.verdict is Sight.SEEN):
        return frozenset()
    if scenario is None:
        return frozenset(needing)
    if scenario.certifies == cell.instrument:
        needing -= {metric.name for metric in own}
    derived = (_derived(scenario, cell, sample.values, needing) for sample in record.samples)
    return frozenset(needing).union(*derived)


def _names(record: Record) -> set[str]:
    return {name for sample in record.samples for name in (*sample.values, *sample.series)}


def _derived(
    scenario: ScenarioInfo, cell: Cell, values: Mapping[str, float], hidden: AbstractSet[str]
) -> set[str]:
    """What the scenario derives from these values and cannot derive without the hidden ones."""
    if hidden.isdisjoint(values):
        return set()
    derive = scenario.module.derive
    everything = derive(cell.params, values)
    left = {k: v for k, v in values.items() if k not in hidden and k not in everything}
    try:
        alone = derive(cell.params, left)
    except Exception:  # of any kind: it is the scenario's own code, and misses what it is not given
        alone = {}
    return {name for name, value in everything.items() if alone.get(name) != value}


def _reason(
    record: Record, made: Mapping[Covered, VisibilityCertificate], catalogue: Catalogue
) -> str:
    instrument = record.cell.instrument
    names = " or ".join(f"`{one.name}`" for one in certifying(catalogue, instrument))
    certificate = made.get(covered(record.cell))
    if instrument not in catalogue.instruments:
        why = "there is no such instrument here to say what they need"
    elif certificate:
        why = certificate.reason
    elif names:
        why = f"no good record of {names} in this run"
    else:
        why = "no scenario here certifies it"
    return f"{instrument} figures are withheld: {why}"
