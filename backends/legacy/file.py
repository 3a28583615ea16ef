"""An open LSHD file: its parts, checked, and access to blocks and single records."""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

from .errors import (
    ChecksumError,
    DecodeError,
    LshdError,
    StructureError,
    TruncatedError,
)
from .format import (
    BLOCK,
    HEADER,
    TRAILER,
    BlockHeader,
    check_schema,
    expect_crc,
    unpack_block_header,
    unpack_header,
    unpack_index,
    unpack_trailer,
)
from .inflate import inflate
from .rows import Row, decode_rows
from .source import FileSource, MemorySource, Source

INFLATE_READ_BYTES = 64 << 10
"""Compressed bytes that are read and inflated at a time."""


class LshdFile:
    """Reads trailer, hash (if asked for), index and header, in this order, and keeps the file open.

    `schema` is the parsed SCHEMA, `index` one entry per block, `names` the field names in order.
    """

    def __init__(self, source: Source, *, verify_sha1: bool) -> None:
        self._source = source
        if source.size < HEADER.size + TRAILER.size:
            raise TruncatedError(
                f"file is too short, expected at least {HEADER.size + TRAILER.size} bytes, "
                f"got {source.size}"
            )
        trailer_off = source.size - TRAILER.size
        self.trailer = unpack_trailer(bytes(source.read(trailer_off, TRAILER.size)))
        index_off, index_len = self.trailer.index_off, self.trailer.index_len
        if index_off + index_len != trailer_off:
            raise StructureError(
                f"index does not end at the trailer, expected {trailer_off}, "
                f"got {index_off + index_len}"
            )
        if verify_sha1:
            computed = source.sha1(trailer_off)
            if computed != self.trailer.sha1:
                raise ChecksumError(
                    f"file sha1 mismatch, stored {self.trailer.sha1.hex()}, "
                    f"computed {computed.hex()}"
                )
        index = bytes(source.read(index_off, index_len))
        header = bytes(source.read(0, HEADER.size))
        self.header = unpack_header(header)
        schema_end = HEADER.size + self.header.schema_len
        if schema_end > index_off:
            raise StructureError(f"schema ends at {schema_end}, after the index at {index_off}")
        schema = bytes(source.read(HEADER.size, self.header.schema_len))
        check_schema(header, schema)
        self.schema, self.names = _parse_schema(schema)
        self.index = unpack_index(index, self.trailer, schema_end)

    @staticmethod
    def open(path: Path, *, verify_sha1: bool, in_memory: bool = False) -> LshdFile:
        """Open a file. Raises OSError, or a child of LshdError that begins with the file's name."""
        source: Source = MemorySource(path) if in_memory else FileSource(path)
        try:
            return LshdFile(source, verify_sha1=verify_sha1)
        except LshdError as error:
            source.close()
            raise type(error)(f"{path.name}: {error}") from error

    def __len__(self) -> int:
        return self.trailer.n_records

    def close(self) -> None:
        """Idempotent."""
        self._source.close()

    def block_header(self, number: int) -> BlockHeader:
        """The header of a block, checked against the index.

        Raises BadMagicError or StructureError.
        """
        entry = self.index[number]
        begin = entry.file_off + BLOCK.size
        after = number + 1
        end = self.index[after].file_off if after < len(self.index) else self.trailer.index_off
        header = unpack_block_header(bytes(self._source.read(entry.file_off, BLOCK.size)))
        if (header.n_rec, header.comp_len) != (entry.n_rec, end - begin):
            raise StructureError(
                f"block {number} differs from the index, expected {entry.n_rec} records in "
                f"{end - begin} bytes, got {header.n_rec} in {header.comp_len}"
            )
        return header

    def compressed(self, number: int, offset: int, length: int) -> bytes | memoryview:
        """A piece of the compressed bytes of a block. Raises TruncatedError."""
        return self._source.read(self.index[number].file_off + BLOCK.size + offset, length)

    def raw_block(self, number: int) -> Iterator[bytes]:
        """The content of a block, read and inflated piece by piece.

        Raises DecodeError, StructureError or TruncatedError.
        """
        header = self.block_header(number)
        offsets = range(0, header.comp_len, INFLATE_READ_BYTES)
        compressed = (
            self.compressed(number, at, min(INFLATE_READ_BYTES, header.comp_len - at))
            for at in offsets
        )
        return inflate(compressed, f"block {number}", header.raw_len)

    def rows(self, number: int, *, check_crc: bool) -> list[Row]:
        """All rows of a block. Raises what `raw_block` and `decode_rows` raise, or ChecksumError."""
        raw = list(self.raw_block(number))
        if check_crc:
            crc = reduce(lambda crc, piece: zlib.crc32(piece, crc), raw, 0)
            expect_crc(f"block {number}", self.block_header(number).crc32, crc)
        return decode_rows(raw, self.index[number].n_rec, len(self.names))

    def record(self, position: int) -> Row:
        """One record by its number: the format has to inflate and decode the block it is in.

        Raises IndexError outside the file, and what `rows` raises.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"no record {position}, the file has {len(self)}")
        number = bisect_right(self.index, position, key=lambda entry: entry.first_rec) - 1
        return self.rows(number, check_crc=True)[position - self.index[number].first_rec]


def _parse_schema(text: bytes) -> tuple[Any, list[str]]:
    try:
        schema = json.loads(text)
        names = [name for name, _ in schema["fields"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DecodeError(f"schema is not the expected json: {error!r}") from error
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise DecodeError("schema does not give each field a name of its own")
    return schema, names
