"""README's one picture: two columns of its headline beside each other, as a standalone SVG."""

from __future__ import annotations

from firstbyte.errors import HarnessError
from firstbyte.render.headline import headline
from firstbyte.render.html import plots
from firstbyte.render.request import Request


def render(given: Request) -> str:
    """The first headline column, and the first after it with another kind of metric (time, memory).

    Raises HarnessError where there is none, or where nothing of a column was measured.
    """
    found = headline(given.view, given.headline)
    kinds = [column.metric.rpartition("_")[2] for column in found.columns]
    second = next((at for at, kind in enumerate(kinds) if kind != kinds[0]), None)
    if second is None:
        raise HarnessError(
            "the picture needs two headline columns of different kinds, such as a time and a memory"
        )
    for at in (0, second):
        if all(line.figures[at].median is None for line in found.lines):
            raise HarnessError(f"nothing was measured for the column '{found.headings[at]}'")
    colours = plots.palette([record.cell.backend for record in given.view.records])
    svg = plots.dots(
        "picture",
        [(line.label, colours[line.backend]) for line in found.lines],
        [
            (
                found.headings[at],
                found.columns[at].unit,
                [line.figures[at].median for line in found.lines],
                [line.figures[at].text for line in found.lines],
            )
            for at in (0, second)
        ],
    )
    return f"{svg}\n"
