"""The tables of a run as plain values: what terminal, HTML and README draw, each in its own way.

Every figure here is the median of an OK cell. A cell that is not OK keeps its place, shows its
status and is never ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from firstbyte.analysis import frames
from firstbyte.api import Metric
from firstbyte.engine.registry import Catalogue
from firstbyte.model import Cell, CellKey, Param, Run, Status, Subject
from firstbyte.units import Unit, title, unit_for
from firstbyte.visibility.shown import BUSY_MARK, ShownRecord, ShownRun

NOT_RUN = "not run"
WITHHELD = "withheld"
NOT_KEPT = "n/a"
"""The cell is OK and has no such figure: an allocator's counter that only another backend has."""


@dataclass(frozen=True, slots=True)
class Column:
    """One metric at one setting of the parameters, in one unit."""

    scenario: str
    metric: str
    params: str
    varying: tuple[str, ...]
    """Only the parameters that differ within the scenario, as `name=value`."""
    constant: tuple[str, ...]
    """The others: tables say them once, in their title."""
    instrument: str | None
    unit: Unit
    title: str
    better: str
    help: str


@dataclass(frozen=True, slots=True)
class TableFigure:
    """One place of a table: a measured figure, or the word that stands in its stead."""

    text: str
    median: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    best: bool = False
    failed: bool = False
    busy: bool = False
    """A time that was measured on a busy machine."""


