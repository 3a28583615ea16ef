"""The fixed-size parts of an LSHD v2 file: structs, constants and their checks. See FORMAT.md."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import msgpack

from .errors import (
    BadMagicError,
    ChecksumError,
    DecodeError,
    FlagsError,
    PickleRefusedError,
    StructureError,
    VersionError,
)

VERSION = 2
FLAG_PICKLE = 1
ZLIB_LEVEL = 6
EXT_INT32_ARRAY = 1
BLOCK_TARGET_BYTES = 64 << 20
MAX_RAW_BYTES = (1 << 32) - 1

HEADER = struct.Struct("<4sHHIIQII")
BLOCK = struct.Struct("<4sIIII")
TRAILER = struct.Struct("<QIQ20sII12s4s")

HEADER_MAGIC = b"LSHD"
BLOCK_MAGIC = b"BLK1"
TRAILER_MAGIC = b"LSHE"

_INDEX_OVERHEAD_BYTES = 5
_INDEX_ENTRY_BYTES = 1 + 3 * 9
"""The most that msgpack takes for the index, and for the three integers of each block."""
_HEADER_CRC_AT = 28
_TRAILER_CRC_AT = 44


@dataclass(frozen=True, slots=True)
class Header:
    """The first 32 bytes. `schema_len` is the length of the JSON text that follows."""

    schema_len: int
    block_target: int
    created_unix: int

    def pack(self, schema: bytes) -> bytes:
        fields = (HEADER_MAGIC, VERSION, 0, len(schema), self.block_target, self.created_unix, 0)
        head = HEADER.pack(*fields, 0)[:_HEADER_CRC_AT]
        return HEADER.pack(*fields, zlib.crc32(schema, zlib.crc32(head)))


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The 20 bytes before the compressed rows of a block."""

    n_rec: int
    raw_len: int
    comp_len: int
    crc32: int

    def pack(self) -> bytes:
        return BLOCK.pack(BLOCK_MAGIC, self.n_rec, self.raw_len, self.comp_len, self.crc32)


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """Where the index says that a block is and which records it holds."""

    file_off: int
    n_rec: int
    first_rec: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """The last 64 bytes. `sha1` covers everything before the trailer."""

    index_off: int
    index_len: int
    n_records: int
    sha1: bytes
    n_blocks: int

    def pack(self) -> bytes:
        fields = (self.index_off, self.index_len, self.n_records, self.sha1, self.n_blocks)
        head = TRAILER.pack(*fields, 0, b"", TRAILER_MAGIC)[:_TRAILER_CRC_AT]
        return TRAILER.pack(*fields, zlib.crc32(head), bytes(12), TRAILER_MAGIC)


def unpack_header(data: bytes) -> Header:
    """The header from its 32 bytes; `check_schema` completes the checks.

    Raises BadMagicError, VersionError, FlagsError, PickleRefusedError or StructureError.
    """
    magic, version, flags, schema_len, target, created, reserved, _ = HEADER.unpack(data)
    _expect_magic("header", HEADER_MAGIC, magic)
    if version != VERSION:
        raise VersionError(f"unknown version, expected {VERSION}, got {version}")
    if flags & ~FLAG_PICKLE:
        raise FlagsError(f"unknown flags, expected 0, got {flags:#06x}")
    if flags & FLAG_PICKLE:
        raise PickleRefusedError("pickled rows refused, expected flags 0 (msgpack), got 1 (pickle)")
    if reserved:
        raise StructureError(f"reserved header field is not zero, expected 0, got {reserved}")
    return Header(schema_len, target, created)


def check_schema(header: bytes, schema: bytes) -> None:
    """Compare the header's checksum, which covers the schema too. Raises ChecksumError."""
    stored = HEADER.unpack(header)[-1]
    expect_crc("header and schema", stored, zlib.crc32(schema, zlib.crc32(header[:_HEADER_CRC_AT])))


