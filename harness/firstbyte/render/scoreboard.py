"""One backend against all others, figure by figure: `firstbyte show RUN --against BACKEND`.

For each figure, corpus and setting stand the named backend's default variant, its best variant, and
the best variant of any other backend, with the ratio of the named backend to that one. Then its
CPU time over the codec's alone, and how far its memory moves from corpus to corpus. What has no
figure is named with its reason and never left out in silence; nothing here knows a backend by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from firstbyte.analysis.frames import params_text
from firstbyte.api import Metric
from firstbyte.engine.registry import ALL_CORES, Variant
from firstbyte.errors import UnknownNameError
from firstbyte.model import Cell
from firstbyte.render.tables import Column, Figure, RunView
from firstbyte.units import DECIMAL_NOTE, Unit, number, unit_for

SCAN = "full_scan"
FLOOR = "codec_floor"
CPU = Metric("cpu_ns", "CPU time of all threads of the process", headline=True)
SPREAD = Metric("peak_rss_anon_above_base_bytes", "")
MEMORY_FLOOR = Metric("memory_floor_bytes", "")
TIE = "tie"
NOBODY = "-"

Chooser = Callable[[RunView, str], Sequence[Metric]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A variant of a backend at one figure, corpus and setting."""

    cell: Cell
    label: str
    figure: Figure
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
class Over:
    """A variant's CPU time for the whole scan over that of the codec alone."""

    entry: Entry
    text: str
    ratio: float | None


@dataclass(frozen=True, slots=True)
class OverFloor:
    """The scans of one corpus over one backend's codec floor, or why there is none."""

    corpus: str
    floor: Entry | None
    scans: tuple[Over, ...]
    without: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Peak:
    """A variant's peak above base on one corpus."""

    corpus: str
    entry: Entry
    floor_bytes: float | None
    """What a page-wise scan of that corpus has in hand; None where no backend of the run knows."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A variant's peaks over the corpora of the run: the largest over the smallest."""

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
    metrics: Chooser | None = None,
) -> Scoreboard:
    """Set the backend `subject` against all others of the run.

    `threads` keeps only variants that decode on at most so many threads, by their own declaration;
    one that uses all cores uses `cores`, those of the run's host, and is left out where they are not
    known (0). `metrics` chooses the figures of a scenario; by default its headline ones, and the
    CPU time of a scan. Raises UnknownNameError where the run has no such backend.
    """
    names = {record.cell.backend for record in view.records}
    if subject not in names:
        raise UnknownNameError("backend in the run", subject, names)
    compared = _Field(view, threads, cores)
    return Scoreboard(
        subject,
        compared.limit(),
        tuple(_contests(compared, subject, metrics or _figures)),
        tuple(_floors(compared)),
        tuple(_spreads(compared, subject)),
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
                record.reason
                and (cell.scenario, cell.corpus) == (column.scenario, corpus)
                and column.instrument in (None, cell.instrument)
                and self.view.label(cell) == self.view.label(subject)
                and params_text(cell.params) == column.params
            ):
                return record.reason
        return ""


def _figures(view: RunView, scenario: str) -> list[Metric]:
    """The headline metrics; those of the scan with its CPU time, which the floor is about."""
    chosen = view.headline_metrics(scenario)
    if scenario == SCAN and CPU.name not in {metric.name for metric in chosen}:
        chosen = chosen + [one for one in view.metrics(scenario) if one.name == CPU.name]
    return chosen


def _contests(compared: _Field, subject: str, metrics: Chooser) -> Iterable[Contest]:
    view = compared.view
    for scenario in view.scenarios():
        ranked = [metric for metric in metrics(view, scenario) if metric.better]
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


