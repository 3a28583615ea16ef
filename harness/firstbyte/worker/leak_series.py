"""What one process of the leak scenario gives: the type that its producer and its consumers share.

The scenario makes a `LeakSeries` and emits its `values` and `series`; whoever judges them takes
`LeakSeries.of(sample)`. How roles are spelled in the names of series is settled here and known to
nobody else. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from firstbyte.model import Sample
from firstbyte.worker.ledgers import (
    COUNTS,
    DESCRIPTORS,
    FREE,
    PROCESSES,
    THREADS,
    Moment,
    is_ledger,
)

CONSUMED = "consumed_bytes"
"""Series: compressed bytes of the file consumed so far, batch by batch."""
SCANS = "scans_count"
SCAN_SECONDS = "scan_seconds"
_QUIET = "quiet"
LEFT_THREADS = "left_threads_per_scan"
LEFT_DESCRIPTORS = "left_descriptors_per_scan"
LEFT_CHILDREN = "left_children_per_scan"
ERRORS = "errors_per_use"
"""Figure of Shape.FAILING: how many of its files gave an error."""

BUDGET_SECONDS = "budget_s"
"""Parameter: the repeated scans stop after this long, however many were asked for."""
LEAST_USES = "least_uses"
"""Parameter: so many are made even where the time is up, for up to OVERTIME times as long."""
OVERTIME = 4
ATTEMPT = "attempt"
"""Parameter: an `Attempt`."""
CAPTURED_SCANS = 20
"""Scans in the first span under memray; the second has twice as many."""


class Attempt(StrEnum):
    """Which process of an investigation it is; only the first looks for caches."""

    FIRST = "first"
    PILOT = "pilot"
    AGAIN = "again"
    LONGER = "longer"
    STACKS = "stacks"


class Role(StrEnum):
    """What the process was doing while a series was noted."""

    REPEATED = "repeated"
    """One reading after each scan of the same file."""
    DISTINCT = "distinct"
    """After each scan of copies under new names."""
    SAME_AGAIN = "again"
    """After each scan of those copies once more."""
    SHORT = "short"
    """After each batch of one scan of a shorter file."""
    LONG = "long"
    """After each batch of one scan of a file that is clearly longer."""
    LONG_AGAIN = "long_again"
    """After each batch of that file once more."""


WITHIN_A_SCAN = (Role.SHORT, Role.LONG, Role.LONG_AGAIN)

_SEPARATOR = "/"
"""No ledger has one in its name, whatever an allocator is called."""


@dataclass(frozen=True, slots=True)
class SeriesName:
    """Role and ledger of a series. Raises ValueError for what is no ledger."""

    role: Role
    ledger: str
    """Or CONSUMED, or one of COUNTS."""

    def __post_init__(self) -> None:
        consumed = self.ledger == CONSUMED and self.role in WITHIN_A_SCAN
        counted = self.ledger in COUNTS and self.role is Role.REPEATED
        if not (consumed or counted or is_ledger(self.ledger)):
            raise ValueError(f"a series of role {self.role} cannot be of '{self.ledger}'")

    def __str__(self) -> str:
        return self.ledger if self.role is Role.REPEATED else self._in_role(self.ledger)

    def _in_role(self, what: str) -> str:
        return f"{self.role}{_SEPARATOR}{what}"

    @staticmethod
    def parse(text: str) -> SeriesName:
        """The inverse of `str`. Raises ValueError for any other text."""
        role, separator, ledger = text.rpartition(_SEPARATOR)
        return SeriesName(Role(role) if separator else Role.REPEATED, ledger)


@dataclass(frozen=True, slots=True)
class NotedScan:
    """One scan, noted after every batch. `after` is read once the reader was dropped."""

    consumed_bytes: Sequence[float]
    held: Mapping[str, Sequence[float]]
    """By ledger, in bytes, absolute."""
    after: Mapping[str, float]
    file_bytes: float


@dataclass(frozen=True, slots=True)
class LeakSeries:
    """One process of the leak scenario. Readings are bytes by ledger."""

    repeated: Mapping[str, Sequence[float]]
    moments: Mapping[Moment, Mapping[str, float]] = field(default_factory=dict)
    free_bytes: float | None = None
    """What malloc's heaps held free after the trim; None where nobody can say."""
    counts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By COUNTS: threads, open files and children after each repeated scan."""
    errors_per_use: float | None = None
    """Errors that a use of damaged files gave; None where none was read."""
    scan_seconds: float = 0.0
    quiet: bool = False
    """Whether the environment was that of `firstbyte.worker.quiet`."""
    distinct: Mapping[str, Sequence[float]] = field(default_factory=dict)
    same_again: Mapping[str, Sequence[float]] = field(default_factory=dict)
    within: Mapping[Role, NotedScan] = field(default_factory=dict)
    """Scans of the roles WITHIN_A_SCAN; empty where all files are about as long."""

    @property
    def scans(self) -> int:
        """Repeated scans of the process; fewer than asked for where its time was up."""
        return min((len(readings) for readings in self.repeated.values()), default=0)

    def left_per_scan(self, count: str) -> float:
        """Threads, open files or children that a repeated scan left behind, on average."""
        readings = self.counts.get(count, ())
        return (readings[-1] - readings[0]) / (len(readings) - 1) if len(readings) > 1 else 0.0

    def values(self) -> dict[str, float]:
        """What a sample keeps as single figures."""
        figures = {
            SCANS: float(self.scans),
            SCAN_SECONDS: self.scan_seconds,
            _QUIET: float(self.quiet),
            LEFT_THREADS: self.left_per_scan(THREADS),
            LEFT_DESCRIPTORS: self.left_per_scan(DESCRIPTORS),
            LEFT_CHILDREN: self.left_per_scan(PROCESSES),
        }
        if self.errors_per_use is not None:
            figures[ERRORS] = self.errors_per_use
        if self.free_bytes is not None:
            figures[FREE] = self.free_bytes
        for moment, readings in self.moments.items():
            figures |= moment.figures(readings)
        for role, scan in self.within.items():
            figures[_file_bytes(role)] = scan.file_bytes
            figures |= {_after(role, ledger): size for ledger, size in scan.after.items()}
        return figures

    def series(self) -> dict[str, Sequence[float]]:
        """What a sample keeps as series."""
        by_role: dict[Role, Mapping[str, Sequence[float]]] = {
            Role.REPEATED: {**self.repeated, **self.counts},
            Role.DISTINCT: self.distinct,
            Role.SAME_AGAIN: self.same_again,
        }
        for role, scan in self.within.items():
            by_role[role] = {**scan.held, CONSUMED: scan.consumed_bytes}
        return {
            str(SeriesName(role, ledger)): readings
            for role, ledgers in by_role.items()
            for ledger, readings in ledgers.items()
        }

    @staticmethod
    def of(sample: Sample) -> LeakSeries:
        """What a sample of the leak scenario holds: the inverse of `values` and `series`.

        Raises KeyError or ValueError for a sample of anything else.
        """
        by_role: dict[Role, dict[str, Sequence[float]]] = {role: {} for role in Role}
        for text, readings in sample.series.items():
            name = SeriesName.parse(text)
            by_role[name.role][name.ledger] = readings
        values = sample.values
        repeated = by_role[Role.REPEATED]
        moments = {moment: moment.readings(values) for moment in Moment}
        return LeakSeries(
            repeated={name: readings for name, readings in repeated.items() if is_ledger(name)},
            moments={moment: readings for moment, readings in moments.items() if readings},
            free_bytes=values.get(FREE),
            counts={name: readings for name, readings in repeated.items() if name in COUNTS},
            errors_per_use=values.get(ERRORS),
            scan_seconds=values[SCAN_SECONDS],
            quiet=bool(values[_QUIET]),
            distinct=by_role[Role.DISTINCT],
            same_again=by_role[Role.SAME_AGAIN],
            within={
                role: _noted(role, by_role[role], values) for role in WITHIN_A_SCAN if by_role[role]
            },
        )


def _noted(
    role: Role, series: Mapping[str, Sequence[float]], values: Mapping[str, float]
) -> NotedScan:
    held = {ledger: readings for ledger, readings in series.items() if ledger != CONSUMED}
    return NotedScan(
        consumed_bytes=series[CONSUMED],
        held=held,
        after={ledger: values[_after(role, ledger)] for ledger in held},
        file_bytes=values[_file_bytes(role)],
    )


def _after(role: Role, ledger: str) -> str:
    return f"{role}{_SEPARATOR}after_{ledger}"


def _file_bytes(role: Role) -> str:
    return f"{role}{_SEPARATOR}file_bytes"
