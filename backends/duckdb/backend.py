"""Parquet through DuckDB: one connection and one streamed query per reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.batches import BatchReader


class DuckdbReader(BatchReader):
    """One pass over a Parquet file; a batch is a `pyarrow.RecordBatch`."""

    def __init__(self, connection: Any, batches: Any) -> None:
        super().__init__(batches)
        self._connection = connection

    def close(self) -> None:
        """End the query and the connection; idempotent."""
        super().close()
        self._connection.close()


class DuckdbBackend:
    """Reads Parquet as it is."""

    def __init__(self, *, threads: int | None) -> None:
        import duckdb
        import pyarrow  # noqa: F401  (the batches are pyarrow's: its import belongs to the cost)

        self._duckdb = duckdb
        # Without it, UUIDs come as texts: other values than the file has.
        self._config: dict[str, Any] = {"arrow_lossless_conversion": True}
        if threads is not None:
            self._config["threads"] = threads

    def versions(self) -> dict[str, str]:
        import pyarrow

        return {"duckdb": self._duckdb.__version__, "pyarrow": pyarrow.__version__}

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> DuckdbReader:
        """Start the query. Raises an exception of DuckDB for a file that it cannot open."""
        connection = self._duckdb.connect(config=self._config)
        chosen = "*" if columns is None else ", ".join(map(_quoted, columns))
        relation = connection.sql(
            f"SELECT {chosen} FROM read_parquet(?, hive_partitioning=false)",
            params=[_literal(shard)],
        )
        return DuckdbReader(connection, relation.to_arrow_reader(batch_rows))


def create(*, threads: int | None = None) -> DuckdbBackend:
    """The backend of one variant; None leaves the number of threads to DuckDB."""
    return DuckdbBackend(threads=threads)


def _literal(shard: Path) -> str:
    """The path with pattern characters in brackets, as DuckDB would expand them."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(shard.resolve()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
