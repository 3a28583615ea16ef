"""Readers of others, each a function from a file to its rows in canonical form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .canonical import Columns, columns
from .libraries import duckdb_connection


class Refused(Exception):
    """A reader said that it does not read a file."""


def by_pyarrow(path: Path) -> Columns:
    """arrow-cpp, by record batches: it has more ways for nested dictionaries there than as a table."""
    with pq.ParquetFile(path, arrow_extensions_enabled=False) as file:
        batches = list(file.iter_batches(use_threads=False))
        return columns(pa.Table.from_batches(batches, file.schema_arrow))


def by_arro3(path: Path) -> Columns:
    """arrow-rs."""
    import arro3.io

    return columns(pa.table(arro3.io.read_parquet(path)))


def by_polars(path: Path) -> Columns:
    """polars-parquet."""
    import polars

    frame = polars.read_parquet(path, use_statistics=False, glob=False, hive_partitioning=False)
    return columns(frame.to_arrow())


def by_duckdb(path: Path) -> Columns:
    """duckdb's own reader."""
    found = duckdb_connection().sql(f"FROM read_parquet('{path}')")
    return columns(found.to_arrow_table())


PEERS: dict[str, Callable[[Path], Columns]] = {
    "pyarrow": by_pyarrow,
    "duckdb": by_duckdb,
    "polars": by_polars,
    "arro3": by_arro3,
}


def read(name: str, path: Path) -> Columns:
    """Raises Refused for whatever the reader raises: what a peer cannot do is no fault of ours."""
    try:
        return PEERS[name](path)
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of pyo3 is no Exception
        raise Refused(f"panic: {error}") from error
