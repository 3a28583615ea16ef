"""What readers have in common whose batches come from an iterator; standard library only.

A backend overrides what its library does in another way. It is no part of the protocol: a reader may
have nothing to do with this class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self


class BatchReader:
    """One pass over one shard; a batch is an Arrow record batch with at least one row."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        batch = next(self._batches)
        while not self.rows(batch):  # an empty row group may come as an empty batch
            batch = next(self._batches)
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the iterator, and with it what the library has read ahead; idempotent."""
        self._batches = iter(())

    def rows(self, batch: Any) -> int:
        return int(batch.num_rows)

    def first_value(self, batch: Any, column: str) -> object:
        return batch.column(column)[0].as_py()

    def canonical(self, batch: Any) -> Any:
        return batch
