"""What was said of a planted kind: whether it was named, and whether it was praised all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firstbyte.leaks.investigation import Investigation
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import CellKey, Record, Status, Subject
from firstbyte.render.tables import RunView
from firstbyte.selfcheck.figures.catalogue import HELD_BYTES
from firstbyte.selfcheck.figures.kinds import Grows, InFigures, Kind, Told

LEAST_SHARE = 0.9
"""Of what was planted, that must be counted."""
COUNTING = (Status.OK, Status.SUSPECT)
MOST_SHARE = 1.5
"""Of what a leak leaves, that may be said: pages and the objects around it count as well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one kind under one condition."""

    text: str
    named: bool
    """Whether it was said what it is."""
    praised: tuple[str, ...]
    """Figures that are not so and have the mark of the best, or a leak that was called clean."""
    untried: str = ""
    """Why this machine cannot have it; empty where it was tried."""


def of_records(kind: Kind, view: RunView, stored: Sequence[Record]) -> Answer:
    """Of a kind whose cells, with those of the control, are shown in `view` and were kept as `stored`."""
    mine = [one for one in view.records if one.cell.subject == kind.subject]
    skipped = [one.reason for one in mine if one.status is Status.SKIPPED]
    if skipped:
        return Answer(skipped[0], named=False, praised=(), untried=skipped[0])
    if isinstance(kind.wanted, InFigures):
        return _counted(kind, kind.wanted, view, stored)
    assert isinstance(kind.wanted, Told)
    said = dict.fromkeys(f"{one.status} {one.reason}".strip() for one in mine)
    named = all(one.status is kind.wanted.status for one in mine) and all(
        any(_holds(word, one.reason) for one in mine) for word in kind.wanted.words
    )
    return Answer(" | ".join(said), named, tuple(_stars(view, kind.subject)))


def _counted(kind: Kind, wanted: InFigures, view: RunView, stored: Sequence[Record]) -> Answer:
    """Of memory: what its figures have above those of the control."""
    control = {_place(one): one for one in stored if one.cell.subject != kind.subject}
    found = []
    named = True
    for one in stored:
        if one.cell.subject != kind.subject:
            continue
        # One that is SUSPECT besides has its figures all the same.
        if one.status not in COUNTING or control[_place(one)].status is not Status.OK:
            found.append(f"{one.status} {one.reason}")
            named = False
            continue
        values, plain = one.samples[0].values, control[_place(one)].samples[0].values
        gains = {
            name: values[name] - (0 if wanted.passing else plain[name]) for name in wanted.figures
        }
        named = named and all(gain >= LEAST_SHARE * HELD_BYTES for gain in gains.values())
        found += [f"{name} {gain / 1e6:+,.1f} MB" for name, gain in gains.items()]
    stars = tuple(star for star in _stars(view, kind.subject) if star in wanted.figures)
    return Answer(", ".join(found), named, stars)


def of_investigation(kind: Kind, found: Investigation) -> Answer:
    """Of a leak."""
    wanted, verdict = kind.wanted, found.verdict
    assert isinstance(wanted, Grows)
    if verdict is None:
        return Answer(found.trouble, named=False, praised=())
    said = f"{verdict.outcome}: {verdict.reason}"
    words = f"{verdict.ledger} {verdict.reason}"
    named = verdict.outcome is wanted.outcome and _holds(wanted.ledger, words)
    if wanted.bytes_per_scan is not None:
        slope = verdict.slope.estimate if verdict.slope else 0.0
        share = slope / wanted.bytes_per_scan
        named = named and LEAST_SHARE <= share <= MOST_SHARE
        said += f" ({slope:,.0f} B a scan)"
    clean = (str(verdict.outcome),) if verdict.outcome is LeakClass.CLEAN else ()
    return Answer(said, named, clean)


def _holds(word: str, text: str) -> bool:
    return re.search(word, text, re.IGNORECASE) is not None


def _place(record: Record) -> CellKey:
    return record.cell.key._replace(backend="", variant="")


def _stars(view: RunView, subject: Subject) -> Iterator[str]:
    """The figures of the subject that a table marks as the best."""
    for scenario in view.scenarios():
        for corpus in view.corpora(scenario):
            for table in view.tables(scenario, corpus, view.metrics(scenario)):
                for row in table.rows:
                    if row.label == str(subject):
                        marks = zip(table.columns, row.figures, strict=True)
                        yield from (column.metric for column, one in marks if one.best)
