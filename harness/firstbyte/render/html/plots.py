"""The drawings: plain values in, one inline SVG out. matplotlib draws, nothing here reads records.

The same values give the same bytes: ids are salted with a constant, and no date is written. Colours
are those of Okabe and Ito (Color Universal Design, 2008), one per backend in every drawing of a
report; no drawing needs colour to be read, as every row and line carries its name.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from firstbyte.units import Unit, number

OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8A7F00",  # Okabe-Ito yellow, darkened: the original cannot be seen on white
)
PARTS = ("#08306B", "#2F79B5", "#82BADB", "#D0D9E2", "#F1B16E", "#A9501A")
"""Neutral steps for the parts of a bar, so that no part is mistaken for a backend."""
REST = "#B0B0B0"
MARKERS = "osD^vP*X"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))

WIDE_RANGE = 20.0
"""From this ratio of largest to smallest on, an axis is logarithmic."""

_WIDTH_IN = 11.2
_ROW_IN = 0.27
_INK = "#1b1f24"
_FAINT = "#d7dce1"
_STYLE: Any = {  # matplotlib types the keys as one literal for each of its settings
    "svg.hashsalt": "firstbyte",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": "#8a929b",
    "axes.labelcolor": _INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": "#4a525b",
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Strip:
    """All raw samples of one cell, in the metric's stored unit."""

    label: str
    colour: str
    values: tuple[float, ...]
    median: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One setting of the parameters."""

    title: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One total and the parts that it is made of, in the metric's stored unit."""

    label: str
    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: x, y, and the lowest and highest sample at each x (empty for raw series)."""

    label: str
    colour: str
    marker: str
    dash: Any
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def palette(backends: Sequence[str]) -> dict[str, str]:
    """A colour for each backend; the same list gives the same colours."""
    return {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(sorted(set(backends)))}


def strips(name: str, panels: Sequence[Panel], unit: Unit, axis: str) -> str:
    """Every raw sample as a dot, the median as a bar with its value; panels share rows and axis."""
    labels = list(dict.fromkeys(s.label for panel in panels for s in panel.strips))
    values = [value for panel in panels for s in panel.strips for value in s.values]
    across = min(2, len(panels))
    down = math.ceil(len(panels) / across)
    height = down * (0.75 + _ROW_IN * len(labels)) + 0.25
    with _figure(height) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        spots = [axes for row in grid for axes in row]
        for axes in spots[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(spots, panels, strict=False):
            axes.set_title(panel.title)
            for strip in panel.strips:
                _draw_strip(axes, strip, labels.index(strip.label), unit)
        for number_, axes in enumerate(spots[: len(panels)]):
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylim(len(labels) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
            below = number_ + across >= len(panels)
            axes.tick_params(axis="x", labelbottom=below)
            if below:
                axes.set_xlabel(axis)
        _value_axis(spots[0], "x", [value / unit.scale for value in values])
        return _svg(figure, name)


def stacked(
    name: str, bars: Sequence[Bar], part_names: Sequence[str], unit: Unit, axis: str
) -> str:
    """Absolute stacked bars with their totals; their shares beside them where the range is wide."""
    totals = [sum(bar.parts) / unit.scale for bar in bars]
    wide = min(totals) > 0 and max(totals) / min(totals) > WIDE_RANGE
    with _figure(0.95 + _ROW_IN * len(bars)) as figure:
        grid = figure.subplots(1, 2 if wide else 1, squeeze=False, sharey=True)[0]
        _draw_bars(grid[0], bars, [1 / unit.scale] * len(bars), part_names)
        for row, total in enumerate(totals):
            grid[0].annotate(
                number(total),
                (total, row),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        grid[0].set_xlim(0, max(totals) * 1.12)
        grid[0].set_xlabel(axis)
        grid[0].xaxis.set_major_formatter(FuncFormatter(_tick))
        if wide:
            _draw_bars(grid[1], bars, [100 / sum(bar.parts) for bar in bars], part_names)
            grid[1].set_xlim(0, 100)
            grid[1].set_xlabel("share of the total (%)")
        grid[0].set_yticks(range(len(bars)), [bar.label for bar in bars])
        grid[0].set_ylim(len(bars) - 0.4, -0.6)
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=len(names), fontsize=8.5)
        return _svg(figure, name)


def curves(
    name: str, panels: Sequence[tuple[str, Sequence[Line]]], unit: Unit, x_axis: str, axis: str
) -> str:
    """Curves over a numeric parameter, a panel per setting of the others; bars span min to max."""
    with _figure(3.9) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (title, lines) in zip(grid, panels, strict=True):
            axes.set_title(title)
            for line in lines:
                _draw_curve(axes, line, unit.scale)
            axes.set_xlabel(x_axis)
        places = sorted({x for _, lines in panels for line in lines for x in line.x})
        if places[0] > 0 and places[-1] / places[0] >= 4:
            grid[0].set_xscale("log", base=2)
        grid[0].xaxis.set_major_locator(FixedLocator(places))
        grid[0].xaxis.set_major_formatter(FuncFormatter(_tick))
        grid[0].xaxis.set_minor_formatter(NullFormatter())
        grid[0].set_ylabel(axis)
        every = [v / unit.scale for _, lines in panels for line in lines for v in line.y]
        _value_axis(grid[0], "y", every)
        handles: dict[str, Any] = {}
        for axes in grid:
            drawn, names = axes.get_legend_handles_labels()
            handles.update(dict(zip(names, drawn, strict=True)))
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside right center",
            fontsize=8.5,
            handlelength=3.4,
        )
        return _svg(figure, name)


def multiples(
    name: str, panels: Sequence[tuple[str, Sequence[Line]]], unit: Unit, x_axis: str, axis: str
) -> str:
    """Raw series, one small panel per subject, each on its own scale as sizes differ widely."""
    across = min(4, max(2, len(panels)))
    down = math.ceil(len(panels) / across)
    with _figure(1.75 * down + 0.3) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharex=True)
        spots = [axes for row in grid for axes in row]
        for axes in spots[len(panels) :]:
            axes.set_visible(False)
        for index, (axes, (title, lines)) in enumerate(zip(spots, panels, strict=False)):
            axes.set_title(title, fontsize=8.5)
            for line in lines:
                y = [value / unit.scale for value in line.y]
                axes.plot(line.x, y, color=line.colour, linewidth=1.1)
            values = [value / unit.scale for line in lines for value in line.y]
            _at_least(axes, values)
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_formatter(FuncFormatter(_tick))
            below = index + across >= len(panels)
            axes.tick_params(axis="x", labelbottom=below)
            if below:
                axes.set_xlabel(x_axis)
            if index % across == 0:
                axes.set_ylabel(axis)
        return _svg(figure, name)


def dots(
    name: str,
    rows: Sequence[tuple[str, str]],
    panels: Sequence[tuple[str, Unit, Sequence[float | None], Sequence[str]]],
) -> str:
    """One dot per row and panel, its text at the right; None (not measured) leaves only the text.

    `rows` are (label, colour); a panel is (title, unit, values in the stored unit, texts).
    """
    with _figure(0.8 + _ROW_IN * len(rows), 9.6) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (title, unit, values, texts) in zip(grid, panels, strict=True):
            axes.set_title(title)
            for row, ((_, colour), value, text) in enumerate(zip(rows, values, texts, strict=True)):
                if value is not None:
                    axes.plot([value / unit.scale], [row], "o", color=colour, markersize=7)
                axes.annotate(
                    text,
                    (1.01, row),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=8,
                    annotation_clip=False,
                )
            _value_axis(axes, "x", [value / unit.scale for value in values if value is not None])
            axes.set_xlabel(unit.symbol)
        grid[0].set_yticks(range(len(rows)), [label for label, _ in rows])
        grid[0].set_ylim(len(rows) - 0.4, -0.6)
        return _svg(figure, name)


def _draw_strip(axes: Axes, strip: Strip, row: int, unit: Unit) -> None:
    # Golden-ratio steps spread dots evenly without a random number.
    offsets = [(((i * 0.618034) % 1.0) - 0.5) * 0.52 for i in range(len(strip.values))]
    x = [value / unit.scale for value in strip.values]
    axes.plot(
        x,
        [row + offset for offset in offsets],
        "o",
        color=strip.colour,
        markersize=3.4,
        markeredgewidth=0,
        alpha=0.6,
        clip_on=False,
    )
    median = strip.median / unit.scale
    axes.plot([median, median], [row - 0.36, row + 0.36], color=_INK, linewidth=1.8, zorder=4)
    axes.annotate(
        f"{unit.text(strip.median)}  n={len(strip.values)}",
        (1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=7.5,
        annotation_clip=False,
    )


def _draw_bars(
    axes: Axes, bars: Sequence[Bar], factors: Sequence[float], part_names: Sequence[str]
) -> None:
    left = [0.0] * len(bars)
    for index, part in enumerate(part_names):
        widths = [bar.parts[index] * factor for bar, factor in zip(bars, factors, strict=True)]
        colour = REST if part == "rest" else PARTS[index % len(PARTS)]
        axes.barh(
            range(len(bars)),
            widths,
            0.66,
            left,
            color=colour,
            edgecolor="white",
            linewidth=0.4,
            label=part,
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.grid(visible=False, axis="y")


def _draw_curve(axes: Axes, line: Line, scale: float) -> None:
    y = [value / scale for value in line.y]
    # A derived figure has no samples to span: its bars have no length.
    spread = [
        [0.0 if math.isnan(low) else v - low / scale for v, low in zip(y, line.low, strict=True)],
        [0.0 if math.isnan(up) else up / scale - v for v, up in zip(y, line.high, strict=True)],
    ]
    axes.errorbar(
        line.x,
        y,
        spread,
        color=line.colour,
        marker=line.marker,
        linestyle=line.dash,
        markersize=5,
        linewidth=1.5,
        elinewidth=0.9,
        capsize=2,
        label=line.label,
    )


def _value_axis(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Logarithmic where the values span a wide range, else linear from zero."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    low, high = min(values), max(values)
    if low > 0 and high / low > WIDE_RANGE:
        set_scale("log")
        set_limits(low / 1.3, high * 1.3)
        decades = math.log10(high / low)
        subs = (1.0, 2.0, 5.0) if decades <= 2.2 else (1.0,) if decades > 4 else (1.0, 3.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=20))
        axis.set_minor_locator(NullLocator())
    elif low >= 0:
        set_limits(0, high * 1.06 or 1)
    axis.set_major_formatter(FuncFormatter(_tick))


def _at_least(axes: Axes, values: Sequence[float]) -> None:
    """An axis spans at least 5% of the level, or noise of a few pages would look like growth."""
    low, high = min(values), max(values)
    middle, half = (low + high) / 2, max((high - low) / 2, abs(high) * 0.025, 1e-9)
    axes.set_ylim(middle - half * 1.1, middle + half * 1.1)


def _tick(value: float, _position: int | None = None) -> str:
    return f"{value:,.6g}" if abs(value) < 1e5 else f"{value:,.0f}"


@contextmanager
def _figure(height_in: float, width_in: float = _WIDTH_IN) -> Iterator[Figure]:
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def _svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element whose ids begin with `name`, without prolog or comments."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # A hundredth of a point is finer than any screen, and half of the bytes.
    text = re.sub(
        r'\b(?:d|x|y)="[^"]*"',
        lambda attribute: re.sub(r"(\.\d\d)\d+", r"\1", attribute.group()),
        text,
    )
    # Several drawings share one page: ids must be unique in it.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.strip()
