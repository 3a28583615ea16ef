"""Msgpack records to Python rows. A row is a dict; an int32 array in it is an `array.array`."""

from __future__ import annotations

import gc
import sys
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from typing import Any

import msgpack

from .errors import DecodeError, StructureError
from .format import EXT_INT32_ARRAY

Row = dict[str, Any]

_UNPACK_READ_BYTES = 1 << 20


def unpacker(raw: bytes | None = None) -> Any:
    """An unpacker over all of `raw`, or one to be fed."""
    # Through a file the unpacker holds a window of the block and not a second copy of it.
    stream = None if raw is None else BytesIO(raw)
    return msgpack.Unpacker(
        stream, read_size=_UNPACK_READ_BYTES, max_buffer_size=0, ext_hook=_extension
    )


def decode_rows(raw: bytes, n_rec: int) -> list[Row]:
    """All rows of a block. Raises DecodeError, or StructureError where it holds another number."""
    rows: Any = unpacker(raw)
    try:
        with paused_gc():
            # Not one more: a cut record at the end would be counted as used.
            decoded = list(islice(rows, n_rec))
    except ValueError as error:
        raise DecodeError(f"block does not hold msgpack records: {error}") from error
    check_rows(len(decoded), n_rec, rows.tell(), len(raw))
    return decoded


def check_rows(count: int, n_rec: int, used_bytes: int, raw_len: int) -> None:
    """Raises StructureError where a block was not used up by exactly its records."""
    if (count, used_bytes) != (n_rec, raw_len):
        raise StructureError(
            f"block content differs, expected {n_rec} records in {raw_len} bytes, "
            f"got {count} in {used_bytes}"
        )


def _extension(code: int, data: bytes) -> array[int]:
    if code != EXT_INT32_ARRAY:
        raise DecodeError(f"unknown msgpack extension, expected {EXT_INT32_ARRAY}, got {code}")
    if len(data) % 4:
        raise DecodeError(f"int32 array of {len(data)} bytes, expected a multiple of 4")
    integers = array("i", data)
    if sys.byteorder != "little":
        integers.byteswap()
    return integers


_gc_lock = threading.Lock()
_gc_pauses = 0
_gc_was_enabled = False


@contextmanager
def paused_gc() -> Iterator[None]:
    """Keep the cycle collector from scanning fresh rows again and again; counts across threads."""
    global _gc_pauses, _gc_was_enabled
    with _gc_lock:
        if not _gc_pauses:
            _gc_was_enabled = gc.isenabled()
            gc.disable()
        _gc_pauses += 1
    try:
        yield
    finally:
        with _gc_lock:
            _gc_pauses -= 1
            if not _gc_pauses and _gc_was_enabled:
                gc.enable()
