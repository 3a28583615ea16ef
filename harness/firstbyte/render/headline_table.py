"""The headline of a run as a Markdown table, with its failures and how it was obtained."""

from __future__ import annotations

from firstbyte.model import Cell
from firstbyte.render import provenance
from firstbyte.render.headline import Headline
from firstbyte.render.markdown import escape, row
from firstbyte.render.tables import Problem, RunView, TableFigure
from firstbyte.units import DECIMAL_NOTE, number


def markdown(found: Headline, view: RunView) -> str:
    """The table, its failures and how it was obtained. Ends without a line break."""
    units = [f" ({column.unit.symbol})" if column.unit.symbol else "" for column in found.columns]
    headings = [text + unit for text, unit in zip(found.headings, units, strict=True)]
    if found.baseline:
        headings += [f"{text}, ratio" for text in found.headings]
    lines = [
        row(["backend:variant", *headings]),
        row(["---", *("---:" for _ in headings)]),
    ]
    lines += [
        row(
            [
                escape(line.label),
                *(_figure(figure) for figure in line.figures),
                *("-" if ratio is None else number(ratio) for ratio in line.ratios),
            ]
        )
        for line in found.lines
    ]
    legend = f"Medians; bold is the best of a column; {DECIMAL_NOTE}."
    if found.baseline:
        legend += (
            f" The last columns are ratios to {escape(found.baseline)}: how many times better;"
            " below 1 is worse."
        )
    lines += ["", legend + _settings(found)]
    lines += [f"- {_problem(problem)}" for problem in _relevant(found, view)]
    lines += ["", "How it was obtained:", ""]
    for label, text in provenance.how_obtained(view.shown):
        if not label.startswith("corpus ") or label == f"corpus {found.corpus}":
            lines.append(f"- {escape(label)}: {escape(text)}")
    return "\n".join(lines)


def _settings(found: Headline) -> str:
    """The parameters of every column that has some: a heading is chosen by its author."""
    texts = [
        f"{text}: {column.params.replace(',', ' ')}"
        for text, column in zip(found.headings, found.columns, strict=True)
        if column.params
    ]
    return f" Measured at: {escape('; '.join(texts))}." if texts else ""


def _relevant(found: Headline, view: RunView) -> list[Problem]:
    """Problems of the cells that stand in the table, one per status, label and reason."""
    places = {(c.scenario, c.params, c.instrument) for c in found.columns}
    chosen = view.problems(lambda cell: cell.corpus == found.corpus and _place_of(cell) in places)
    unique = {(problem.status, problem.label, problem.reason): problem for problem in chosen}
    shown = {line.label for line in found.lines if any(f.median is None for f in line.figures)}
    return [problem for problem in unique.values() if problem.label in shown]


def _place_of(cell: Cell) -> tuple[str, str, str]:
    return cell.scenario, cell.key.params, cell.instrument


def _problem(problem: Problem) -> str:
    return escape(f"{problem.status} {problem.label} ({problem.where}): {problem.reason}")


def _figure(figure: TableFigure) -> str:
    return f"**{figure.text}**" if figure.best else figure.text
