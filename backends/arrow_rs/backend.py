"""The arrow_rs backend: firstbyte_arrow read through the harness protocol.

Importing this module is timed as the import of the library, so nothing else is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import firstbyte_arrow

from firstbyte.api import BuildRefusedError

if TYPE_CHECKING:
    import pyarrow


class ArrowRsReader:
    """One pass of `firstbyte_arrow` over one shard."""

    def __init__(self, reader: firstbyte_arrow.Reader) -> None:
        self._reader = reader

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> firstbyte_arrow.Batch:
        return next(self._reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()

    def rows(self, batch: firstbyte_arrow.Batch) -> int:
        return batch.num_rows

    def first_value(self, batch: firstbyte_arrow.Batch, column: str) -> object:
        return batch.value(column, 0)

    def canonical(self, batch: firstbyte_arrow.Batch) -> pyarrow.RecordBatch:
        import pyarrow

        return pyarrow.record_batch(batch)


class ArrowRsBackend:
    """Parquet shards read by `firstbyte_arrow`; options are those of `Dataset.scan`."""

    def __init__(self, *, threads: int = 0) -> None:
        if threads < 0:
            raise ValueError(f"threads must not be negative, got {threads}")
        self._threads = threads

    def versions(self) -> dict[str, str]:
        if firstbyte_arrow.build_profile != "release":
            raise BuildRefusedError(
                f"firstbyte_arrow is a {firstbyte_arrow.build_profile} build, which says nothing"
                " about its speed; install a release build: 'pip install ./backends/arrow_rs'"
            )
        return {
            "firstbyte_arrow": firstbyte_arrow.__version__,
            **dict(firstbyte_arrow.library_versions),
        }

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return shards

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> ArrowRsReader:
        dataset = firstbyte_arrow.open(shard)
        return ArrowRsReader(
            dataset.scan(
                columns=None if columns is None else list(columns),
                batch_size=batch_rows,
                threads=self._threads,
            )
        )

    def decompress(self, shard: Path, *, columns: Sequence[str] | None = None) -> int:
        return firstbyte_arrow.open(shard).decompress(
            columns=None if columns is None else list(columns)
        )

    def memory_floor(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> int:
        wanted = None if columns is None else list(columns)
        dataset = firstbyte_arrow.open(shard)
        with dataset.scan(columns=wanted, batch_size=batch_rows) as reader:
            largest_batch_bytes = max((batch.nbytes for batch in reader), default=0)
        return dataset.pages_in_hand(columns=wanted) + largest_batch_bytes

    def allocator_bytes(self) -> dict[str, int]:
        return {"firstbyte_arrow": firstbyte_arrow.memory().live_bytes}

    def allocator_peak_bytes(self) -> dict[str, int]:
        return {"firstbyte_arrow": firstbyte_arrow.memory().peak_bytes}

    def reset_peak(self) -> None:
        firstbyte_arrow.reset_peak()


def create(*, threads: int = 0) -> ArrowRsBackend:
    """The backend with `threads` decoding threads per reader; 0 decodes in the calling thread."""
    return ArrowRsBackend(threads=threads)
