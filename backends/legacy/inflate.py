"""zlib streams of a stated length: what would inflate to more is damage, and is not inflated further."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from .errors import DecodeError, StructureError

PIECE_BYTES = 256 << 10
"""The most that is inflated at a time."""


def inflate(compressed: Iterable[bytes | memoryview], part: str, raw_bytes: int) -> Iterator[bytes]:
    """The content of the stream in pieces; all of them are exactly `raw_bytes`.

    Raises DecodeError where it is no such stream and StructureError where its length is another; both
    name the part. The exception comes after the pieces that could be had.
    """
    stream = zlib.decompressobj()
    left = raw_bytes
    for fed in compressed:
        rest: bytes | memoryview = fed
        while True:
            try:
                raw = stream.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise DecodeError(f"{part} does not inflate: {error}") from error
            left -= len(raw)
            if left < 0:
                raise StructureError(f"{part} length differs, expected {raw_bytes}, got more")
            if raw:
                yield raw
            rest = stream.unconsumed_tail
            if not rest and len(raw) < PIECE_BYTES:
                break
        if stream.unused_data:
            raise StructureError(f"{part} goes on behind its stream")
    if left or not stream.eof:
        raise StructureError(f"{part} length differs, expected {raw_bytes}, got {raw_bytes - left}")
