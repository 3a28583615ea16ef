"""Writes an LSHD v2 file as a stream: one block in memory at a time."""

from __future__ import annotations

import hashlib
import zlib
from typing import BinaryIO

from .errors import RecordTooLargeError
from .format import (
    BLOCK_TARGET_BYTES,
    MAX_RAW_BYTES,
    ZLIB_LEVEL,
    BlockEntry,
    BlockHeader,
    Header,
    Trailer,
    pack_index,
)


class LshdWriter:
    """Appends records to a binary stream at its start; `finish` writes index and trailer.

    The bytes depend only on the arguments, the records and the zlib library.
    `block_target_bytes` is the raw size from which on a block is closed.
    """

    def __init__(
        self,
        stream: BinaryIO,
        schema: bytes,
        *,
        block_target_bytes: int = BLOCK_TARGET_BYTES,
        created_unix: int = 0,
    ) -> None:
        if not 1 <= block_target_bytes <= MAX_RAW_BYTES:
            raise ValueError(
                f"block target must be 1 to {MAX_RAW_BYTES} bytes, got {block_target_bytes}"
            )
        self._stream = stream
        self._target = block_target_bytes
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._offset = 0
        self._raw = bytearray()
        self._pending = 0
        self._records = 0
        self._blocks: list[BlockEntry] = []
        self._append(Header(len(schema), block_target_bytes, created_unix).pack(schema) + schema)

    def write(self, record: bytes) -> None:
        """Add one record: one msgpack map. Raises RecordTooLargeError."""
        if len(self._raw) + len(record) > MAX_RAW_BYTES:
            raise RecordTooLargeError(
                f"record does not fit its block, allowed {MAX_RAW_BYTES - len(self._raw)} bytes, "
                f"got {len(record)}"
            )
        self._raw += record
        self._pending += 1
        if len(self._raw) >= self._target:
            self._close_block()

    def finish(self) -> None:
        """Write what is left, the index and the trailer. The stream stays open."""
        if self._pending:
            self._close_block()
        index_off = self._offset
        index = pack_index(self._blocks)
        self._append(index)
        trailer = Trailer(
            index_off, len(index), self._records, self._sha1.digest(), len(self._blocks)
        )
        self._stream.write(trailer.pack())

    def _close_block(self) -> None:
        self._blocks.append(BlockEntry(self._offset, self._pending, self._records))
        compressed = zlib.compress(self._raw, ZLIB_LEVEL)
        self._append(
            BlockHeader(
                self._pending, len(self._raw), len(compressed), zlib.crc32(self._raw)
            ).pack()
        )
        self._append(compressed)
        self._records += self._pending
        self._pending = 0
        self._raw.clear()

    def _append(self, data: bytes) -> None:
        self._stream.write(data)
        self._sha1.update(data)
        self._offset += len(data)