def unpack_block_header(data: bytes) -> BlockHeader:
    """The block header from its 20 bytes. Raises BadMagicError."""
    magic, n_rec, raw_len, comp_len, crc32 = BLOCK.unpack(data)
    _expect_magic("block", BLOCK_MAGIC, magic)
    return BlockHeader(n_rec, raw_len, comp_len, crc32)


def unpack_trailer(data: bytes) -> Trailer:
    """The trailer from its 64 bytes. Raises BadMagicError, ChecksumError or StructureError."""
    index_off, index_len, n_records, sha1, n_blocks, crc32, zeros, magic = TRAILER.unpack(data)
    _expect_magic("trailer", TRAILER_MAGIC, magic)
    expect_crc("trailer", crc32, zlib.crc32(data[:_TRAILER_CRC_AT]))
    if any(zeros):
        raise StructureError(f"reserved trailer bytes are not zero, got {zeros.hex()}")
    return Trailer(index_off, index_len, n_records, sha1, n_blocks)


def pack_index(entries: list[BlockEntry]) -> bytes:
    rows = [[entry.file_off, entry.n_rec, entry.first_rec] for entry in entries]
    return zlib.compress(msgpack.packb(rows), ZLIB_LEVEL)


def unpack_index(data: bytes, trailer: Trailer, first_block_off: int) -> list[BlockEntry]:
    """The index, checked against the trailer: blocks in file order, records without a gap.

    `first_block_off` is where the schema ends. Raises DecodeError or StructureError.
    """
    if trailer.n_blocks > trailer.index_off // BLOCK.size:
        raise StructureError(f"{trailer.n_blocks} blocks do not fit {trailer.index_off} bytes")
    rows = _index_rows(data, _INDEX_OVERHEAD_BYTES + _INDEX_ENTRY_BYTES * trailer.n_blocks)
    entries = [BlockEntry(*row) for row in rows]
    if len(entries) != trailer.n_blocks:
        raise StructureError(f"block count differs, trailer {trailer.n_blocks}, index {len(rows)}")
    record, offset = 0, first_block_off
    for number, entry in enumerate(entries):
        if entry.first_rec != record or entry.n_rec < 1:
            raise StructureError(
                f"block {number}: expected first record {record} and a positive count, "
                f"got {entry.first_rec} and {entry.n_rec}"
            )
        if entry.file_off < offset or (number == 0 and entry.file_off != offset):
            raise StructureError(
                f"block {number}: expected offset {offset}{' or more' if number else ''}, "
                f"got {entry.file_off}"
            )
        record += entry.n_rec
        offset = entry.file_off + BLOCK.size
    if record != trailer.n_records:
        raise StructureError(f"record count differs, trailer {trailer.n_records}, index {record}")
    if offset > trailer.index_off:
        raise StructureError(f"last block ends after the index begins at {trailer.index_off}")
    return entries


def _index_rows(data: bytes, most_bytes: int) -> list[list[int]]:
    """The index as stored: three integers a block. Raises DecodeError or StructureError."""
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, most_bytes)
        if not stream.eof:
            raise StructureError(f"index inflates to more than {most_bytes} bytes, or is cut off")
        rows: Any = msgpack.unpackb(raw)
    except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DecodeError(f"index is not a zlib-compressed msgpack table: {error}") from error
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) == 3 and all(type(cell) is int for cell in row)
        for row in rows
    ):
        raise DecodeError("index is not a table of three integers a block")
    return rows


def expect_crc(part: str, stored: int, computed: int) -> None:
    """Raises ChecksumError where the two differ."""
    if stored != computed:
        raise ChecksumError(
            f"{part} crc32 mismatch, stored {stored:#010x}, computed {computed:#010x}"
        )


def _expect_magic(part: str, expected: bytes, got: bytes) -> None:
    if got != expected:
        raise BadMagicError(f"bad {part} magic, expected {expected!r}, got {got!r}")
