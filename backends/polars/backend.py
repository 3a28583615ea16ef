"""Parquet through Polars: a lazy scan, collected by the streaming engine in ordered batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from firstbyte.batches import BatchReader

PREFETCH_VARIABLE = "POLARS_ROW_GROUP_PREFETCH_SIZE"


class PolarsReader(BatchReader):
    """One pass over a Parquet file; a batch is a `polars.DataFrame` with at least one row."""

    def __init__(self, batches: Iterator[Any], series_type: Any) -> None:
        super().__init__(batches)
        self._series_type = series_type

    def rows(self, batch: Any) -> int:
        return int(batch.height)

    def first_value(self, batch: Any, column: str) -> object:
        value: Any = batch.item(0, column)
        return value.to_list() if isinstance(value, self._series_type) else value

    def canonical(self, batch: Any) -> Any:
        """The frame's chunks as one `pyarrow.RecordBatch`; categoricals become dictionaries."""
        import pyarrow

        table = batch.to_arrow()
        return pyarrow.RecordBatch.from_struct_array(table.to_struct_array().combine_chunks())


class PolarsBackend:
    """Reads Parquet as it is. Worker threads are shared by all readers of the process."""

    def __init__(self, *, low_memory: bool) -> None:
        import polars

        self._polars = polars
        self._low_memory = low_memory

    def versions(self) -> dict[str, str]:
        return {
            "polars": self._polars.__version__,
            "polars_threads": str(self._polars.thread_pool_size()),
        }

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> PolarsReader:
        """Start the query. What Polars cannot open or decode is raised by the first `next`."""
        frame = self._polars.scan_parquet(
            shard, low_memory=self._low_memory, glob=False, hive_partitioning=False
        )
        if columns is not None:
            # `col` reads a name between ^ and $ as a pattern; a selector takes it as it is.
            frame = frame.select(self._polars.selectors.by_name(*columns))
        batches = frame.collect_batches(
            chunk_size=batch_rows, maintain_order=True, engine="streaming"
        )
        return PolarsReader(batches, self._polars.Series)


def create(*, low_memory: bool, row_group_prefetch: int | None = None) -> PolarsBackend:
    """The backend of one variant.

    `row_group_prefetch` is how many row groups the engine may decode ahead. It is only to be had as
    an environment variable, which Polars reads for itself: so it is set before the import, and it
    holds for the whole process.
    """
    if row_group_prefetch is not None:
        os.environ[PREFETCH_VARIABLE] = str(row_group_prefetch)
    return PolarsBackend(low_memory=low_memory)
