"""How the rows of a built corpus are laid out in files, and the writer that lays them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.progress import OnProgress
from firstbyte.corpora.reference import WRITER, Reading


@dataclass(frozen=True, slots=True)
class Layout:
    """What changes the bytes of the files and nothing about the rows."""

    shards: int
    row_group_rows: int
    page_bytes: int
    codec: str
    """`zstd:3`, `gzip:6`, `snappy` or `none`."""

    def parquet_options(self) -> dict[str, object]:
        """The arguments of `pyarrow.parquet.ParquetWriter`."""
        name, _, level = self.codec.partition(":")
        return {
            "compression": name,
            "compression_level": int(level) if level else None,
            "data_page_size": self.page_bytes,
        }

    def shard_rows(self, rows: int) -> list[int]:
        """How many of `rows` go into each shard; they differ by one at most."""
        bounds = [rows * i // self.shards for i in range(self.shards + 1)]
        return [end - start for start, end in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Written:
    """A file, and what the rows that went into it are."""

    path: Path
    reading: Reading


def write_shards(
    folder: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    rows: int,
    layout: Layout,
    progress: OnProgress,
) -> list[Written]:
    """Write the first `rows` rows of the batches as shards, one row group in memory at a time.

    Batches may have any size: the row groups do not depend on it. Returns the files in order.
    Raises ValueError when the batches end too early.
    """
    source = _Rows(schema, iter(batches))
    files = []
    written = 0
    for index, shard_rows in enumerate(layout.shard_rows(rows)):
        path = folder / f"shard-{index:05d}.parquet"
        digests = ColumnDigests(schema.names)
        with pq.ParquetWriter(path, schema, **layout.parquet_options()) as writer:
            for start in range(0, shard_rows, layout.row_group_rows):
                group = source.take(min(layout.row_group_rows, shard_rows - start))
                writer.write_table(group, row_group_size=group.num_rows)
                for batch in group.to_batches():
                    digests.update(batch)
                written += group.num_rows
                progress("writing", written / rows)
        files.append(Written(path, Reading(WRITER, shard_rows, digests.hexdigests())))
    return files


class _Rows:
    """Hands out rows in any number from batches of any size."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self._schema = schema
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    def take(self, rows: int) -> pa.Table:
        pieces = []
        missing = rows
        while missing:
            batch = self._rest if self._rest is not None else next(self._batches, None)
            if batch is None:
                raise ValueError(f"the source ended {missing} rows too early")
            pieces.append(batch.slice(0, missing))
            self._rest = batch.slice(missing) if batch.num_rows > missing else None
            missing -= pieces[-1].num_rows
        return pa.Table.from_batches(pieces, self._schema)
