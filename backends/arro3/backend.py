"""Parquet through arro3-io: arrow-rs's synchronous reader, handed out batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.api import Unsupported
from firstbyte.batches import BatchReader


class Arro3Reader(BatchReader):
    """One pass over a Parquet file; a batch is an `arro3.core.RecordBatch`."""

    def canonical(self, batch: Any) -> Any:
        import pyarrow

        return pyarrow.record_batch(batch)


class Arro3Backend:
    """Reads Parquet as it is."""

    def __init__(self) -> None:
        import arro3.io

        self._io = arro3.io

    def versions(self) -> dict[str, str]:
        import arro3.core

        return {"arro3-io": self._io.__version__, "arro3-core": arro3.core.__version__}

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Arro3Reader:
        """Open the file. Raises Unsupported for a projection, and what arro3 raises otherwise."""
        if columns is not None:
            raise Unsupported("arro3.io.read_parquet has no projection of columns")
        return Arro3Reader(iter(self._io.read_parquet(shard, batch_size=batch_rows)))


def create() -> Arro3Backend:
    """The backend."""
    return Arro3Backend()