def _floors(compared: _Field) -> Iterable[OverFloor]:
    """Per corpus: every scan of the files that the floor's backend reads, over that floor."""
    view = compared.view
    corpora = view.corpora(SCAN)
    if corpora and FLOOR not in view.scenarios():
        yield OverFloor(", ".join(corpora), None, (), ())
        return
    for corpus in corpora:
        scans = _only(compared, SCAN, corpus, CPU)
        floors = _only(compared, FLOOR, corpus, CPU)
        backends = dict.fromkeys(entry.cell.backend for entry in floors)
        made = [_best([e for e in floors if e.cell.backend == name], "lower") for name in backends]
        found = [entry for entry in made if entry is not None and entry.value > 0]
        if not found:
            yield OverFloor(corpus, None, (), tuple(floors))
        for floor in found:
            same = [entry for entry in scans if _format(view, entry) == _format(view, floor)]
            measured = [entry for entry in same if entry.figure.median is not None]
            unit = unit_for(CPU.name, [entry.value for entry in measured])
            yield OverFloor(
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


def _spreads(compared: _Field, subject: str) -> Iterable[Spread]:
    corpora = compared.view.corpora(SCAN)
    by_label: dict[str, list[Peak]] = {}
    for corpus in corpora:
        floor_bytes = _memory_floor(compared, corpus)
        for entry in _only(compared, SCAN, corpus, SPREAD):
            if entry.cell.backend == subject:
                by_label.setdefault(entry.label, []).append(Peak(corpus, entry, floor_bytes))
    for label, found in by_label.items():
        values = [peak.entry.value for peak in found if peak.entry.value > 0]
        spread = max(values) / min(values) if len(values) > 1 else None
        if len(corpora) > 1 or any(peak.floor_bytes for peak in found):
            yield Spread(label, spread, tuple(found))


def _memory_floor(compared: _Field, corpus: str) -> float | None:
    if FLOOR not in compared.view.scenarios():
        return None
    known = [entry.value for entry in _only(compared, FLOOR, corpus, MEMORY_FLOOR)]
    return min((value for value in known if value > 0), default=None)


def draw(board: Scoreboard) -> Group:
    """The scoreboard as the terminal shows it."""
    parts: list[RenderableType] = []
    if board.limit:
        parts.append(Text(board.limit))
    groups: dict[tuple[str, str], list[Contest]] = {}
    for contest in board.contests:
        groups.setdefault((contest.column.scenario, contest.corpus), []).append(contest)
    for (scenario, corpus), contests in groups.items():
        parts.extend(_heading(f"{scenario}, corpus {corpus}"))
        parts.append(_contest_grid(board.subject, contests))
        parts.extend(_without((c.column, entry) for c in contests for entry in c.without))
    for over in board.floors:
        parts.extend(_heading(f"CPU time of a scan over the codec's alone, corpus {over.corpus}"))
        parts.extend(_floor_parts(over))
    if board.spreads:
        parts.extend(_heading("peak RssAnon above base, largest over smallest of all corpora"))
        parts.extend(Text(_spread_line(spread)) for spread in board.spreads)
    parts.append(Text(_legend(board.subject), style="dim"))
    return Group(*parts)


def _heading(text: str) -> list[RenderableType]:
    return [Text(""), Text(text, style="bold")]


def _contest_grid(subject: str, contests: Sequence[Contest]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    grid.add_column("figure", overflow="fold")
    for heading in ("default", "ratio", "best", "ratio", "best other"):
        # A narrow terminal folds a name and never cuts one off.
        grid.add_column(heading, justify="right", overflow="fold", no_wrap=heading == "ratio")
    grid.add_column("ahead", overflow="fold")
    for contest in contests:
        column = contest.column
        unit = column.unit.symbol
        setting = f" {', '.join(column.varying)}" if column.varying else ""
        grid.add_row(
            Text(f"{column.title}{setting}{f', {unit}' if unit else ''}"),
            _entry(contest.default),
            _ratio(contest.default, contest.peer),
            _entry(contest.best, "variant"),
            _ratio(contest.best, contest.peer),
            _entry(contest.peer, "label"),
            Text(contest.winner, style="bold green" if contest.winner == subject else ""),
        )
    return grid


def _entry(entry: Entry | None, who: str = "") -> Text:
    if entry is None:
        return Text("none", style="dim")
    name = {"variant": f" {entry.cell.variant}", "label": f" {entry.label}"}.get(who, "")
    failed = entry.figure.failed
    return Text(f"{entry.figure.text}{name}", style="bold red" if failed else "")


def _ratio(entry: Entry | None, peer: Entry | None) -> str:
    value = ratio(entry, peer)
    return "-" if value is None else number(value)


def _without(found: Iterable[tuple[Column, Entry]]) -> Iterable[RenderableType]:
    """One line for all variants that lack the same figures for the same reason."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for column, entry in found:
        key = (entry.figure.text, entry.label, entry.reason)
        figure = " ".join((column.title, *column.varying))
        lacking.setdefault(key, []).append(figure)
    lines: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (word, label, reason), figures in lacking.items():
        lines.setdefault((word, reason, tuple(figures)), []).append(label)
    for (word, reason, lacked), labels in lines.items():
        more = f" and {len(lacked) - 1} more" if len(lacked) > 1 else ""
        why = f": {reason}" if reason else ""
        text = f"{word}  {', '.join(labels)} ({lacked[0]}{more}){why}"
        yield Padding(Text(text, style="dim"), (0, 0, 0, 2))


def _floor_parts(over: OverFloor) -> Iterable[RenderableType]:
    if over.floor is None:
        yield Text(f"no codec floor{'' if over.without else f': {FLOOR} is not in this run'}")
    else:
        unit = unit_for(CPU.name, [over.floor.value])
        text = f"{unit.text(over.floor.value)} {unit.symbol}"
        yield Text(f"the codec alone: {text}, measured by {over.floor.label}")
        grid = Grid(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        grid.add_column("backend:variant", overflow="fold")
        grid.add_column("CPU time", justify="right")
        grid.add_column("over the floor", justify="right")
        for scan in over.scans:
            shown = "-" if scan.ratio is None else number(scan.ratio)
            grid.add_row(escape(scan.entry.label), scan.text, shown)
        yield grid
    for entry in over.without:
        why = f": {entry.reason}" if entry.reason else ""
        text = f"{entry.figure.text}  {entry.label}{why}"
        yield Padding(Text(text, style="dim"), (0, 0, 0, 2))


def _spread_line(spread: Spread) -> str:
    unit = unit_for(SPREAD.name, [p.entry.value for p in spread.peaks if p.entry.value > 0])
    places = ", ".join(f"{peak.corpus} {_peak_text(peak, unit)}" for peak in spread.peaks)
    shown = "no ratio" if spread.ratio is None else number(spread.ratio)
    return f"{spread.label}  {shown}: {places}"


def _peak_text(peak: Peak, unit: Unit) -> str:
    if peak.entry.figure.median is None:
        return peak.entry.figure.text
    text = f"{unit.text(peak.entry.value)} {unit.symbol}"
    if not peak.floor_bytes:
        return text
    over = number(peak.entry.value / peak.floor_bytes)
    return f"{text} ({over} x pages in hand and a batch, {unit.text(peak.floor_bytes)})"


def _legend(subject: str) -> str:
    return (
        f"\n'default' and 'best' are variants of {subject}; 'best other' is the best variant of any"
        f" other backend.\nA ratio is {subject}'s figure over that one. Figures are medians of OK"
        " cells; what has no figure is named below its table.\n"
        f"'ahead' compares medians and is no test: `firstbyte gate` tells what is sure."
        f" {DECIMAL_NOTE}."
    )
