"""One backend against the best of all others, in the rows that a document asks for.

Which figures belong in the table is an editorial choice, so the document itself holds it:

    <!-- against:begin
    subject: arrow_rs
    row: First byte, reopened | time_to_first_byte | first_byte_ns | start=reopened cache=warm | <= 0.5
    floor: CPU time of a scan | full_scan | cpu_ns | <= 1.2
    -->

`row` is HEADING | SCENARIO | METRIC [| NAME=VALUE ... [| WANTED]], `floor` is HEADING | SCENARIO |
METRIC [| WANTED] and gives the figure over its floor (`firstbyte.render.scoreboard`). WANTED is what
the ratio is asked to be, `<= X` or `>= X`. A row is given for every corpus of the run that has it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.model import params_text
from firstbyte.render import provenance
from firstbyte.render.markdown import escape, row
from firstbyte.render.scoreboard import Contest, Entry, OverFloor, Scoreboard, ratio, scoreboard
from firstbyte.render.tables import RunView
from firstbyte.units import DECIMAL_NOTE, number, unit_for

NOTHING = "-"
_RELATIONS: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio is asked to be."""

    relation: str
    """A key of `_RELATIONS`."""
    limit: float

    def said_of(self, value: float | None) -> str:
        """`<= 0.5`, and whether that was missed."""
        text = f"{self.relation} {self.limit:g}"
        met = value is not None and _RELATIONS[self.relation](value, self.limit)
        return text if met else f"missed: {text}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the specification."""

    heading: str
    scenario: str
    metric: str
    params: str
    """A params text, as in `Cell.key`."""
    goal: Goal | None
    over_floor: bool


@dataclass(frozen=True, slots=True)
class AgainstSpec:
    subject: str
    rows: tuple[Asked, ...]


def parse(text: str) -> AgainstSpec:
    """The lines between `against:begin` and the end of its comment. Raises HarnessError."""
    spec = AgainstSpec("", ())
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "subject":
            spec = replace(spec, subject=value)
        elif name in ("row", "floor"):
            spec = replace(spec, rows=(*spec.rows, _asked(value, over_floor=name == "floor")))
        else:
            raise UnknownNameError(
                "setting of a table against others", name, ["floor", "row", "subject"]
            )
    if not spec.subject or not spec.rows:
        raise HarnessError("a table against others needs a line 'subject: BACKEND' and rows")
    return spec


def markdown(spec: AgainstSpec, view: RunView) -> str:
    """The table and how it was obtained. Ends without a line break.

    Raises UnknownNameError for a backend, scenario, metric or setting that the run lacks.
    """
    chosen = frozenset(one.metric for one in spec.rows)
    board = scoreboard(replace(view, chosen=chosen), spec.subject)
    lines = [
        row(["figure", "corpus", spec.subject, "best other", "ratio", "wanted"]),
        row(["---", "---", "---:", "---:", "---:", "---"]),
    ]
    for asked in spec.rows:
        made = _over_rows(board, asked) if asked.over_floor else _contest_rows(board, asked)
        if not made:
            where = " ".join(filter(None, (asked.scenario, asked.metric, asked.params)))
            raise HarnessError(
                f"run {view.run.run_id} has no figure for '{asked.heading}': {where}"
            )
        lines += made
    lines += ["", _legend(spec.subject), "", "How it was obtained:", ""]
    lines += [
        f"- {escape(label)}: {escape(text)}" for label, text in provenance.how_obtained(view.shown)
    ]
    return "\n".join(lines)


def _asked(value: str, *, over_floor: bool) -> Asked:
    parts = [part.strip() for part in value.split("|")]
    most = 4 if over_floor else 5
    if not 3 <= len(parts) <= most:
        shape = "[| WANTED]" if over_floor else "[| NAME=VALUE ... [| WANTED]]"
        raise HarnessError(f"row '{value}' must be HEADING | SCENARIO | METRIC {shape}")
    heading, scenario, metric, *more = parts
    settings = "" if over_floor or not more else more[0]
    goal = more[-1] if len(parts) == most else ""
    pairs = dict(part.partition("=")[::2] for part in settings.split())
    return Asked(heading, scenario, metric, params_text(pairs), _goal(goal), over_floor)


def _goal(text: str) -> Goal | None:
    if not text:
        return None
    found = re.fullmatch(r"(<=|>=)\s*(\d+(?:\.\d+)?)", text)
    if not found:
        raise HarnessError(
            f"what is wanted of a ratio must be '<= NUMBER' or '>= NUMBER': '{text}'"
        )
    return Goal(found[1], float(found[2]))


def _contest_rows(board: Scoreboard, asked: Asked) -> list[str]:
    wanted = (asked.scenario, asked.metric, asked.params)
    return [
        _line(
            f"{asked.heading}{_unit(contest)}",
            contest.corpus,
            _entry(contest.best, contest.best.cell.variant if contest.best else ""),
            _entry(contest.peer, contest.peer.label if contest.peer else ""),
            ratio(contest.best, contest.peer),
            asked.goal,
        )
        for contest in board.contests
        if (contest.column.scenario, contest.column.metric, contest.column.params) == wanted
    ]


def _over_rows(board: Scoreboard, asked: Asked) -> list[str]:
    return [
        _over_row(board.subject, over, asked)
        for over in board.floors
        if (over.about.scenario, over.about.metric.name) == (asked.scenario, asked.metric)
    ]


def _over_row(subject: str, over: OverFloor, asked: Asked) -> str:
    def best(own: bool) -> tuple[str, float | None]:
        found = [scan for scan in over.scans if (scan.entry.cell.backend == subject) is own]
        if not found or found[0].ratio is None:
            return NOTHING, None
        name = found[0].entry.cell.variant if own else found[0].entry.label
        return f"{number(found[0].ratio)} {escape(name)}", found[0].ratio

    ours, value = best(own=True)
    floor = _floor_text(over)
    return _line(
        f"{asked.heading}, over {floor}", over.corpus, ours, best(own=False)[0], value, asked.goal
    )


def _floor_text(over: OverFloor) -> str:
    if over.floor is None:
        return "its floor, which was not measured"
    unit = unit_for(over.about.floor_metric.name, [over.floor.value])
    return f"{over.about.floor_scenario} ({unit.text(over.floor.value)} {unit.symbol})"


def _line(
    heading: str, corpus: str, ours: str, other: str, value: float | None, goal: Goal | None
) -> str:
    shown = NOTHING if value is None else number(value)
    return row(
        [escape(heading), escape(corpus), ours, other, shown, goal.said_of(value) if goal else ""]
    )


def _unit(contest: Contest) -> str:
    return f", {contest.column.unit.symbol}" if contest.column.unit.symbol else ""


def _entry(entry: Entry | None, name: str) -> str:
    return NOTHING if entry is None else f"{entry.figure.text} {escape(name)}".rstrip()


def _legend(subject: str) -> str:
    return (
        f"Medians of the best variant of {escape(subject)} and of the best variant of any other backend,"
        " named behind the figure; the ratio is the first over the second, or over the floor where one is"
        f" named. It compares medians and is no test. {DECIMAL_NOTE}."
    )
