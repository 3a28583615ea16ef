"""What a worker tells its parent: a dataclass for each kind of event, a line of JSON for each event.

An event checks itself where it is made: in the worker, where a mistake of a scenario or a backend
becomes an exception with its stack, and again in the parent, which trusts nobody. Standard library
only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

MOST_PROCESSES = 256
"""A worker can have so many processes observed: each takes open files of the parent."""
LARGEST = 2**63
NEVER_NEGATIVE = ("_ns", "_per_s", "_count")
"""Units of figures that cannot be negative; bytes can, as a gain."""


class ProtocolError(ValueError):
    """A line that is no event; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Started:
    """The order was read."""

    pid: int

    def __post_init__(self) -> None:
        _whole("pid", self.pid)


@dataclass(frozen=True, slots=True)
class Settled:
    """The wait before the first span is over."""

    waited_ns: int
    quiet: bool

    def __post_init__(self) -> None:
        _whole("waited_ns", self.waited_ns)
        if type(self.quiet) is not bool:
            _refuse(f"quiet is {_shown(self.quiet)}, not true or false")


@dataclass(frozen=True, slots=True)
class StoodStill:
    """It stands still, and goes on once it was looked at: at one of PLACES."""

    at: str

    def __post_init__(self) -> None:
        if self.at not in PLACES:
            _refuse(f"at is {_shown(self.at)}, not one of {', '.join(PLACES)}")


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sample, with the stamps of CLOCK_MONOTONIC around its span."""

    values: Mapping[str, float]
    series: Mapping[str, Sequence[float]]
    begin_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        for name, value in _mapping("values", self.values).items():
            _figure(name, value)
        for name, points in _mapping("series", self.series).items():
            for value in _list(name, points):
                _number(name, value)
        _whole("begin_ns", self.begin_ns)
        _whole("end_ns", self.end_ns)


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows that a timed pass over a shard delivered."""

    shard: int
    rows: int

    def __post_init__(self) -> None:
        _whole("shard", self.shard)
        _whole("rows", self.rows)


@dataclass(frozen=True, slots=True)
class FirstValue:
    """What a timed pass delivered as a shard's first text: whatever it was, as JSON has it."""

    shard: int
    value: object
    rows: int | None = None
    """Of the batch that it came in; None where the scenario did not say."""

    def __post_init__(self) -> None:
        _whole("shard", self.shard)
        if self.rows is not None:
            _whole("rows", self.rows)


@dataclass(frozen=True, slots=True)
class Digested:
    """What was read of a shard: rows, and column -> digest in the order delivered."""

    shard: int
    rows: int
    columns: Mapping[str, str] | None
    """None where no batch came at all, hence no row."""
    asked: Sequence[str] | None = None
    """The columns that were asked for; None for all."""

    def __post_init__(self) -> None:
        _whole("shard", self.shard)
        _whole("rows", self.rows)
        for name in _list("asked", self.asked) if self.asked is not None else ():
            _text("asked", name)
        if self.columns is not None:
            _texts("columns", self.columns)
        elif self.rows:
            _refuse(f"columns is null, though there were {self.rows} rows")


@dataclass(frozen=True, slots=True)
class Observed:
    """The processes whose memory counts from now on."""

    pids: Sequence[int]

    def __post_init__(self) -> None:
        for pid in _list("pids", self.pids):
            _whole("pids", pid)
            if pid == 0:
                _refuse("pids: 0 is no process")
        if len(self.pids) > MOST_PROCESSES:
            _refuse(f"pids: {len(self.pids)} processes, at most {MOST_PROCESSES} can be observed")


@dataclass(frozen=True, slots=True)
class AllMeasured:
    """All samples were sent: what the worker does from now on is in no figure."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Paths of the shards in the backend's own format."""

    shards: Sequence[str]

    def __post_init__(self) -> None:
        for path in _list("shards", self.shards):
            _text("shards", path)


@dataclass(frozen=True, slots=True)
class Versions:
    """Name -> version of everything that decided the result."""

    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        _texts("versions", self.versions)