@dataclass(frozen=True, slots=True)
class Row:
    backend: str
    label: str
    figures: tuple[TableFigure, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a cell has no figure."""

    status: str
    label: str
    where: str
    reason: str
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One scenario on one corpus."""

    scenario: str
    corpus: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """The parameters, as `name=value`, at which all of it was measured."""
        return self.columns[0].constant if self.columns else ()


@dataclass
class RunView:
    """A run as it may be shown, indexed once for all tables and plots.

    `catalogue` gives order, help texts and directions; what it does not know (a run from elsewhere)
    is still shown, in alphabetical order and without best marks.
    """

    shown: ShownRun
    catalogue: Catalogue
    chosen: frozenset[str] = frozenset()
    """The metrics that somebody asked for; empty for the headline ones of each scenario."""
    samples: pd.DataFrame = field(init=False)
    """All OK figures, as `frames.samples`, from the reported instrument only."""
    summary: pd.DataFrame = field(init=False)
    """Their `frames.summary`, with the efficiencies that scenarios declare."""

    def __post_init__(self) -> None:
        self.samples = frames.reportable(frames.samples(self.records))
        self.summary = self._with_efficiencies(frames.summary(self.samples))
        self._withheld_by = {
            (record.cell.scenario, name): record.cell.instrument
            for record in self.records
            if record.ok
            for name in record.withheld
        }
        self._environments = {record.cell.environment for record in self.records}
        self._by_cell = {record.cell.key: record for record in self.records}
        self._figures = {
            (frames.key_of(row), row["metric"]): row for row in frames.rows_of(self.summary)
        }

    @property
    def run(self) -> Run:
        return self.shown.run

    @property
    def records(self) -> tuple[ShownRecord, ...]:
        return self.shown.records

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known before any figure is read."""
        lost = f"this run has {self.shown.extent}: it was stopped, or records were lost"
        mine = (lost if self.shown.lacking else "", self.shown.disturbed)
        return (*filter(None, mine), *self.run.notes)

    def scenarios(self) -> list[str]:
        """The scenarios of the run, in the order of its records."""
        return list(dict.fromkeys(record.cell.scenario for record in self.records))

    def corpora(self, scenario: str) -> list[str]:
        """The corpora on which the scenario was tried, in the order of the records."""
        cells = (record.cell for record in self.records)
        return list(dict.fromkeys(cell.corpus for cell in cells if cell.scenario == scenario))

    def settings(self, scenario: str) -> list[str]:
        """The parameter texts of the scenario, in the order of the records."""
        cells = (record.cell for record in self.records)
        found = (c.key.params for c in cells if c.scenario == scenario)
        return list(dict.fromkeys(found))

    def settings_of(self, scenario: str, metric: Metric) -> list[str]:
        """The settings at which the metric's instrument was tried: no column stays empty."""
        instrument = self.instrument(scenario, metric.name)
        tried = {
            record.cell.key.params
            for record in self.records
            if record.cell.scenario == scenario and record.cell.instrument == instrument
        }
        settings = self.settings(scenario)
        return [params for params in settings if params in tried] or settings

    def metrics(self, scenario: str) -> list[Metric]:
        """Declared metrics of the instruments that ran, then undeclared ones that have figures.

        A metric without any figure is kept where its figures are withheld, and one that the scenario
        itself declares where its instrument ran (a time whose clock cells all failed); every one is
        where there is nothing else to show the failures in.
        """
        present = self.summary[self.summary["scenario"] == scenario]["metric"]
        found = list(dict.fromkeys(present))
        known = self.catalogue.scenarios.get(scenario)
        instruments = {r.cell.instrument for r in self.records if r.cell.scenario == scenario}
        declared = [
            metric
            for metric in (known.metrics if known else ())
            if metric.name in found
            or not found
            or self._withholding(scenario, metric.name)
            or (
                known
                and metric in known.own_metrics
                and frames.is_timing(metric.name)
                and frames.CLOCK in instruments
            )
        ]
        names = {metric.name for metric in declared}
        extra = [Metric(name, "", better="") for name in found if name not in names]
        return declared + extra

    def own_metrics(self, scenario: str) -> list[Metric]:
        """Those of its metrics that the scenario's own file declares."""
        known = self.catalogue.scenarios.get(scenario)
        return [one for one in self.metrics(scenario) if known and one in known.own_metrics]

    def headline_metrics(self, scenario: str) -> list[Metric]:
        """The chosen metrics, or those that the scenario marks as headline; all where it marks none."""
        everything = self.metrics(scenario)
        if self.chosen:
            return [metric for metric in everything if metric.name in self.chosen]
        return [metric for metric in everything if metric.headline] or everything

    def subjects(self, scenario: str | None = None) -> list[Cell]:
        """One cell for each backend, variant and environment (of the scenario), ordered."""
        found: dict[Subject, Cell] = {}
        for record in self.records:
            cell = record.cell
            if scenario is None or cell.scenario == scenario:
                found.setdefault(cell.subject_here, cell)
        return sorted(found.values(), key=self._order)

    def label(self, cell: Cell) -> str:
        """`backend:variant`, and `@environment` where the run has more than one."""
        return str(cell.subject_here if len(self._environments) > 1 else cell.subject)

    def constant(self, scenario: str) -> tuple[str, ...]:
        """The parameters, as `name=value`, that are the same all over the scenario: said once."""
        settings = [text.split(",") for text in self.settings(scenario)]
        every = settings[0] if settings else []
        return tuple(
            part for part in every if part and all(part in setting for setting in settings)
        )

    def varying(self, scenario: str, params: str) -> tuple[str, ...]:
        """The `name=value` parts of `params` that are not the same all over the scenario."""
        constant = self.constant(scenario)
        return tuple(part for part in params.split(",") if part and part not in constant)

    def instrument(self, scenario: str, metric: str) -> str | None:
        """The instrument from which the metric is reported, or would be were it not withheld.

        None where no OK cell has it.
        """
        reported = frames.instrument_of(scenario, metric, self.summary)
        return reported or self._withholding(scenario, metric)

    def record(
        self, scenario: str, subject: Cell, corpus: str, params: str, instrument: str
    ) -> ShownRecord | None:
        """The record of that cell, None where it was not run."""
        return self._by_cell.get(
            CellKey(scenario, *subject.subject_here, corpus, params, instrument)
        )

    def table(
        self, scenario: str, corpus: str, places: Sequence[tuple[Metric, str]], caption: str
    ) -> Table:
        """A table with one column per (metric, params text), and one row per subject."""
        subjects = self.subjects(scenario)
        columns: list[Column] = []
        by_column: list[list[TableFigure]] = []
        for metric, params in places:
            instrument = self.instrument(scenario, metric.name)
            found = [
                self._figure(scenario, s, corpus, params, metric, instrument) for s in subjects
            ]
            unit = unit_for(metric.name, [f.median for f in found if f.median is not None])
            columns.append(
                Column(
                    scenario,
                    metric.name,
                    params,
                    self.varying(scenario, params),
                    self.constant(scenario),
                    instrument,
                    unit,
                    heading(metric),
                    metric.better,
                    metric.help,
                )
            )
            by_column.append(_finish(found, unit, metric.better))
        rows = tuple(
            Row(subject.backend, self.label(subject), tuple(column[i] for column in by_column))
            for i, subject in enumerate(subjects)
        )
        return Table(scenario, corpus, caption, tuple(columns), rows)

    def tables(
        self, scenario: str, corpus: str, metrics: Sequence[Metric] | None = None
    ) -> list[Table]:
        """The scenario's tables on one corpus; `metrics` defaults to the headline ones.

        With one setting of the parameters there is one table, its columns the metrics. With several
        there is one table per metric, its columns the settings: one unit and one question each.
        """
        chosen = self.headline_metrics(scenario) if metrics is None else list(metrics)
        settings = self.settings(scenario)
        if len(settings) == 1:
            places = [(metric, settings[0]) for metric in chosen]
            return [self.table(scenario, corpus, places, "")] if places else []
        return [
            self.table(
                scenario,
                corpus,
                [(metric, params) for params in self.settings_of(scenario, metric)],
                heading(metric),
            )
            for metric in chosen
        ]

    def problems(self, keep: Callable[[Cell], bool] = lambda _: True) -> list[Problem]:
        """Every record of these cells that is not OK or withholds a figure, in display order."""
        chosen = [record for record in self.records if keep(record.cell)]
        chosen.sort(key=lambda record: self._order(record.cell))
        return [
            Problem(
                str(record.status) if not record.ok else WITHHELD,
                self.label(record.cell),
                _where(record.cell.key),
                record.remark or "no reason was recorded",
                record.stderr_tail,
            )
            for record in chosen
            if not record.ok or record.remark
        ]

    def has_figure(self, record: ShownRecord, metric: str) -> bool:
        """Whether the record's cell has a figure of that metric, measured or derived."""
        return (record.cell.key, metric) in self._figures

    def parameters(self, scenario: str) -> dict[str, Mapping[str, Param]]:
        """The values of the parameters by params text, in the order of the records."""
        cells = (record.cell for record in self.records if record.cell.scenario == scenario)
        return {cell.key.params: cell.params for cell in cells}

    def counts(self) -> Mapping[Status, int]:
        """How many records ended in each status; statuses that did not occur are left out."""
        found: dict[Status, int] = {}
        for status in Status:
            if number := sum(record.status is status for record in self.records):
                found[status] = number
        return found

    def _withholding(self, scenario: str, metric: str) -> str | None:
        """The instrument whose figures of that metric are withheld, if any are."""
        return self._withheld_by.get((scenario, metric))

    def _with_efficiencies(self, summary: pd.DataFrame) -> pd.DataFrame:
        derived = [
            frames.efficiency(
                summary[summary["scenario"] == scenario],
                self.parameters(scenario),
                metric.name,
                *metric.scaling,
            )
            for scenario in self.scenarios()
            if scenario in self.catalogue.scenarios
            for metric in self.catalogue.scenarios[scenario].metrics
            if metric.scaling is not None
        ]
        return pd.concat([summary, *(one for one in derived if len(one))], ignore_index=True)

    def _figure(
        self,
        scenario: str,
        subject: Cell,
        corpus: str,
        params: str,
        metric: Metric,
        instrument: str | None,
    ) -> TableFigure:
        if instrument is None:
            return self._unknown_instrument(scenario, subject, corpus, params)
        record = self.record(scenario, subject, corpus, params, instrument)
        if record is None:
            return TableFigure(NOT_RUN)
        if not record.ok:
            return TableFigure(str(record.status), failed=True)
        row = self._figures.get((record.cell.key, metric.name))
        if row is None:
            return TableFigure(
                WITHHELD if metric.name in record.withheld or record.reason else NOT_KEPT
            )
        busy = record.busy and frames.is_timing(metric.name)
        if not row["n"]:
            return TableFigure("", row["median"], busy=busy)
        return TableFigure("", row["median"], row["min"], row["max"], row["n"], busy=busy)

    def _unknown_instrument(
        self, scenario: str, subject: Cell, corpus: str, params: str
    ) -> TableFigure:
        """No OK cell of any backend has the metric, so only a reason can be told."""
        for record in self.records:
            cell = record.cell.key
            if cell == CellKey(scenario, *subject.subject_here, corpus, params, cell.instrument):
                if not record.ok:
                    return TableFigure(str(record.status), failed=True)
                if record.reason:
                    return TableFigure(WITHHELD)
        return TableFigure(NOT_KEPT)

    def _order(self, cell: Cell) -> tuple[str, int, str, str]:
        known = self.catalogue.backends.get(cell.backend)
        variants = [variant.name for variant in known.variants] if known else []
        place = variants.index(cell.variant) if cell.variant in variants else len(variants)
        return (cell.backend, place, cell.variant, cell.environment)


def heading(metric: Metric) -> str:
    """What a figure is called, and whether it tells of the instrument and not of the backend."""
    return f"{title(metric.name)} (calibration)" if metric.calibration else title(metric.name)


def _finish(found: Iterable[TableFigure], unit: Unit, better: str) -> list[TableFigure]:
    """Texts in the column's unit, and the best of at least two measured figures marked."""
    figures = list(found)
    measured = [figure.median for figure in figures if figure.median is not None]
    best: float | None = None
    if better and len(measured) > 1:
        best = max(measured) if better == "higher" else min(measured)
    return [
        figure
        if figure.median is None
        else replace(
            figure,
            text=unit.text(figure.median) + (BUSY_MARK if figure.busy else ""),
            best=figure.median == best,
        )
        for figure in figures
    ]


def _where(cell: CellKey) -> str:
    parts = (cell.scenario, cell.corpus, cell.params, cell.instrument)
    return " ".join(part for part in parts if part)
