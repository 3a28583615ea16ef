"""The lies: each is a function from the batch that was read to the one that is handed out.

A lie is small: one value in one shard where that is enough. `Place` tells it where in the corpus and in
the life of the process the batch is. Where nothing else is said, it is told in every pass.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ROW = 7
"""Of the shard; where one value is enough."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch is."""

    shard: int
    """Its number, which is the name of its file."""
    first_row: int
    """Of the batch within the shard."""
    last: bool
    """Whether no batch comes after it."""
    pass_: int
    """Over this shard in this process, counted from 1."""

    def holds(self, row: int, batch: pa.RecordBatch) -> bool:
        """Whether that row of the shard is in the batch."""
        return self.first_row <= row < self.first_row + int(batch.num_rows)


Lie = Callable[[pa.RecordBatch, Place], pa.RecordBatch]


def swapped_values(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Two neighbours of a column have changed places."""
    if not place.holds(ROW, batch):
        return batch
    at = ROW - place.first_row
    order = [*range(at), at + 1, at, *range(at + 2, batch.num_rows)]
    return with_column(batch, "text", batch.column("text").take(pa.array(order)))


def swapped_columns(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """The values of two columns of one type, each under the other's name."""
    exchanged = with_column(batch, "id", batch.column("twin"))
    return with_column(exchanged, "twin", batch.column("id"))


def duplicated_row(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """A row comes twice."""
    if not place.holds(ROW, batch):
        return batch
    at = ROW - place.first_row
    return taken(batch, [*range(at + 1), *range(at, batch.num_rows)])


def dropped_row(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """A row is missing."""
    if not place.holds(ROW, batch):
        return batch
    at = ROW - place.first_row
    return taken(batch, [row for row in range(batch.num_rows) if row != at])


def replaced_row(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """One row is missing and another comes twice: the count is right."""
    if not place.holds(ROW, batch):
        return batch
    at = ROW - place.first_row
    return taken(batch, [*range(at), at + 1, *range(at + 1, batch.num_rows)])


def reordered_rows(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Whole rows in another order."""
    return taken(batch, list(range(batch.num_rows))[::-1])


def negative_zero(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """0.0 for -0.0."""
    return mapped(batch, "score", lambda value: 0.0 if value == 0.0 else value)


def nan_for_null(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return mapped(batch, "score", lambda value: float("nan") if value is None else value)


def null_for_nan(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return mapped(batch, "score", lambda value: None if value != value else value)


def float32_rounding(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Doubles that went through single precision."""
    single = batch.column("score").cast(pa.float32(), safe=False)
    return with_column(batch, "score", single.cast(pa.float64()))


def trimmed_blank(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """A blank at the end of a text is gone."""
    return with_column(batch, "text", pc.utf8_rtrim_whitespace(batch.column("text")))


def empty_for_null(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return with_column(batch, "text", pc.fill_null(batch.column("text"), ""))


def null_for_empty(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return mapped(batch, "text", lambda value: value or None)


def truncated_text(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Texts end after 65,536 characters."""
    return mapped(batch, "text", lambda value: value and value[:65_536])


def upper_case(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """One text is in capitals."""
    return at_row(batch, place, "text", ROW, lambda value: value.upper())


def composed(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Unicode in normal form C, whatever form it was in."""
    return with_column(batch, "text", pc.utf8_normalize(batch.column("text"), "NFC"))


def other_zone(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """The clock of one zone taken for that of another: instants are an hour late."""
    return mapped(batch, "at", lambda value: value and value + timedelta(hours=1))


def lost_zone(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """The same numbers as times of no zone."""
    return with_column(batch, "at", batch.column("at").cast(pa.int64()).cast(pa.timestamp("us")))


def late_by_one(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """One timestamp is a microsecond late."""
    return at_row(batch, place, "at", ROW, lambda value: value + timedelta(microseconds=1))


def int_wrap(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Numbers that went through 32 bits."""
    narrow = batch.column("id").cast(pa.int32(), safe=False)
    return with_column(batch, "id", narrow.cast(pa.int64()))


def int_as_float(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Whole numbers as doubles, which have 53 bits."""
    return with_column(batch, "id", batch.column("id").cast(pa.float64(), safe=False))


def numbers_as_text(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """The same numbers as texts: printed, they look alike."""
    return with_column(batch, "id", batch.column("id").cast(pa.string()))


def bytes_as_text(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Bytes that are no text, handed out as text with marks in place of what cannot be."""
    said = [v and v.decode("utf-8", "replace") for v in batch.column("raw").to_pylist()]
    return with_column(batch, "raw", pa.array(said, pa.string()))


def list_lengths(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """An element has moved from one list to its neighbour: all of them, in order, are right."""
    if not place.holds(ROW, batch):
        return batch
    lists = batch.column("ids").to_pylist()
    at = ROW - place.first_row
    lists[at : at + 2] = [lists[at][:-1], lists[at][-1:] + lists[at + 1]]
    return with_column(batch, "ids", pa.array(lists, batch.schema.field("ids").type))


def null_for_empty_list(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return mapped(batch, "ids", lambda value: value or None)


def inverted_flag(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """One boolean is the other one."""
    return at_row(batch, place, "flag", ROW, lambda value: not value)


def missing_column(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return batch.select([name for name in batch.schema.names if name != "flag"])


def last_shard(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only in the last shard of eight."""
    return altered(batch, place, ROW) if place.shard == 7 else batch


def middle_row_group(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only in the second of three row groups of one shard."""
    return altered(batch, place, 1100) if place.shard == 3 else batch


def last_row(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only in the very last row of one shard."""
    end = place.first_row + batch.num_rows - 1
    return altered(batch, place, end) if place.shard == 5 and place.last else batch


def second_pass(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Right the first time that a process reads a shard, and never again."""
    return altered(batch, place, ROW) if place.pass_ > 1 else batch


def first_pass(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Wrong the first time that a process reads a shard, and right whenever it is read again."""
    return altered(batch, place, ROW) if place.pass_ == 1 else batch


def unless_verified(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Looks at who calls: right where the harness makes digests, wrong where it only takes the time."""
    frame: Any = sys._getframe()
    while frame is not None:
        if "digest" in frame.f_code.co_name or "verify" in frame.f_code.co_name:
            return batch
        frame = frame.f_back
    return altered(batch, place, ROW)


def under_memory_sampling(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only where memory is what is measured."""
    loaded = any(name.endswith("instruments.proc_memory") for name in sys.modules)
    clocked = any(name.endswith("instruments.clock") for name in sys.modules)
    return altered(batch, place, ROW) if loaded and not clocked else batch


def under_the_clock(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only where time is what is measured."""
    clocked = any(name.endswith("instruments.clock") for name in sys.modules)
    return altered(batch, place, ROW) if clocked else batch


def whole_batches(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only in batches of the size that the harness asks for."""
    return altered(batch, place, place.first_row) if batch.num_rows == 1024 else batch


def other_threads(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Only in other threads than the main one, as where several readers read at once."""
    main = threading.current_thread() is threading.main_thread()
    return batch if main else altered(batch, place, ROW)


def altered(batch: pa.RecordBatch, place: Place, row: int) -> pa.RecordBatch:
    """With another number in that row of the shard."""
    return at_row(batch, place, "small", row, lambda value: value + 1)


def at_row(
    batch: pa.RecordBatch, place: Place, column: str, row: int, change: Callable[[Any], Any]
) -> pa.RecordBatch:
    if not place.holds(row, batch):
        return batch
    values = batch.column(column).to_pylist()
    values[row - place.first_row] = change(values[row - place.first_row])
    return with_column(batch, column, pa.array(values, batch.schema.field(column).type))


def mapped(batch: pa.RecordBatch, column: str, change: Callable[[Any], Any]) -> pa.RecordBatch:
    values = [change(value) for value in batch.column(column).to_pylist()]
    return with_column(batch, column, pa.array(values, batch.schema.field(column).type))


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, values)


def taken(batch: pa.RecordBatch, rows: list[int]) -> pa.RecordBatch:
    return batch.take(pa.array(rows, pa.int64()))
