"""One backend, or each in turn, against the best of all others, with ratios."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from firstbyte.render.request import Request
from firstbyte.render.scoreboard import (
    Contest,
    Entry,
    OverFloor,
    Peak,
    Scoreboard,
    Spread,
    ratio,
    scoreboard,
)
from firstbyte.render.tables import Column
from firstbyte.units import DECIMAL_NOTE, Unit, number, title, unit_for


def render(given: Request) -> Group:
    view = given.view
    cores = _cores(view.run.host)
    every = dict.fromkeys(record.cell.backend for record in view.records)
    names = [given.against] if given.against else sorted(every)
    return Group(
        *(Text(f"Note: {note}", style="bold yellow") for note in view.notes),
        *(draw(scoreboard(view, name, threads=given.threads, cores=cores)) for name in names),
    )


def _cores(host: Mapping[str, Any]) -> int:
    """How many cores could work at once, by affinity and quota; 0 where that was not kept."""
    there, quota = int(host.get("cores", 0)), host.get("cpu_quota_cores")
    return there if quota is None else min(there, math.ceil(quota))


def draw(board: Scoreboard) -> Group:
    """The scoreboard as the terminal shows it."""
    parts: list[RenderableType] = []
    if board.limit:
        parts.append(Text(board.limit))
    groups: dict[tuple[str, str], list[Contest]] = {}
    for contest in board.contests:
        groups.setdefault((contest.column.scenario, contest.corpus), []).append(contest)
    for (scenario, corpus), contests in groups.items():
        settings = contests[0].column.constant
        parts.extend(_heading(", ".join((scenario, f"corpus {corpus}", *settings))))
        parts.append(_contest_grid(board.subject, contests))
        parts.extend(_without((c.column, entry) for c in contests for entry in c.without))
    for over in board.floors:
        parts.extend(_heading(f"{_over_what(over)}, corpus {over.corpus}"))
        parts.extend(_floor_parts(over))
    spreads: dict[str, list[Spread]] = {}
    for spread in board.spreads:
        spreads.setdefault(spread.about.metric.name, []).append(spread)
    for metric, several in spreads.items():
        parts.extend(_heading(f"{title(metric)}, largest over smallest of all corpora"))
        parts.extend(Text(_spread_line(spread)) for spread in several)
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


def _over_what(over: OverFloor) -> str:
    about = over.about
    return f"{title(about.metric.name)} of {about.scenario} over that of {about.floor_scenario}"


def _floor_parts(over: OverFloor) -> Iterable[RenderableType]:
    if over.floor is None:
        missing = f": {over.about.floor_scenario} is not in this run"
        yield Text(f"no floor{'' if over.without else missing}")
    else:
        unit = unit_for(over.about.floor_metric.name, [over.floor.value])
        text = f"{unit.text(over.floor.value)} {unit.symbol}"
        yield Text(f"the floor: {text}, measured by {over.floor.label}")
        grid = Grid(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        grid.add_column("backend:variant", overflow="fold")
        grid.add_column(title(over.about.metric.name), justify="right")
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
    unit = unit_for(
        spread.about.metric.name, [p.entry.value for p in spread.peaks if p.entry.value > 0]
    )
    places = ", ".join(f"{peak.corpus} {_peak_text(spread, peak, unit)}" for peak in spread.peaks)
    shown = "no ratio" if spread.ratio is None else number(spread.ratio)
    return f"{spread.label}  {shown}: {places}"


def _peak_text(spread: Spread, peak: Peak, unit: Unit) -> str:
    if peak.entry.figure.median is None:
        return peak.entry.figure.text
    text = f"{unit.text(peak.entry.value)} {unit.symbol}"
    if not peak.floor_bytes:
        return text
    over = number(peak.entry.value / peak.floor_bytes)
    floor = title(spread.about.floor_metric.name)
    return f"{text} ({over} x the {floor}, {unit.text(peak.floor_bytes)})"


def _legend(subject: str) -> str:
    return (
        f"\n'default' and 'best' are variants of {subject}; 'best other' is the best variant of any"
        f" other backend.\nA ratio is {subject}'s figure over that one. Figures are medians of OK"
        " cells; what has no figure is named below its table.\n"
        f"'ahead' compares medians and is no test: `firstbyte gate` tells what is sure."
        f" {DECIMAL_NOTE}."
    )
