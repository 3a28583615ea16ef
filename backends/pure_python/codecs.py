"""Decompression of one page body through cramjam, bounded before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable

import cramjam

from firstbyte.api import Unsupported

from .errors import MalformedError

_NAMES = (
    "UNCOMPRESSED",
    "SNAPPY",
    "GZIP",
    "LZO",
    "BROTLI",
    "LZ4 (Hadoop framing)",
    "ZSTD",
    "LZ4_RAW",
)
_LZ4_FRAME_MAGIC = b"\x04\x22\x4d\x18"


def _lz4_of_hadoop(data: bytes, target: bytearray) -> int:
    """The codec LZ4: Hadoop's blocks, or what parquet-cpp wrote under that number, a frame or one block.

    Source: Compression.md of apache/parquet-format, which calls the framing undocumented; Hadoop's
    BlockCompressorStream writes both lengths of a block as big-endian 32-bit integers before it.
    """
    if data[:4] == _LZ4_FRAME_MAGIC:
        return cramjam.lz4.decompress_into(data, target)
    pieces = _hadoop_blocks(data, len(target))
    if pieces is None:
        return cramjam.lz4.decompress_block_into(data, target)
    written = 0
    view = memoryview(target)
    for size, block in pieces:
        found = cramjam.lz4.decompress_block_into(block, view[written : written + size])
        if found != size:
            raise MalformedError(f"an LZ4 block holds {found} bytes, its header claims {size}")
        written += size
    return written


def _hadoop_blocks(data: bytes, total: int) -> list[tuple[int, bytes]] | None:
    """Decompressed size and content of each block; None where the bytes are not so framed."""
    blocks: list[tuple[int, bytes]] = []
    at = found = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8
        if length > len(data) - at or found + size > total:
            return None
        blocks.append((size, data[at : at + length]))
        at += length
        found += size
    return blocks if found == total else None


_DECOMPRESS: dict[int, Callable[[bytes, bytearray], int]] = {
    1: cramjam.snappy.decompress_raw_into,
    2: cramjam.gzip.decompress_into,
    4: cramjam.brotli.decompress_into,
    6: cramjam.zstd.decompress_into,
    5: _lz4_of_hadoop,
    7: cramjam.lz4.decompress_block_into,
}
ALWAYS_ALLOWED_BYTES = 64 * 1024 * 1024
"""A page this large is believed on its own word; a larger one must fit the footer's total."""


def check_codec(codec: int) -> None:
    """Raises Unsupported for a codec that is not read, MalformedError for an unknown number."""
    if codec and codec not in _DECOMPRESS:
        if 0 < codec < len(_NAMES):
            raise Unsupported(f"codec {_NAMES[codec]}")
        raise MalformedError(f"unknown codec {codec}")


def decompress(codec: int, data: bytes, size: int, chunk_size: int) -> bytes:
    """The `size` bytes that `data` holds, for a codec that `check_codec` let pass.

    `chunk_size` is what the footer claims for all pages of the column chunk together.
    Raises MalformedError where `data` does not decompress to exactly `size` bytes.
    """
    if not codec:
        if len(data) != size:
            raise MalformedError(f"the page has {len(data)} bytes, its header claims {size}")
        return data
    if size > max(chunk_size, ALWAYS_ALLOWED_BYTES):
        raise MalformedError(f"a page claims {size} bytes, its column chunk {chunk_size}")
    if not size:
        return b""  # writers store an empty body in different ways, some as no bytes at all
    target = bytearray(size)
    try:
        written = _DECOMPRESS[codec](data, target)
    except cramjam.DecompressionError as error:
        raise MalformedError(f"{_NAMES[codec]} data does not decompress: {error}") from error
    if written != size:
        raise MalformedError(f"{_NAMES[codec]} data holds {written} bytes, expected {size}")
    return bytes(target)
