"""One backend against all others, figure by figure: `firstbyte show RUN --against BACKEND`.

For each figure, corpus and setting stand the named backend's default variant, its best variant, and
the best variant of any other backend, with the ratio of the named backend to that one. Then the figures
that have a floor (`Metric.floor_of`): times over it, and how far sizes move from corpus to corpus. What
has no figure is named with its reason and never left out in silence; nothing here knows a backend or a
scenario by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from firstbyte.analysis.frames import is_timing
from firstbyte.api import Metric
from firstbyte.engine.registry import ALL_CORES, Variant
from firstbyte.errors import UnknownNameError
from firstbyte.model import Cell
from firstbyte.render.tables import Column, RunView, TableFigure
from firstbyte.units import number, unit_for

TIE = "tie"
NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Entry:
    """A variant of a backend at one figure, corpus and setting."""

    cell: Cell
    label: str
    figure: TableFigure
    reason: str
    """Why there is no figure, where there is none."""

    @property
    def value(self) -> float:
        """The median; NaN where there is none."""
        return math.nan if self.figure.median is None else self.figure.median


@dataclass(frozen=True, slots=True)
class Contest:
    """One figure at one corpus and setting: the named backend and the best of the others."""

    corpus: str
    column: Column
    default: Entry | None
    """None where the default variant is not among those that are compared."""
    best: Entry | None
    """The subject's best variant that has a figure."""
    peer: Entry | None
    """The best variant of another backend that has a figure."""
    winner: str
    without: tuple[Entry, ...]
    """Those that are compared and have no figure."""


@dataclass(frozen=True, slots=True)
class Floored:
    """A figure of a scenario, and the figure of another one that is its floor."""

    scenario: str
    metric: Metric
    floor_scenario: str
    floor_metric: Metric


@dataclass(frozen=True, slots=True)
class Over:
    """A variant's time, and how many times the floor it is."""

    entry: Entry
    text: str
    ratio: float | None


