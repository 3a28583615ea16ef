"""Readers that mutants are put through, each a function of the file, a source of choices and its size.

`firstbyte` is the one under test. `arro3` is a plain arrow-rs reader, which is known to panic. The planted
ones each commit one fault, so that a test can see the driver find it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

MAX_PAGE_BYTES = 1 << 20
MEMORY_BUDGET_BYTES = 4 << 20
PEAK_LIMIT_BYTES = MEMORY_BUDGET_BYTES + MAX_PAGE_BYTES
"""What one scan may hold at once: its budget and one admitted page."""


class RowsLost(AssertionError):
    """A scan ended without an error and with other rows than were promised."""


class Unsound(AssertionError):
    """A batch contradicts itself."""


@dataclass
class Job:
    """One mutant to be read."""

    path: Path
    draw: random.Random
    rows: int = 0
    """Rows that were delivered."""
    whole: bool = False
    """All rows of the file were asked for."""


@dataclass(frozen=True)
class Reader:
    """`read` fills in the job; `errors` are the exceptions that it may raise."""

    name: str
    read: Callable[[Job], None]
    errors: tuple[type[BaseException], ...]
    memory: ModuleType | None = None
    """Where `memory()` and `reset_peak()` are, for a reader that counts."""


def check_batch(batch: Any, rows: int) -> None:
    """Raises Unsound where the batch that goes to other libraries is not valid Arrow."""
    import pyarrow as pa

    try:
        taken = pa.record_batch(batch)
        taken.validate()
        for column in taken.columns:
            # Whether digits fit a declared precision is the value's matter, not the decoder's.
            if not pa.types.is_decimal(column.type):
                column.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise Unsound(str(error)) from error
    if taken.num_rows != rows:
        raise Unsound(f"{taken.num_rows} rows in a batch that says {rows}")


def firstbyte() -> Reader:
    """The crate, through every option that takes another way through the file."""
    import firstbyte_arrow as package

    def read(job: Job) -> None:
        draw = job.draw
        dataset = package.open(job.path)
        match draw.randrange(8):
            case 0 if dataset.num_rows:
                _take(dataset, draw)
            case 1:
                _shrink(job.path, draw)
                _scan(job, dataset, {})
            case 2:
                _shards(job, dataset, draw)
            case 3:
                _where(dataset, draw)
            case _:
                _scan(job, dataset, _options(draw))

    return Reader("firstbyte", read, (package.ParquetError, OSError), package)


LIMITS = {
    "memory_budget": MEMORY_BUDGET_BYTES,
    "max_page_bytes": MAX_PAGE_BYTES,
    "max_batch_bytes": MAX_PAGE_BYTES,
}


def _options(draw: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "batch_size": draw.choice((7, 64, 1024, 1024)),
        "threads": draw.choice((0, 0, 0, 2)),
        "strings": draw.choice(("utf8", "utf8", "view", "dictionary")),
    }
    if draw.random() < 0.2:
        options |= {"seed": draw.randrange(9), "shuffle_rows": draw.choice((0, 50))}
    return options


def _scan(job: Job, dataset: Any, options: dict[str, Any]) -> None:
    with dataset.scan(**LIMITS, **options) as reader:
        for batch in reader:
            check_batch(batch, len(batch))
            job.rows += len(batch)
    job.whole = True


def _shrink(path: Path, draw: random.Random) -> None:
    """The file becomes shorter while it is open, mostly not at all."""
    size = path.stat().st_size
    os.truncate(path, draw.choice((size, draw.randrange(size + 1))))


def _shards(job: Job, dataset: Any, draw: random.Random) -> None:
    """Pieces of row groups, and a pass that another goes on with."""
    for rank in range(3):
        options = {**LIMITS, "shard": (rank, 3), "batch_size": draw.choice((5, 64))}
        position = None
        with dataset.scan(**options) as reader:
            for batch in reader:
                check_batch(batch, len(batch))
                job.rows += len(batch)
                position = reader.position
                break
        if position is None:
            continue
        with dataset.scan(**options, resume=position) as reader:
            for batch in reader:
                job.rows += len(batch)
    job.whole = True


def _where(dataset: Any, draw: random.Random) -> None:
    """Statistics, page index and a row filter; how many rows match is not known."""
    schema = dataset.schema
    numbers = [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if kind in ("Int32", "Int64") and schema.names.count(name) == 1
    ]
    where = [(draw.choice(numbers), draw.choice((">", "==", "<=")), 50)] if numbers else None
    with dataset.scan(**LIMITS, where=where) as reader:
        for batch in reader:
            check_batch(batch, len(batch))


def _take(dataset: Any, draw: random.Random) -> None:
    rows = min(dataset.num_rows, 2**62)
    indices = [draw.randrange(rows) for _ in range(5)]
    limits = {name: LIMITS[name] for name in ("max_page_bytes", "max_batch_bytes")}
    batch = dataset.take(indices, **limits)
    check_batch(batch, 5)


def arro3() -> Reader:
    """Plain arrow-rs with other bindings, its own errors counted as typed."""
    import arro3.io

    def read(job: Job) -> None:
        for batch in arro3.io.read_parquet(job.path):
            job.rows += batch.num_rows
        job.whole = True

    return Reader("arro3", read, (Exception,))


def _planted(fault: Callable[[Job], None]) -> Callable[[], Reader]:
    def read(job: Job) -> None:
        if job.draw.random() < 0.2:
            fault(job)
        else:
            raise OSError("refused")

    return lambda: Reader("planted", read, (OSError,))


def _abort(job: Job) -> None:
    os.abort()


def _hang(job: Job) -> None:
    time.sleep(3600)


def _lose_rows(job: Job) -> None:
    job.whole = True


class _Panic(BaseException):
    """As the PanicException of pyo3: no Exception."""


def _panic(job: Job) -> None:
    raise _Panic("index out of bounds")


def _untyped(job: Job) -> None:
    raise KeyError("no such column")


def _unsound(job: Job) -> None:
    import pyarrow as pa

    offsets = pa.py_buffer(b"\0\0\0\0\1\0\0\0")
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff")])
    check_batch(pa.record_batch({"text": broken}), 1)


class _Counts:
    """A reader that holds more than it may."""

    peak_bytes = PEAK_LIMIT_BYTES + 1
    live_bytes = 0

    def memory(self) -> _Counts:
        return self

    def reset_peak(self) -> None:
        """The plant has one peak."""


def _greedy() -> Reader:
    def read(job: Job) -> None:
        raise OSError("refused")

    return Reader("planted", read, (OSError,), _Counts())  # type: ignore[arg-type]  # as a module


READERS: dict[str, Callable[[], Reader]] = {
    "firstbyte": firstbyte,
    "arro3": arro3,
    "planted-abort": _planted(_abort),
    "planted-hang": _planted(_hang),
    "planted-lose-rows": _planted(_lose_rows),
    "planted-panic": _planted(_panic),
    "planted-untyped": _planted(_untyped),
    "planted-unsound": _planted(_unsound),
    "planted-greedy": _greedy,
}
