"""What a self-check of the figures found on a host: kept on disk, shown in reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstbyte.analysis.stats import clopper_pearson
from firstbyte.contracts import Document
from firstbyte.errors import HarnessError
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Status
from firstbyte.selfcheck import keeping
from firstbyte.selfcheck.figures.kinds import Sort
from firstbyte.whole import write_whole

NAME = "figures"
SCHEMA = 1
LEAST_NAMED = 0.95
"""Share of the planted trials that must be named."""
LEAST_KINDS = 60
LEAST_HONEST = 300
BAD = (Status.SUSPECT, Status.WRONG, LeakClass.LEAK)
"""What must be said of no honest cell."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many, with the exact 95% interval (Clopper and Pearson, Biometrika 26, 1934)."""

    found: int
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        return clopper_pearson(self.found, self.trials) if self.trials else (0.0, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.found} of {self.trials} (95% interval {low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class PlantedKind:
    """One kind under one condition."""

    condition: str
    sort: Sort
    kind: str
    planted: str
    """In words, as the backend that it is planted in describes it."""
    wanted: str
    said: str
    named: bool
    praised: tuple[str, ...]
    """Figures that are not so and have the mark of the best all the same, or CLEAN."""
    untried: str
    """Why this machine cannot have it; empty where it was tried."""


@dataclass(frozen=True, slots=True)
class HonestCells:
    """What was said of installed backends."""

    condition: str
    said: Mapping[str, int]
    """Status of a cell, or verdict of a leak check -> how often."""
    bad: tuple[str, ...]
    """Which were called SUSPECT, WRONG or LEAK, and why."""
    not_run: tuple[str, ...]
    """Which ended in another way, and how."""

    @property
    def trials(self) -> int:
        return sum(self.said.values())


@dataclass(frozen=True, slots=True)
class FiguresCertificate:
    """What a self-check found on a host."""

    made: str
    host: Mapping[str, Any]
    versions: Mapping[str, str]
    quick: bool
    """Whether only a slice was tried, which certifies nothing."""
    kinds: tuple[PlantedKind, ...]
    honest: tuple[HonestCells, ...]
    schema: int = SCHEMA

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.condition for one in self.kinds))

    def tried(self, condition: str = "", sort: Sort | None = None) -> list[PlantedKind]:
        """The kinds that this machine can have, of that condition and sort, or of all."""
        return [
            one
            for one in self.kinds
            if not one.untried and condition in ("", one.condition) and sort in (None, one.sort)
        ]

    def named(self, condition: str = "", sort: Sort | None = None) -> Proportion:
        """How many of them were said by their name."""
        return rate(one.named for one in self.tried(condition, sort))

    @property
    def praised(self) -> list[PlantedKind]:
        return [one for one in self.tried() if one.praised]

    @property
    def falsely(self) -> Proportion:
        """Of the honest, how many something bad was said of."""
        return Proportion(
            sum(len(one.bad) for one in self.honest), sum(one.trials for one in self.honest)
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Why it does not hold, a line each; nothing where it does."""
        lines = []
        if self.quick:
            lines.append("only a slice was tried")
        kinds = len({(one.sort, one.kind) for one in self.tried()})
        if kinds < LEAST_KINDS:
            lines.append(f"{kinds} kinds were tried, {LEAST_KINDS} are wanted")
        for condition in self.conditions:
            named = self.named(condition)
            if named.found < LEAST_NAMED * named.trials:
                lines.append(f"{condition}: {named} were named, {LEAST_NAMED:.0%} are wanted")
        lines += [
            f"{one.condition}: {one.sort} {one.kind} is praised: {', '.join(one.praised)}"
            for one in self.praised
        ]
        if self.falsely.found:
            lines.append(f"something bad was said of {self.falsely} honest cells")
        if self.falsely.trials < LEAST_HONEST:
            lines.append(f"{self.falsely.trials} honest cells were run, {LEAST_HONEST} are wanted")
        return tuple(lines)

    @property
    def passed(self) -> bool:
        """Whether the figures may be relied on here, as far as this was tried."""
        return not self.missing


DOCUMENT = Document(
    FiguresCertificate,
    SCHEMA,
    HarnessError,
    remedy="remove it and run `firstbyte selfcheck figures`",
)
NOT_SELF_CHECKED = "figures not self-checked on this host: run `firstbyte selfcheck figures`"


def rate(outcomes: Iterable[bool]) -> Proportion:
    """How many of them are true."""
    counted = Counter(outcomes)
    return Proportion(counted[True], counted.total())


def certificate_path() -> Path:
    """Where the certificate of this host is kept."""
    return keeping.path_of(NAME)


def save(made: FiguresCertificate, path: Path) -> None:
    """Write it as JSON, in one step."""
    write_whole(path, json.dumps(asdict(made), indent=1, ensure_ascii=False) + "\n")


def of_host(host: Mapping[str, Any]) -> str:
    """One line for the head of a report: what the self-check on that host said, or what to run."""
    found = keeping.find(NAME, DOCUMENT, host)
    if found.certificate:
        return in_words(found.certificate)
    return f"{NOT_SELF_CHECKED} ({found.instead})" if found.instead else NOT_SELF_CHECKED


def in_words(made: FiguresCertificate) -> str:
    """What it found, in one line."""
    kinds = len({(one.sort, one.kind) for one in made.tried()})
    return (
        f"figures self-check of {made.made[:10]}: of {kinds} kinds of lies, cheats, hidden memory and "
        f"leaks {made.named()} trials were said by their name, {len(made.praised)} praised; of "
        f"{made.falsely.trials} honest cells {made.falsely.found} were called SUSPECT, WRONG or LEAK"
    )
