"""The ladder of readers, from the one that was deployed to the best that the format allows.

A batch is a list of rows, each a dict with every field of the record: the format has no projection,
so what was not asked for is decoded all the same, and the consumer takes the fields that it wants.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from .file import LshdFile
from .rows import Row, check_rows, check_shape, decoding, field_of, paused_gc, unpacker


class LshdReader:
    """What the rungs share: everything but how rows come out of blocks."""

    verify_sha1: ClassVar[bool] = False
    in_memory: ClassVar[bool] = False

    def __init__(self, shard: Path, columns: Sequence[str] | None, batch_rows: int) -> None:
        if batch_rows < 1:
            raise ValueError(f"batch_rows must be at least 1, got {batch_rows}")
        self._file = LshdFile.open(shard, verify_sha1=self.verify_sha1, in_memory=self.in_memory)
        try:
            self._columns = self._file.names if columns is None else list(columns)
            if unknown := sorted(set(self._columns) - set(self._file.names)):
                raise ValueError(
                    f"no column {', '.join(unknown)} in {shard.name} "
                    f"(allowed: {', '.join(self._file.names)})"
                )
            self._batch_rows = batch_rows
            self._batches = self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> Iterator[list[Row]]:
        raise NotImplementedError

    def __iter__(self) -> LshdReader:
        return self

    def __next__(self) -> list[Row]:
        return next(self._batches)

    def __enter__(self) -> LshdReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the decoded rows and close the file; idempotent."""
        self._batches = iter(())
        self._file.close()

    def rows(self, batch: list[Row]) -> int:
        return len(batch)

    def first_value(self, batch: list[Row], column: str) -> object:
        """The stored value; dates and times are stored as integers. Raises StructureError."""
        value = field_of(batch[0], column)
        return value.tolist() if isinstance(value, array) else value

    def canonical(self, batch: list[Row]) -> Any:
        """The rows in Arrow form. Raises DecodeError or StructureError."""
        from .arrow import record_batch

        return record_batch(batch, self._file.schema, self._columns)


class BlockReader(LshdReader):
    """R1 and R2: one block in memory at a time, decoded as a whole."""

    check_crc: ClassVar[bool] = False

    def _read(self) -> Iterator[list[Row]]:
        for number in range(len(self._file.index)):
            rows = self._file.rows(number, check_crc=self.check_crc)
            for start in range(0, len(rows), self._batch_rows):
                yield rows[start : start + self._batch_rows]
            del rows  # or two blocks would be alive while the next is decoded


class R0(LshdReader):
    """As deployed: opening reads the file, checks its SHA-1 and decodes every record."""

    verify_sha1 = True
    in_memory = True

    def _read(self) -> Iterator[list[Row]]:
        rows: list[Row] = []
        with paused_gc():
            for number in range(len(self._file.index)):
                rows += self._file.rows(number, check_crc=False)
        self._file.close()
        return (
            rows[start : start + self._batch_rows]
            for start in range(0, len(rows), self._batch_rows)
        )


class R1(BlockReader):
    """Careful: opening streams the file through SHA-1, which makes the blocks' CRCs needless."""

    verify_sha1 = True


class R2(BlockReader):
    """R1 without the whole-file hash: each block's CRC-32 instead."""

    check_crc = True


class R3(LshdReader):
    """Best effort: no hash; a block is inflated and unpacked as its rows are asked for.

    Lengths, counts and zlib's own checksum are still checked at the end of a block.
    """

    def _read(self) -> Iterator[list[Row]]:
        rows = self._rows()
        while True:
            with paused_gc():
                batch = list(islice(rows, self._batch_rows))
            if not batch:
                return
            yield batch

    def _rows(self) -> Iterator[Row]:
        for number in range(len(self._file.index)):
            yield from self._block_rows(number)

    def _block_rows(self, number: int) -> Iterator[Row]:
        header = self._file.block_header(number)
        records = unpacker(header.raw_len)
        count = 0
        for raw in self._file.raw_block(number):
            with decoding():
                records.feed(raw)
                rows = list(islice(records, header.n_rec - count))
            check_shape(rows, len(self._file.names))
            count += len(rows)
            yield from rows
        check_rows(count, header.n_rec, records.tell(), header.raw_len)


RUNGS: dict[str, type[LshdReader]] = {"r0": R0, "r1": R1, "r2": R2, "r3": R3}