@dataclass(frozen=True, slots=True)
class OverFloor:
    """The times of one corpus over the floor that one backend measured, or why there is none."""

    about: Floored
    corpus: str
    floor: Entry | None
    scans: tuple[Over, ...]
    without: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Peak:
    """A variant's size on one corpus."""

    corpus: str
    entry: Entry
    floor_bytes: float | None
    """The lowest floor that a backend of the run knows; None where none does."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A variant's sizes over the corpora of the run: the largest over the smallest."""

    about: Floored
    label: str
    ratio: float | None
    peaks: tuple[Peak, ...]


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Everything that is said of the named backend, the `subject`."""

    subject: str
    limit: str
    """Which variants were compared, where not all were."""
    contests: tuple[Contest, ...]
    floors: tuple[OverFloor, ...]
    spreads: tuple[Spread, ...]


def scoreboard(
    view: RunView,
    subject: str,
    *,
    threads: int | None = None,
    cores: int = 0,
) -> Scoreboard:
    """Set the backend `subject` against all others of the run.

    `threads` keeps only variants that decode on at most so many threads, by their own declaration;
    one that uses all cores uses `cores`, those of the run's host, and is left out where they are not
    known (0). The figures of a scenario are the chosen ones of the view, or its headline ones and those
    that have a floor. Raises UnknownNameError where the run has no such backend.
    """
    names = {record.cell.backend for record in view.records}
    if subject not in names:
        raise UnknownNameError("backend in the run", subject, names)
    compared = _Field(view, threads, cores)
    return Scoreboard(
        subject,
        compared.limit(),
        tuple(_contests(compared, subject)),
        tuple(over for one in floored(view) if _timed(one) for over in _floors(compared, one)),
        tuple(
            spread
            for one in floored(view)
            if not _timed(one)
            for spread in _spreads(compared, subject, one)
        ),
    )


@dataclass
class _Field:
    """The variants that are compared, and their figures."""

    view: RunView
    threads: int | None
    cores: int
    _left_out: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for cell in self.view.subjects():
            if why := self._too_many(cell):
                self._left_out[self.view.label(cell)] = why

    def limit(self) -> str:
        if self.threads is None:
            return ""
        out = ", ".join(f"{label} ({why})" for label, why in self._left_out.items()) or "none"
        noun = "thread" if self.threads == 1 else "threads"
        return f"Compared: variants that decode on at most {self.threads} {noun}; left out: {out}."

    def entries(
        self, scenario: str, corpus: str, metrics: Sequence[Metric]
    ) -> Iterable[tuple[Column, list[Entry]]]:
        """Each figure of the scenario on that corpus, with all that are compared."""
        subjects = self.view.subjects(scenario)
        for table in self.view.tables(scenario, corpus, metrics):
            for place, column in enumerate(table.columns):
                yield (
                    column,
                    [
                        Entry(
                            cell, row.label, row.figures[place], self._reason(column, cell, corpus)
                        )
                        for cell, row in zip(subjects, table.rows, strict=True)
                        if row.label not in self._left_out
                    ],
                )

    def variant(self, cell: Cell) -> Variant | None:
        """What the backend's folder says of the variant; None where it is not known here."""
        known = self.view.catalogue.backends.get(cell.backend)
        found = [one for one in known.variants if one.name == cell.variant] if known else []
        return found[0] if found else None

    def _too_many(self, cell: Cell) -> str:
        if self.threads is None:
            return ""
        variant = self.variant(cell)
        if variant is None or variant.threads is None:
            return "declares no number of threads"
        if variant.threads == ALL_CORES:
            if 0 < self.cores <= self.threads:
                return ""
            return f"all {self.cores} cores" if self.cores else "all cores, however many"
        return "" if int(variant.threads) <= self.threads else f"{variant.threads} threads"

    def _reason(self, column: Column, subject: Cell, corpus: str) -> str:
        for record in self.view.records:
            cell = record.cell
            if (
                record.remark
                and (cell.scenario, cell.corpus) == (column.scenario, corpus)
                and column.instrument in (None, cell.instrument)
                and self.view.label(cell) == self.view.label(subject)
                and cell.key.params == column.params
            ):
                return record.remark
        return ""


def floored(view: RunView) -> list[Floored]:
    """The figures of the run's scenarios for which another scenario measures the floor."""
    found = []
    for scenario in view.catalogue.scenarios.values():
        for floor in scenario.metrics:
            if floor.floor_of is None or floor.floor_of[0] not in view.scenarios():
                continue
            of, name = floor.floor_of
            known = [metric for metric in view.metrics(of) if metric.name == name]
            metric = known[0] if known else Metric(name, "")
            found.append(Floored(of, metric, scenario.name, floor))
    return found


def _timed(one: Floored) -> bool:
    return is_timing(one.metric.name)


def _figures(view: RunView, scenario: str) -> list[Metric]:
    """The chosen metrics, or the headline ones and those that have a floor."""
    shown = view.headline_metrics(scenario)
    if view.chosen:
        return shown
    named = {metric.name for metric in shown}
    with_floor = {one.metric.name for one in floored(view) if one.scenario == scenario}
    more = with_floor - named
    return shown + [metric for metric in view.metrics(scenario) if metric.name in more]


def _contests(compared: _Field, subject: str) -> Iterable[Contest]:
    view = compared.view
    for scenario in view.scenarios():
        ranked = [metric for metric in _figures(view, scenario) if metric.better]
        for corpus in view.corpora(scenario) if ranked else ():
            for column, entries in compared.entries(scenario, corpus, ranked):
                yield _contest(compared, subject, corpus, column, entries)


def _contest(
    compared: _Field, subject: str, corpus: str, column: Column, entries: Sequence[Entry]
) -> Contest:
    own = [entry for entry in entries if entry.cell.backend == subject]
    best = _best(own, column.better)
    peer = _best([entry for entry in entries if entry.cell.backend != subject], column.better)
    defaults = [e for e in own if (variant := compared.variant(e.cell)) and variant.default]
    return Contest(
        corpus,
        column,
        defaults[0] if defaults else None,
        best,
        peer,
        _winner(subject, best, peer, column.better),
        tuple(entry for entry in entries if entry.figure.median is None),
    )


