"""Parquet through pyarrow's two reading APIs, each imported only where a variant asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow

from firstbyte.api import BuildRefusedError
from firstbyte.batches import BatchReader

ARROW_DEFAULTS: dict[str, Any] = {"pre_buffer": True, "buffer_size_bytes": 0, "use_threads": True}
"""What `ParquetFile` and `iter_batches` do when nobody says anything."""


class Opener(Protocol):
    """How a variant starts a pass; returns the batches and what releases the file."""

    def __call__(
        self, shard: Path, columns: list[str] | None, batch_rows: int
    ) -> tuple[Iterator[Any], Callable[[], None]]: ...


class PyarrowReader(BatchReader):
    """One pass over a Parquet file; a batch is a `pyarrow.RecordBatch` with at least one row."""

    def __init__(self, batches: Iterator[Any], release: Callable[[], None]) -> None:
        super().__init__(batches)
        self._release = release

    def close(self) -> None:
        """Drop the batches read ahead and close the file; idempotent."""
        super().close()
        self._release()


class PyarrowBackend:
    """Reads Parquet as it is. Buffers come from Arrow's default memory pool."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._pool = pyarrow.default_memory_pool()

    def versions(self) -> dict[str, str]:
        """Versions of pyarrow and Arrow C++, and the allocator behind the memory pool.

        Raises BuildRefusedError for a debug build of Arrow C++.
        """
        build = pyarrow.cpp_build_info
        if build.build_type == "debug":
            raise BuildRefusedError(
                "arrow c++ is a debug build; install a release build of pyarrow"
            )
        return {
            "pyarrow": pyarrow.__version__,
            "arrow_cpp": build.version,
            "arrow_cpp_build": build.build_type,
            "arrow_memory_pool": self._pool.backend_name,
        }

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> PyarrowReader:
        """Raises FileNotFoundError, and `pyarrow.ArrowInvalid` for a file that is not Parquet."""
        selected = None if columns is None else list(columns)
        return PyarrowReader(*self._opener(shard, selected, batch_rows))

    def allocator_bytes(self) -> dict[str, int]:
        """Live bytes of the default memory pool, by the name of its allocator."""
        return {self._pool.backend_name: self._pool.bytes_allocated()}

    def allocator_peak_bytes(self) -> dict[str, int]:
        """Most bytes that were live at once since the process began; Arrow cannot reset it."""
        return {self._pool.backend_name: self._pool.max_memory()}

    def trim(self) -> None:
        """Ask the pool's allocator to return unused pages to the kernel."""
        self._pool.release_unused()


def create(*, reader: str, **options: Any) -> PyarrowBackend:
    """The backend of one variant. Raises ValueError for an unknown reader or option."""
    if reader == "dataset":
        return PyarrowBackend(_dataset_opener(**options))
    if reader == "parquet_file":
        unknown = options.keys() - ARROW_DEFAULTS.keys()
        if unknown:
            raise ValueError(f"unknown options {sorted(unknown)} (allowed: {list(ARROW_DEFAULTS)})")
        return PyarrowBackend(_parquet_file_opener(**{**ARROW_DEFAULTS, **options}))
    raise ValueError(f"unknown reader '{reader}' (allowed: dataset, parquet_file)")


def _dataset_opener() -> Opener:
    import pyarrow.dataset

    def opener(
        shard: Path, columns: list[str] | None, batch_rows: int
    ) -> tuple[Iterator[Any], Callable[[], None]]:
        dataset = pyarrow.dataset.dataset(shard, format="parquet")
        return dataset.to_batches(columns=columns, batch_size=batch_rows), _nothing_to_release

    return opener


def _parquet_file_opener(*, pre_buffer: bool, buffer_size_bytes: int, use_threads: bool) -> Opener:
    import pyarrow.parquet

    def opener(
        shard: Path, columns: list[str] | None, batch_rows: int
    ) -> tuple[Iterator[Any], Callable[[], None]]:
        file = pyarrow.parquet.ParquetFile(
            shard, pre_buffer=pre_buffer, buffer_size=buffer_size_bytes
        )
        batches = file.iter_batches(batch_rows, columns=columns, use_threads=use_threads)
        return batches, file.close

    return opener


def _nothing_to_release() -> None:
    """A scanner's files close with the last reference to its batches."""
