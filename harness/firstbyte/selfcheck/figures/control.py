"""The control, which all planted kinds wrap: Parquet through Arrow C++, a batch at a time, in one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from firstbyte.batches import BatchReader


class HonestReader(BatchReader):
    """One pass over one shard."""

    def __init__(self, shard: Path, columns: Sequence[str] | None, batch_rows: int) -> None:
        self._file = opened(shard)
        super().__init__(batches_of(self._file, columns, batch_rows))

    def close(self) -> None:
        super().close()
        self._file.close()


class HonestBackend:
    """Says and does what it should."""

    def versions(self) -> dict[str, str]:
        return {"pyarrow": pyarrow.__version__}

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Any:
        return HonestReader(shard, columns, batch_rows)

    def trim(self) -> None:
        """Give back what Arrow's pool has free."""
        pyarrow.default_memory_pool().release_unused()


def opened(shard: Path) -> Any:
    return pyarrow.parquet.ParquetFile(shard, pre_buffer=False)


def batches_of(file: Any, columns: Sequence[str] | None, batch_rows: int) -> Iterator[Any]:
    wanted = None if columns is None else list(columns)
    batches: Iterator[Any] = file.iter_batches(batch_rows, columns=wanted, use_threads=False)
    return batches
