"""The nouns of the harness as frozen dataclasses: standard library only, JSON in and out.

A worker imports this module before it imports a backend, so nothing here may import anything heavy.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

SCHEMA_VERSION = 3
"""Version of the stored records; its history stands beside the loader in `firstbyte.engine.store`."""

Param = str | int | float | bool
Figure = int | float
"""Two types, as a count of bytes or nanoseconds that goes to JSON comes back as the whole number it was."""


class Status(StrEnum):
    """How a cell ended. Everything but OK carries a reason."""

    OK = "OK"
    WRONG = "WRONG"
    SUSPECT = "SUSPECT"
    """The rows are right, but the figures cannot be true (`firstbyte.engine.plausible`)."""
    ERROR = "ERROR"
    CRASHED = "CRASHED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with its installed versions: the second half of `backend@environment`."""

    name: str
    python: str
    root: str
    """The folder from which its workers import `firstbyte`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may take before the parent kills it."""

    timeout_s: float
    memory_bytes: int


def params_text(params: Mapping[str, Param]) -> str:
    """`cache=warm,start=cold`: the parameters as one sortable text; empty where there are none."""
    return ",".join(f"{name}={params[name]}" for name in sorted(params))


class Subject(NamedTuple):
    """A backend and one of its variants: what is set against another.

    As text `backend:variant`, and `backend:variant@environment` where it is that of one environment.
    """

    backend: str
    variant: str
    environment: str = ""

    def __str__(self) -> str:
        where = f"@{self.environment}" if self.environment else ""
        return f"{self.backend}:{self.variant}{where}"

    @classmethod
    def parse(cls, text: str) -> Subject:
        """The inverse of `str`; from `NAME` alone, an empty variant, which stands for any of them."""
        name, _, environment = text.partition("@")
        backend, _, variant = name.partition(":")
        return cls(backend, variant, environment)


class CellKey(NamedTuple):
    """Identity of a cell within a run: what `--resume` matches and what records are joined on.

    As text, `scenario/backend:variant@environment/corpus/params/instrument`.
    """

    scenario: str
    backend: str
    variant: str
    environment: str
    """Empty for the same cell in any environment, of which a gate has two."""
    corpus: str
    params: str
    """As `params_text` gives them."""
    instrument: str

    @property
    def subject(self) -> Subject:
        """In any environment."""
        return Subject(self.backend, self.variant)

    @property
    def subject_here(self) -> Subject:
        """In the cell's own environment."""
        return Subject(self.backend, self.variant, self.environment)

    @property
    def anywhere(self) -> CellKey:
        """The same in any environment."""
        return self._replace(environment="")

    @classmethod
    def parse(cls, text: str) -> CellKey:
        """The inverse of `str`. Raises ValueError for anything else.

        A corpus may have slashes in it, as the user's own files have; nothing else does.
        """
        parts = text.split("/")
        if len(parts) < 5:
            raise ValueError(f"'{text}' is no cell's key")
        scenario, place, *corpus, params, instrument = parts
        named = "" if params == "-" else params
        return cls(scenario, *Subject.parse(place), "/".join(corpus), named, instrument)

    def __str__(self) -> str:
        return "/".join(
            (
                self.scenario,
                str(self.subject_here),
                self.corpus,
                self.params or "-",
                self.instrument,
            )
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """Scenario x backend x variant x environment x corpus x parameters x instrument: the unit of work."""

    scenario: str
    backend: str
    variant: str
    environment: str
    corpus: str
    params: Mapping[str, Param]
    instrument: str
    processes: int
    """Fresh worker processes, one after another; each gives `repetitions` samples."""
    repetitions: int
    limits: Limits

    @property
    def subject(self) -> Subject:
        """In any environment."""
        return Subject(self.backend, self.variant)

    @property
    def subject_here(self) -> Subject:
        """In the cell's own environment."""
        return Subject(self.backend, self.variant, self.environment)

    @property
    def key(self) -> CellKey:
        return CellKey(
            self.scenario,
            self.backend,
            self.variant,
            self.environment,
            self.corpus,
            params_text(self.params),
            self.instrument,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one repetition.

    `values` maps a metric to a number with the unit in its name (`first_batch_ns`); `series` holds raw
    sequences (`rss_anon_bytes` after every scan, say).
    """

    values: Mapping[str, Figure]
    series: Mapping[str, list[Figure]] = field(default_factory=dict)
    process: int = 0


BUSY_SHARE = 0.1
"""From here on others' work decides times: of the processors' time, or of the time that passes.

A record, `firstbyte doctor` and a gate call a machine busy by the same share."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How busy the machine was while a cell was measured; None where the kernel does not tell."""

    cpu_pressure_share: float | None
    """Of the time, in which some task waited for a processor: a task of the cell itself, too."""
    others_cpu_share: float | None
    """Of the processors' time, that others took."""
    steal_share: float | None
    """Of the processors' time, that the hypervisor gave away."""
    run_queue_wait_share: float | None
    """Of the timed spans, in which the measuring thread waited for a processor."""

    @property
    def busy(self) -> bool:
        """Whether others' work was in the way, and not that of the cell alone."""
        others = min(self.cpu_pressure_share or 0.0, self.others_cpu_share or 0.0)
        return max(others, self.steal_share or 0.0) >= BUSY_SHARE


@dataclass(frozen=True, slots=True)
class Record:
    """A cell, how it ended and what it gave."""

    schema: int
    run_id: str
    cell: Cell
    versions: Mapping[str, str]
    status: Status
    reason: str
    samples: tuple[Sample, ...]
    stderr_tail: str
    started: str
    duration_s: float
    conditions: Conditions | None
    """None where they were not kept."""

    @property
    def ok(self) -> bool:
        return self.status is Status.OK

    def to_json(self) -> str:
        """One line of `records.jsonl`."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Run:
    """The records of one invocation and the fingerprint of where and how they were made."""

    run_id: str
    started: str
    argv: tuple[str, ...]
    profile: str
    git: Mapping[str, str]
    host: Mapping[str, Any]
    versions: Mapping[str, str]
    corpora: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    """Lines that table and report show at their top, such as a corpus that could not be fetched."""
    finished: str = ""
    plan_fingerprint: str = ""
    planned_cells: int | None = None
    """How many records it has when it is complete; None where that was not decided beforehand, as in a
    leak check, or was not kept."""
    schema: int = SCHEMA_VERSION

    @property
    def command(self) -> str:
        """The command line that made the run, quoted so that it can be pasted into a shell."""
        return shlex.join(self.argv)


def cell_from_dict(raw: Mapping[str, Any]) -> Cell:
    """A cell from its JSON object. Raises KeyError or TypeError where fields are missing or unknown."""
    fields = dict(raw)
    fields["limits"] = Limits(**fields["limits"])
    return Cell(**fields)
