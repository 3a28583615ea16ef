"""Which drawings a scenario gets: decided by the shape of its data, never by its name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from firstbyte.analysis import frames
from firstbyte.api import Metric
from firstbyte.model import Cell, Param
from firstbyte.render.html import plots
from firstbyte.render.tables import WITHHELD, RunView, heading
from firstbyte.units import title, unit_for

_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG, what it shows in words, and who is missing from it and why."""

    svg: str
    title: str
    caption: str
    missing: tuple[str, ...] = ()


def drawings(view: RunView, scenario: str, corpus: str) -> list[Drawing]:
    """All drawings of a scenario on one corpus: scaling, samples, parts, series."""
    return [
        drawing
        for drawing in itertools.chain(
            _scaling(view, scenario, corpus),
            _samples(view, scenario, corpus),
            _parts(view, scenario, corpus),
            _series(view, scenario, corpus),
        )
        if drawing is not None
    ]


def colours(view: RunView) -> dict[str, str]:
    """The colour of every backend of the run."""
    return plots.palette([record.cell.backend for record in view.records])


def _scaling(view: RunView, scenario: str, corpus: str) -> Iterator[Drawing | None]:
    axis = _scaling_parameter(view, scenario)
    if axis is None:
        return
    # What only its instruments declare is not what the scenario asks: tables are enough for that.
    for metric in view.own_metrics(scenario):
        rows = _chosen(view.summary, scenario, corpus, metric.name)
        if rows.empty:
            continue
        unit = unit_for(metric.name, rows["median"])
        panels: list[tuple[str, list[plots.Line]]] = []
        for others in _other_settings(view, scenario, axis):
            lines = _lines(view, scenario, rows, axis, others)
            if lines:
                panels.append((" ".join(others) or scenario, lines))
        if not panels:
            continue
        yield Drawing(
            plots.curves(
                _slug(scenario, corpus, metric.name, "scaling"),
                panels,
                unit,
                axis,
                _axis(metric, unit.symbol),
            ),
            _titled(view, scenario, f"{heading(metric)} by {axis}"),
            f"{_caption(metric)} "
            + (
                "Each point is a ratio of medians."
                if metric.scaling
                else "Points are medians; bars span the lowest to the highest sample."
            ),
            _missing(view, scenario, corpus, metric),
        )


def _lines(
    view: RunView, scenario: str, rows: pd.DataFrame, axis: str, others: tuple[str, ...]
) -> list[plots.Line]:
    palette = colours(view)
    settings = view.parameters(scenario)
    order: dict[str, int] = {}
    lines: list[plots.Line] = []
    for subject in view.subjects(scenario):
        place = order.setdefault(subject.backend, 0)
        order[subject.backend] += 1
        points: list[tuple[float, float, float, float]] = []
        for row in frames.rows_of(_of(rows, subject)):
            parameters = settings[row["params"]]
            if _others(parameters, axis) == others:
                points.append((float(parameters[axis]), row["median"], row["min"], row["max"]))
        if points:
            x, y, low, high = zip(*sorted(points), strict=True)
            lines.append(
                plots.Line(
                    view.label(subject),
                    palette[subject.backend],
                    plots.MARKERS[place % len(plots.MARKERS)],
                    plots.DASHES[place % len(plots.DASHES)],
                    x,
                    y,
                    low,
                    high,
                )
            )
    return lines


