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
_DECOMPRESS: dict[int, Callable[[bytes, bytearray], int]] = {
    1: cramjam.snappy.decompress_raw_into,
    2: cramjam.gzip.decompress_into,
    4: cramjam.brotli.decompress_into,
    6: cramjam.zstd.decompress_into,
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
