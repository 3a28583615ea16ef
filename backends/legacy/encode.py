"""Arrow batches to msgpack records, a column at a time."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack
import pyarrow as pa

from firstbyte.api import Unsupported

from .format import EXT_INT32_ARRAY
from .schema import is_int32_list, normal_type, stored_type

Encode = Callable[[Any], bytes]


class RowEncoder:
    """Turns record batches of one Arrow schema into one msgpack map per row.

    `fields` holds the names and normal types for the file's SCHEMA.
    Raises Unsupported where the schema has a type or names that rows cannot carry.
    """

    def __init__(self, schema: Any) -> None:
        if not len(schema) or len(set(schema.names)) != len(schema):
            raise Unsupported(f"rows are maps: column names must exist and differ: {schema.names}")
        self.fields = [(field.name, normal_type(field.type, field.name)) for field in schema]
        self._stored = [stored_type(kind) for _, kind in self.fields]
        for field, stored in zip(schema, self._stored, strict=True):
            _refuse_uncastable(field, stored)
        self._map_header = msgpack.Packer().pack_map_header(len(schema))
        self._columns = [
            _column_encoder(name, stored)
            for (name, _), stored in zip(self.fields, self._stored, strict=True)
        ]

    def rows(self, batch: Any) -> Iterator[bytes]:
        """The records of a batch, in order."""
        columns = [
            encode(_as_stored(column, stored))
            for encode, column, stored in zip(
                self._columns, batch.columns, self._stored, strict=True
            )
        ]
        return (self._map_header + b"".join(parts) for parts in zip(*columns, strict=True))


def _as_stored(column: Any, stored: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if column.type == stored else column.cast(stored)


def _refuse_uncastable(field: Any, stored: Any) -> None:
    try:
        _as_stored(pa.array([], field.type), stored)
    except pa.ArrowNotImplementedError as error:
        raise Unsupported(f"column '{field.name}': cannot convert {field.type}: {error}") from error


def _column_encoder(name: str, kind: Any) -> Callable[[Any], list[bytes]]:
    """Encodes a column's values, each behind its name: the name is in every record."""
    key: bytes = msgpack.packb(name)
    values = _int32_lists if is_int32_list(kind) else _values(_value_encoder(kind))
    return lambda column: [key + value for value in values(column)]


def _values(encode: Encode) -> Callable[[Any], Iterator[bytes]]:
    return lambda column: map(encode, column.to_pylist())


def _int32_lists(column: Any) -> Iterator[bytes]:
    """The fast way from Arrow's buffers; equal to `_int32_list` on every value."""
    integers = column.values
    if integers.null_count or sys.byteorder != "little":
        yield from map(_int32_list, column.to_pylist())
        return
    pack = msgpack.Packer().pack
    buffer = integers.buffers()[1]
    data = b"" if buffer is None else memoryview(buffer)[4 * integers.offset :]
    offsets: Sequence[int] = column.offsets.to_pylist()
    for row, valid in enumerate(column.is_valid().to_pylist()):
        raw = bytes(data[4 * offsets[row] : 4 * offsets[row + 1]])
        yield pack(msgpack.ExtType(EXT_INT32_ARRAY, raw) if valid else None)


def _int32_list(value: list[Any] | None) -> bytes:
    """An ext 1 of little-endian integers; an ordinary array where one of them is null."""
    if value is None or None in value:
        return bytes(msgpack.packb(value))
    integers = array("i", value)
    if sys.byteorder != "little":
        integers.byteswap()
    return bytes(msgpack.packb(msgpack.ExtType(EXT_INT32_ARRAY, integers.tobytes())))


def _value_encoder(kind: Any) -> Encode:
    """Encodes one Python value of the type, null included."""
    pack: Encode = msgpack.Packer(use_single_float=pa.types.is_float32(kind)).pack
    if is_int32_list(kind):
        return _int32_list
    if not _needs_care(kind):
        return pack
    if pa.types.is_list(kind):
        return _list_encoder(_value_encoder(kind.value_type))
    if pa.types.is_struct(kind):
        return _struct_encoder({field.name: _value_encoder(field.type) for field in kind})
    return pack


def _needs_care(kind: Any) -> bool:
    """Whether msgpack's own choice for the Python value would be another: float 64 or array."""
    if pa.types.is_list(kind):
        return is_int32_list(kind) or _needs_care(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_needs_care(field.type) for field in kind)
    return bool(pa.types.is_float32(kind))


def _list_encoder(item: Encode) -> Encode:
    packer = msgpack.Packer()

    def encode(value: list[Any] | None) -> bytes:
        if value is None:
            return bytes(packer.pack(None))
        return bytes(packer.pack_array_header(len(value))) + b"".join(map(item, value))

    return encode


def _struct_encoder(fields: dict[str, Encode]) -> Encode:
    packer = msgpack.Packer()
    header = bytes(packer.pack_map_header(len(fields)))
    keys = {name: bytes(packer.pack(name)) for name in fields}

    def encode(value: dict[str, Any] | None) -> bytes:
        if value is None:
            return bytes(packer.pack(None))
        return header + b"".join(keys[name] + fields[name](value[name]) for name in fields)

    return encode