def _best(entries: Iterable[Entry], better: str) -> Entry | None:
    measured = [entry for entry in entries if entry.figure.median is not None]
    if not measured:
        return None
    choose = max if better == "higher" else min
    return choose(measured, key=lambda entry: entry.value)


def ratio(entry: Entry | None, peer: Entry | None) -> float | None:
    """The first over the second; None unless both were measured and are positive."""
    if entry is None or peer is None or not min(entry.value, peer.value) > 0:
        return None
    return entry.value / peer.value


def _winner(subject: str, best: Entry | None, peer: Entry | None, better: str) -> str:
    """Who has the better figure; a tie where their ratio would be shown as 1."""
    if best is None or peer is None:
        return NOBODY
    shown = ratio(best, peer)
    if best.value == peer.value or (shown is not None and number(shown) == number(1.0)):
        return TIE
    ahead = best.value > peer.value if better == "higher" else best.value < peer.value
    return subject if ahead else peer.cell.backend


def _floors(compared: _Field, about: Floored) -> Iterable[OverFloor]:
    """Per corpus: every variant that reads the files that the floor's backend reads, over that floor."""
    view = compared.view
    corpora = view.corpora(about.scenario)
    if about.floor_scenario not in view.scenarios():
        yield OverFloor(about, ", ".join(corpora), None, (), ())
        return
    for corpus in corpora:
        scans = _only(compared, about.scenario, corpus, about.metric)
        floors = _only(compared, about.floor_scenario, corpus, about.floor_metric)
        backends = dict.fromkeys(entry.cell.backend for entry in floors)
        made = [_best([e for e in floors if e.cell.backend == name], "lower") for name in backends]
        found = [entry for entry in made if entry is not None and entry.value > 0]
        if not found:
            yield OverFloor(about, corpus, None, (), tuple(floors))
        for floor in found:
            same = [entry for entry in scans if _format(view, entry) == _format(view, floor)]
            measured = [entry for entry in same if entry.figure.median is not None]
            unit = unit_for(about.metric.name, [entry.value for entry in measured])
            yield OverFloor(
                about,
                corpus,
                floor,
                tuple(
                    Over(entry, unit.text(entry.value) + f" {unit.symbol}", ratio(entry, floor))
                    for entry in sorted(measured, key=lambda entry: entry.value)
                ),
                tuple(entry for entry in same if entry.figure.median is None),
            )


def _only(compared: _Field, scenario: str, corpus: str, metric: Metric) -> list[Entry]:
    """The entries of the one figure of a scenario without parameters."""
    for _, entries in compared.entries(scenario, corpus, [metric]):
        return entries
    return []


def _format(view: RunView, entry: Entry) -> str:
    known = view.catalogue.backends.get(entry.cell.backend)
    return known.format if known else ""


def _spreads(compared: _Field, subject: str, about: Floored) -> Iterable[Spread]:
    corpora = compared.view.corpora(about.scenario)
    by_label: dict[str, list[Peak]] = {}
    for corpus in corpora:
        floor_bytes = _lowest_floor(compared, about, corpus)
        for entry in _only(compared, about.scenario, corpus, about.metric):
            if entry.cell.backend == subject:
                by_label.setdefault(entry.label, []).append(Peak(corpus, entry, floor_bytes))
    for label, found in by_label.items():
        values = [peak.entry.value for peak in found if peak.entry.value > 0]
        spread = max(values) / min(values) if len(values) > 1 else None
        if len(corpora) > 1 or any(peak.floor_bytes for peak in found):
            yield Spread(about, label, spread, tuple(found))


def _lowest_floor(compared: _Field, about: Floored, corpus: str) -> float | None:
    if about.floor_scenario not in compared.view.scenarios():
        return None
    entries = _only(compared, about.floor_scenario, corpus, about.floor_metric)
    return min((entry.value for entry in entries if entry.value > 0), default=None)
