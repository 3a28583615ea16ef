"""Msgpack records to Python rows. A row is a dict; an int32 array in it is an `array.array`."""

from __future__ import annotations

import gc
import sys
import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import msgpack

from .errors import DecodeError, StructureError
from .format import EXT_INT32_ARRAY

Row = dict[str, Any]


class _Pieces:
    """The file that an unpacker reads: a piece a time, so that it holds a window and no second copy."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._left = iter(pieces)

    def read(self, _size: int) -> bytes:
        return next(self._left, b"")


def unpacker(raw_len: int, pieces: Sequence[bytes] | None = None) -> Any:
    """An unpacker over the pieces of a block of `raw_len` bytes, or one to be fed with them.

    Nothing in the block can have more items or bytes than the block has bytes: what claims more is
    refused before it is allocated.
    """
    bound = max(raw_len, 1)
    return msgpack.Unpacker(
        None if pieces is None else _Pieces(pieces),
        max_buffer_size=0,
        max_array_len=bound,
        max_map_len=bound,
        max_str_len=bound,
        max_bin_len=bound,
        max_ext_len=bound,
        ext_hook=_extension,
    )


@contextmanager
def decoding() -> Iterator[None]:
    """What msgpack raises for damaged records becomes a DecodeError."""
    try:
        yield
    except (ValueError, OverflowError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"block does not hold msgpack records: {error}") from error


def decode_rows(raw: Sequence[bytes], n_rec: int, n_fields: int) -> list[Row]:
    """All rows of a block that came in pieces.

    Raises DecodeError, or StructureError where it does not hold so many rows of so many fields.
    """
    raw_len = sum(map(len, raw))
    rows: Any = unpacker(raw_len, raw)
    with decoding(), paused_gc():
        # Not one more: a cut record at the end would be counted as used.
        decoded = list(islice(rows, n_rec))
    check_rows(len(decoded), n_rec, rows.tell(), raw_len)
    check_shape(decoded, n_fields)
    return decoded


def check_shape(rows: Sequence[Row], n_fields: int) -> None:
    """Raises StructureError for what is no map of so many fields. Their names are looked at when used."""
    if not {*map(type, rows)} <= {dict} or not {*map(len, rows)} <= {n_fields}:
        raise StructureError(f"a record is no map of the schema's {n_fields} fields")


def field_of(row: Row, name: str) -> Any:
    """The value of a field. Raises StructureError where the record lacks it."""
    try:
        return row[name]
    except KeyError:
        raise StructureError(f"a record has no field '{name}', which the schema names") from None


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