def _samples(view: RunView, scenario: str, corpus: str) -> Iterator[Drawing | None]:
    if _scaling_parameter(view, scenario) is not None:
        return
    palette = colours(view)
    for metric in view.headline_metrics(scenario):
        rows = _chosen(view.samples, scenario, corpus, metric.name)
        if rows.empty:
            continue
        panels: list[plots.Panel] = []
        for params in view.settings(scenario):
            here = rows[rows["params"] == params]
            strips = [
                plots.Strip(
                    view.label(subject),
                    palette[subject.backend],
                    tuple(mine["value"]),
                    float(mine["value"].median()),
                )
                for subject in view.subjects(scenario)
                if not (mine := _of(here, subject)).empty
            ]
            if strips:
                name = " ".join(view.varying(scenario, params))
                panels.append(plots.Panel(name, tuple(strips)))
        unit = unit_for(metric.name, rows["value"])
        yield Drawing(
            plots.strips(
                _slug(scenario, corpus, metric.name, "samples"),
                panels,
                unit,
                _axis(metric, unit.symbol),
            ),
            _titled(view, scenario, f"{heading(metric)}, every sample"),
            f"{_caption(metric)} Each dot is one sample; the bar is the median, written at the"
            " right with the number of samples.",
            _missing(view, scenario, corpus, metric),
        )


def _parts(view: RunView, scenario: str, corpus: str) -> Iterator[Drawing | None]:
    if _scaling_parameter(view, scenario) is not None:
        return
    for metric in view.metrics(scenario):
        for params in view.settings(scenario):
            if metric.parts:
                yield _stack(view, scenario, corpus, metric, params)


