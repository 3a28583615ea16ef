"""README's headline table, as Markdown between two markers, generated from a published run.

<!-- headline:begin ... -->   what the table holds, see `firstbyte.render.headline`
(generated)
<!-- headline:end -->
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from firstbyte.errors import HarnessError
from firstbyte.model import Cell
from firstbyte.render import provenance
from firstbyte.render.headline import Headline, HeadlineSpec, headline, parse
from firstbyte.render.tables import Problem, RunView, TableFigure
from firstbyte.units import DECIMAL_NOTE, number

_BEGIN = re.compile(r"<!--\s*headline:begin(?P<spec>.*?)-->\n?", re.DOTALL)
_END = "<!-- headline:end -->"


def update(readme: str, view: RunView) -> str:
    """README's text with the table between its markers made anew; all else is left as it is.

    Raises HarnessError where the markers are missing or doubled, or ask for what the run lacks.
    """
    begin, start, end = _place(readme)
    found = headline(view, parse(begin))
    return f"{readme[:start]}\n{markdown(found, view)}\n{readme[end:]}"


def check(readme: str, view: RunView) -> None:
    """Raises HarnessError where the table in README is not the one that this run gives."""
    if update(readme, view) != readme:
        run_id = view.run.run_id
        raise HarnessError(
            f"README's headline table is not the one of run {run_id};"
            f" `firstbyte report {run_id} --readme README.md` writes it"
        )


def spec_of(readme: str) -> HeadlineSpec:
    """What README's table is asked to hold. Raises HarnessError where there are no markers."""
    return parse(_place(readme)[0])


def markdown(found: Headline, view: RunView) -> str:
    """The table, its failures and how it was obtained. Ends without a line break."""
    units = [f" ({column.unit.symbol})" if column.unit.symbol else "" for column in found.columns]
    headings = [text + unit for text, unit in zip(found.headings, units, strict=True)]
    if found.baseline:
        headings += [f"{text}, ratio" for text in found.headings]
    lines = [
        _row(["backend:variant", *headings]),
        _row(["---", *("---:" for _ in headings)]),
    ]
    lines += [
        _row(
            [
                _escape(line.label),
                *(_figure(figure) for figure in line.figures),
                *("-" if ratio is None else number(ratio) for ratio in line.ratios),
            ]
        )
        for line in found.lines
    ]
    legend = f"Medians; bold is the best of a column; {DECIMAL_NOTE}."
    if found.baseline:
        legend += (
            f" The last columns are ratios to {_escape(found.baseline)}: how many times better;"
            " below 1 is worse."
        )
    lines += ["", legend + _settings(found)]
    lines += [f"- {_problem(problem)}" for problem in _relevant(found, view)]
    lines += ["", "How it was obtained:", ""]
    for label, text in provenance.how_obtained(view.shown):
        if not label.startswith("corpus ") or label == f"corpus {found.corpus}":
            lines.append(f"- {_escape(label)}: {_escape(text)}")
    return "\n".join(lines)


def _settings(found: Headline) -> str:
    """The parameters of every column that has some: a heading is chosen by its author."""
    texts = [
        f"{text}: {column.params.replace(',', ' ')}"
        for text, column in zip(found.headings, found.columns, strict=True)
        if column.params
    ]
    return f" Measured at: {_escape('; '.join(texts))}." if texts else ""


def _relevant(found: Headline, view: RunView) -> list[Problem]:
    """Problems of the cells that stand in the table, one per status, label and reason."""
    places = {(c.scenario, c.params, c.instrument) for c in found.columns}
    chosen = view.problems(lambda cell: cell.corpus == found.corpus and _place_of(cell) in places)
    unique = {(problem.status, problem.label, problem.reason): problem for problem in chosen}
    shown = {line.label for line in found.lines if any(f.median is None for f in line.figures)}
    return [problem for problem in unique.values() if problem.label in shown]


def _place_of(cell: Cell) -> tuple[str, str, str]:
    return cell.scenario, cell.key.params, cell.instrument


def _place(readme: str) -> tuple[str, int, int]:
    """The text of the opening marker, and where the generated part starts and ends."""
    begins = list(_BEGIN.finditer(readme))
    if len(begins) != 1 or readme.count(_END) != 1 or readme.index(_END) < begins[0].end():
        raise HarnessError(
            "README needs exactly one '<!-- headline:begin -->' and, after it, one"
            f" '{_END}': found {len(begins)} and {readme.count(_END)}"
        )
    return begins[0]["spec"], begins[0].end(), readme.index(_END)


def _problem(problem: Problem) -> str:
    return _escape(f"{problem.status} {problem.label} ({problem.where}): {problem.reason}")


def _figure(figure: TableFigure) -> str:
    return f"**{figure.text}**" if figure.best else figure.text


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Labels as text: no table column, tag or emphasis may start inside them."""
    return re.sub(r"([\\|<>*`\[\]])", r"\\\1", text.replace("\n", " "))
