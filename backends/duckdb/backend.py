"""Parquet through DuckDB: one connection and one streamed query per reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class DuckdbReader:
    """One pass over a Parquet file; a batch is a `pyarrow.RecordBatch`."""

    def __init__(self, connection: Any, batches: Any) -> None:
        self._connection = connection
        self._batches = batches

    def __iter__(self) -> DuckdbReader:
        return self

    def __next__(self) -> Any:
        if self._batches is None:
            raise StopIteration
        return self._batches.read_next_batch()

    def __enter__(self) -> DuckdbReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the query and the connection; idempotent."""
        if self._batches is not None:
            self._batches.close()
            self._connection.close()
            self._batches = None

    def rows(self, batch: Any) -> int:
        return int(batch.num_rows)

    def first_value(self, batch: Any, column: str) -> object:
        return batch.column(column)[0].as_py()

    def canonical(self, batch: Any) -> Any:
        return batch


class DuckdbBackend:
    """Reads Parquet as it is."""

    def __init__(self, *, threads: int | None) -> None:
        import duckdb
        import pyarrow  # noqa: F401  (the batches are pyarrow's: its import belongs to the cost)

        self._duckdb = duckdb
        self._config: dict[str, Any] = {} if threads is None else {"threads": threads}

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
