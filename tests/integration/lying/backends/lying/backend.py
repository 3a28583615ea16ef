"""One kind of lie per variant: everything else is the backend `sound`.

A lie changes the batches themselves, so that counting, first values and digests see the same.
"""

from __future__ import annotations

import datetime
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from firstbyte.backends.sound.backend import SoundBackend, SoundReader

Lie = Callable[[pa.RecordBatch], pa.RecordBatch]
When = Callable[[bool], bool]
"""Whether it lies in a pass over a shard, of which is known whether the process has read it before."""


def put(batch: pa.RecordBatch, column: str, array: pa.Array) -> pa.RecordBatch:
    place = batch.schema.names.index(column)
    return batch.set_column(place, pa.field(column, array.type), array)


def mapped(column: str, change: Callable[[Any], Any]) -> Lie:
    """Each value of the column changed, in Python; its type stays."""

    def lie(batch: pa.RecordBatch) -> pa.RecordBatch:
        array = batch.column(column)
        return put(batch, column, pa.array(map(change, array.to_pylist()), array.type))

    return lie


def cast(column: str, kind: pa.DataType) -> Lie:
    return lambda batch: put(batch, column, batch.column(column).cast(kind))


def swapped_values(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The first two rows change places in one column."""
    rows = [1, 0, *range(2, batch.num_rows)]
    return put(batch, "number", batch.column("number").take(pa.array(rows)))


def duplicated_row(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The second row is the first one once more; there are as many."""
    return batch.take(pa.array([0, 0, *range(2, batch.num_rows)]))


def doubled_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """There is a row more."""
    return batch.take(pa.array([0, *range(batch.num_rows)]))


def swapped_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.select(batch.schema.names[::-1])


def renamed_column(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.rename_columns(["words", *batch.schema.names[1:]])


def reversed_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array(range(batch.num_rows)[::-1]))


def other_zone(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The wall time of another zone, taken for an instant."""
    shifted = pc.add(batch.column("at"), pa.scalar(datetime.timedelta(hours=1)))
    return put(batch, "at", shifted)


LIES: dict[str, Lie] = {
    "swapped_values": swapped_values,
    "duplicated_row": duplicated_row,
    "row_more": doubled_batch,
    "row_less": lambda batch: batch.slice(1),
    "reversed_rows": reversed_rows,
    "swapped_columns": swapped_columns,
    "column_left_out": lambda batch: batch.select(batch.schema.names[:-1]),
    "renamed_column": renamed_column,
    "minus_zero": mapped("real", lambda value: -0.0 if value == 0.0 else value),
    "nan_for_null": mapped("real", lambda value: float("nan") if value is None else value),
    "trimmed_blank": mapped("text", str.rstrip),
    "null_for_empty": mapped("text", lambda value: value or None),
    "truncated_text": mapped("text", lambda value: value[:4]),
    "other_zone": other_zone,
    "no_zone": cast("at", pa.timestamp("us")),
    "rounded_real": mapped("real", lambda value: None if value is None else round(value, 1)),
    "number_as_text": cast("number", pa.string()),
}


WHEN: dict[str, When] = {
    "always": lambda _: True,
    "again": lambda again: again,
    "clocked": lambda _: "firstbyte.worker.instruments.clock" in sys.modules,
    "threads": lambda _: threading.current_thread() is not threading.main_thread(),
}


class LyingReader(SoundReader):
    """Delivers what its lie makes of each batch, or leaves it as it is."""

    def __init__(self, shard: Path, columns: Any, batch_rows: int, lie: Lie | None) -> None:
        super().__init__(shard, columns, batch_rows)
        self._lie = lie

    def __next__(self) -> Any:
        batch = super().__next__()
        return batch if self._lie is None else self._lie(batch)


class LyingBackend(SoundBackend):
    """Lies in every pass over the last shard, whose name ends in 1; or over all of them.

    With `passes` only in the first so many passes of the process, and only where `when` holds of the pass.
    """

    def __init__(self, lie: Lie, everywhere: bool, passes: int, when: When) -> None:
        self._lie = lie
        self._everywhere = everywhere
        self._left = passes
        self._when = when
        self._read: set[Path] = set()

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> SoundReader:
        self._left -= 1
        lies = self._left >= 0 and (self._everywhere or shard.stem.endswith("1"))
        lies = lies and self._when(shard in self._read)
        self._read.add(shard)
        return LyingReader(shard, columns, batch_rows, self._lie if lies else None)


class NumpyCountsReader(SoundReader):
    """No lie: it counts in numbers that are no int of Python's."""

    def rows(self, batch: Any) -> Any:
        import numpy as np

        return np.int64(batch.num_rows)


class NumpyCountsBackend(SoundBackend):
    reader = NumpyCountsReader


def create(
    *, lie: str = "", everywhere: bool = True, passes: int = 1 << 60, when: str = "always"
) -> SoundBackend:
    if not lie:
        return NumpyCountsBackend()
    return LyingBackend(LIES[lie], everywhere, passes, WHEN[when])