@dataclass(frozen=True, slots=True)
class Failed:
    """The order could not be done. `kind` is one of KINDS_OF_FAILURE."""

    kind: str
    reason: str

    def __post_init__(self) -> None:
        _text("reason", self.reason)
        if self.kind not in KINDS_OF_FAILURE:
            _refuse(f"kind is {_shown(self.kind)}, not one of {', '.join(KINDS_OF_FAILURE)}")


@dataclass(frozen=True, slots=True)
class Done:
    """The order was done."""


IMPORTED = "imported"
BEFORE_SPAN = "before"
AFTER_SPAN = "after"
BEFORE_COPY = "before copy"
AFTER_KNOWN = "after known"
AFTER_COPY = "after copy"
ENDED = "ended"
PLACES = (IMPORTED, BEFORE_SPAN, AFTER_SPAN, BEFORE_COPY, AFTER_KNOWN, AFTER_COPY, ENDED)
KINDS_OF_FAILURE = ("unsupported", "refused", "memory", "error")

Event = (
    Started
    | Settled
    | StoodStill
    | Sampled
    | Counted
    | FirstValue
    | Digested
    | Observed
    | AllMeasured
    | Prepared
    | Versions
    | Failed
    | Done
)
_EVENTS: Mapping[str, type[Event]] = {
    "started": Started,
    "settled": Settled,
    "standing": StoodStill,
    "sample": Sampled,
    "rows": Counted,
    "first_value": FirstValue,
    "digest": Digested,
    "observe": Observed,
    "measured": AllMeasured,
    "prepared": Prepared,
    "versions": Versions,
    "failed": Failed,
    "done": Done,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


def encode(event: Event) -> bytes:
    """The event's line, with its end."""
    told = {field.name: getattr(event, field.name) for field in fields(event)}
    line = json.dumps({"event": _NAMES[type(event)], **told}, ensure_ascii=False, default=str)
    # A lone surrogate (part of an undecodable file name in a message) becomes a question mark.
    return line.encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Event:
    """The event of a line. Raises ProtocolError for anything else, and nothing else."""
    try:
        raw = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
        if b"\\ud" in line.lower():
            json.dumps(raw, ensure_ascii=False).encode()
    except RecursionError:
        raise ProtocolError("it is nested too deeply") from None
    except ProtocolError:
        raise
    except UnicodeError:
        raise ProtocolError("it is no text") from None
    except ValueError as error:
        raise ProtocolError(f"it is no JSON: {error}") from error
    name = raw.pop("event", None) if isinstance(raw, dict) else None
    kind = _EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ProtocolError("it is no event")
    known = {field.name for field in fields(kind)}
    if missing := sorted(known - raw.keys()):
        raise ProtocolError(f"{name} without {', '.join(missing)}")
    if unknown := sorted(raw.keys() - known):
        raise ProtocolError(f"{name} with {', '.join(map(_shown, unknown))}")
    return kind(**raw)


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number")


def _refuse(problem: str) -> NoReturn:
    raise ProtocolError(problem)


def _whole(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value < LARGEST:
        _refuse(f"{name} is {_shown(value)}, not a whole number from 0")


def _number(name: str, value: object) -> None:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not -LARGEST <= value <= LARGEST  # false for NaN; infinities and huge integers exceed it
        or not math.isfinite(value)
    ):
        _refuse(f"{name} is {_shown(value)}, not a finite number")


def _figure(name: str, value: Any) -> None:
    _number(name, value)
    if value < 0 and name.endswith(NEVER_NEGATIVE):
        _refuse(f"{name} is {_shown(value)}, which is below 0")


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        _refuse(f"{name} is {_shown(value)}, not a text")


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(f"{name} is {_shown(value)}, not a mapping")
    for key in value:
        _text(f"a name in {name}", key)
    return value


def _texts(name: str, value: Any) -> None:
    for key, text in _mapping(name, value).items():
        _text(f"{name}: {_shown(key)}", text)


def _list(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        _refuse(f"{name} is {_shown(value)}, not a list")
    return value


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