def _stack(
    view: RunView, scenario: str, corpus: str, metric: Metric, params: str
) -> Drawing | None:
    """The parts of the one sample whose total is the (lower) median: they belong together."""
    names = metric.parts
    rows = view.samples
    rows = rows[
        (rows["scenario"] == scenario)
        & (rows["corpus"] == corpus)
        & (rows["params"] == params)
        & rows["metric"].isin([metric.name, *names])
        & (rows["instrument"] == view.instrument(scenario, metric.name))
    ]
    bars: list[plots.Bar] = []
    missing = list(_missing(view, scenario, corpus, metric, params))
    for subject in view.subjects(scenario):
        table = _of(rows, subject).pivot_table(index="sample", columns="metric", values="value")
        if metric.name not in table:
            continue
        ordered = table.sort_values(metric.name, kind="stable")
        middle = ordered.iloc[(len(ordered) - 1) // 2]
        parts = [float(middle.get(name, 0.0)) for name in names]
        total = float(middle[metric.name])
        rest = total - sum(parts)
        if not any(parts) or rest < -_TOLERANCE * total:
            missing.append(f"{view.label(subject)} (its parts do not add up to its total)")
            continue
        bars.append(
            plots.Bar(view.label(subject), (*parts, rest if rest > _TOLERANCE * total else 0.0))
        )
    if not bars:
        return None
    part_names = [title(name) for name in names]
    if any(bar.parts[-1] for bar in bars):
        part_names.append("rest")
    unit = unit_for(metric.name, [sum(bar.parts) for bar in bars])
    setting = " ".join(view.varying(scenario, params))
    return Drawing(
        plots.stacked(
            _slug(scenario, corpus, metric.name, params, "parts"),
            bars,
            part_names,
            unit,
            _axis(metric, unit.symbol),
        ),
        _titled(
            view, scenario, f"{heading(metric)}, by part" + (f": {setting}" if setting else "")
        ),
        "The parts of the sample whose total is the median (the lower one of two), so that they"
        " add up to a total that was measured.",
        tuple(missing),
    )


def _series(view: RunView, scenario: str, corpus: str) -> Iterator[Drawing | None]:
    everything = frames.series(
        record for record in view.records if record.cell.scenario == scenario
    )
    everything = everything[everything["corpus"] == corpus]
    palette = colours(view)
    for name in dict.fromkeys(everything["metric"]):
        rows = everything[everything["metric"] == name]
        for params in dict.fromkeys(rows["params"]):
            here = rows[rows["params"] == params]
            instrument = min(here["instrument"])
            here = here[here["instrument"] == instrument]
            panels = [
                (
                    view.label(subject),
                    [
                        plots.Line(
                            view.label(subject),
                            palette[subject.backend],
                            "",
                            "-",
                            tuple(float(position) + 1 for position in one["position"]),
                            tuple(one["value"]),
                        )
                        for _, one in mine.groupby(["process", "sample"], sort=True)
                    ],
                )
                for subject in view.subjects(scenario)
                if not (mine := _of(here, subject)).empty
            ]
            unit = unit_for(name, here["value"])
            setting = " ".join(view.varying(scenario, params))
            yield Drawing(
                plots.multiples(
                    _slug(scenario, corpus, name, params, "series"),
                    panels,
                    unit,
                    "repetition",
                    unit.symbol or title(name),
                ),
                _titled(
                    view,
                    scenario,
                    f"{title(name)} after every repetition" + (f": {setting}" if setting else ""),
                ),
                "Raw series, one line per process. Each panel has a scale of its own that spans at"
                " least 5% of the level.",
            )


def _missing(
    view: RunView, scenario: str, corpus: str, metric: Metric, params: str | None = None
) -> tuple[str, ...]:
    """Who has no figure in a drawing, with the status: an absent row must not pass unnoticed."""
    settings = view.settings(scenario) if params is None else [params]
    instrument = view.instrument(scenario, metric.name)
    if instrument is None:
        return ()
    found: dict[str, int] = {}
    tried: dict[str, int] = {}
    for setting in settings:
        records = {
            view.label(subject): view.record(scenario, subject, corpus, setting, instrument)
            for subject in view.subjects(scenario)
        }
        there = {k: r for k, r in records.items() if r is not None}
        given = any(view.has_figure(record, metric.name) for record in there.values())
        for label, record in there.items():
            tried[label] = tried.get(label, 0) + 1
            if not record.ok:
                name = f"{label} ({record.status})"
            elif given and not view.has_figure(record, metric.name):
                name = f"{label} ({WITHHELD})"
            else:  # drawn, or a figure that nobody gives at this setting
                continue
            found[name] = found.get(name, 0) + 1
    return tuple(
        name
        if number == tried[name.rpartition(" (")[0]]
        else f"{name} at {number} of {tried[name.rpartition(' (')[0]]} settings"
        for name, number in found.items()
    )


def _scaling_parameter(view: RunView, scenario: str) -> str | None:
    """The numeric parameter with the most values, at least three; None where there is none."""
    values: dict[str, set[Param]] = {}
    for record in view.records:
        if record.cell.scenario == scenario:
            for name, value in record.cell.params.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    values.setdefault(name, set()).add(value)
    best = max(values, key=lambda name: (len(values[name]), name), default=None)
    return best if best is not None and len(values[best]) >= 3 else None


def _other_settings(view: RunView, scenario: str, axis: str) -> list[tuple[str, ...]]:
    settings = view.parameters(scenario).values()
    return list(dict.fromkeys(_others(parameters, axis) for parameters in settings))


def _others(parameters: Mapping[str, Param], axis: str) -> tuple[str, ...]:
    return tuple(f"{name}={parameters[name]}" for name in sorted(parameters) if name != axis)


def _chosen(frame: pd.DataFrame, scenario: str, corpus: str, metric: str) -> pd.DataFrame:
    return frame[
        (frame["scenario"] == scenario) & (frame["corpus"] == corpus) & (frame["metric"] == metric)
    ]


def _of(frame: pd.DataFrame, subject: Cell) -> pd.DataFrame:
    return frame[
        (frame["backend"] == subject.backend)
        & (frame["variant"] == subject.variant)
        & (frame["environment"] == subject.environment)
    ]


def _titled(view: RunView, scenario: str, text: str) -> str:
    """The text, and at which parameters all of the scenario was measured."""
    return ", ".join((text, *view.constant(scenario)))


def _axis(metric: Metric, symbol: str) -> str:
    better = {"lower": ", lower is better", "higher": ", higher is better"}.get(metric.better, "")
    return f"{heading(metric)} ({symbol}){better}" if symbol else f"{heading(metric)}{better}"


def _caption(metric: Metric) -> str:
    if not metric.help:
        return ""
    text = metric.help[:1].upper() + metric.help[1:]
    return text if text.endswith(".") else f"{text}."


def _slug(*parts: Sequence[str] | str) -> str:
    """An id that no label can break out of."""
    return "f-" + re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower()).strip("-")
