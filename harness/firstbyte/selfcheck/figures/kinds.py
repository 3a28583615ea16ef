"""What can be planted, and what counts as said: the types. The kinds themselves are in `catalogue`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from firstbyte.api import Purpose
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Param, Status, Subject
from firstbyte.worker.shapes import Shape


class Sort(StrEnum):
    """In what way a figure is not so."""

    LIE = "lie"
    CHEAT = "cheat"
    HIDDEN = "hidden memory"
    LEAK = "leak"


BACKENDS: Mapping[Sort, str] = {
    Sort.LIE: "planted_lies",
    Sort.CHEAT: "planted_cheats",
    Sort.HIDDEN: "planted_hidden",
    Sort.LEAK: "planted_leaks",
}
"""The backend whose variants are the kinds of a sort."""
CONTROL = Subject("planted_honest", "control")
"""What all of them wrap: nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cell in which a kind is tried."""

    purpose: Purpose
    instrument: str
    params: tuple[tuple[str, Param], ...] = ()
    repetitions: int = 2


@dataclass(frozen=True, slots=True)
class Told:
    """The status of every record is this one, and its reason holds all of these words."""

    status: Status
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.status}: {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class InFigures:
    """Each of these figures has what was planted, above those of the control."""

    figures: tuple[str, ...]
    passing: bool = False
    """Whether it has gone again before the reader takes its own: a figure is then as large, and no sum."""

    def __str__(self) -> str:
        return f"in {', '.join(self.figures)}"


@dataclass(frozen=True, slots=True)
class Grows:
    """The leak check of that shape of use says so, with this in ledger or reason and, where it is memory that
    can be counted, with the size."""

    ledger: str
    """As a regular expression."""
    bytes_per_scan: int | None
    shape: Shape = Shape.WHOLE
    outcome: LeakClass = LeakClass.LEAK

    def __str__(self) -> str:
        size = f", {self.bytes_per_scan:,} B a use" if self.bytes_per_scan else ""
        return f"{self.outcome} ({self.shape}): {self.ledger}{size}"


WantedAnswer = Told | InFigures | Grows


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that is planted: the variant of that name."""

    sort: Sort
    name: str
    places: tuple[Place, ...]
    """Where a figure would not be so; none for the leak check, which has its own."""
    wanted: WantedAnswer
    quick: bool = False
    """Whether it is in the slice that tests try."""

    @property
    def subject(self) -> Subject:
        return Subject(BACKENDS[self.sort], self.name)
