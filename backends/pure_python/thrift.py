"""Thrift compact protocol, read only, driven by a table of the wanted fields.

Source: thrift-compact-protocol.md of Apache Thrift. Fields that the table does not name are skipped
without building anything, so statistics and unknown additions cost little.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from .errors import MalformedError, TruncatedError

TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
MAX_DEPTH = 32
"""Deepest nesting that is followed; the format itself nests seven structs."""

Fields: TypeAlias = dict[str, Any]


class ListOf(NamedTuple):
    """A list whose items are all of one kind."""

    item: Kind


Kind: TypeAlias = "str | ListOf | Mapping[int, tuple[str, Kind]]"
"""`"int"`, `"bool"`, `"bytes"`, `"text"`, a list, or a struct as field id -> (name, kind)."""

Spec: TypeAlias = Mapping[int, tuple[str, Kind]]


def read_struct(data: bytes, position: int, spec: Spec) -> tuple[Fields, int]:
    """The struct at `position` as name -> value for the fields present, and the position after it.

    Raises TruncatedError where the bytes end too early, MalformedError for anything else.
    """
    try:
        return _struct(data, position, spec, 0)
    except IndexError:
        raise TruncatedError("the thrift structure is cut off") from None


def varint(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned LEB128 integer of 64 bits and the position after it. Raises IndexError."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise MalformedError("an integer takes more than ten bytes")


def zigzag(data: bytes, position: int) -> tuple[int, int]:
    """A signed integer in zigzag form and the position after it. Raises IndexError."""
    value, position = varint(data, position)
    return (value >> 1) ^ -(value & 1), position


def _struct(data: bytes, position: int, spec: Spec, depth: int) -> tuple[Fields, int]:
    if depth > MAX_DEPTH:
        raise MalformedError(f"thrift structures nest deeper than {MAX_DEPTH}")
    fields: Fields = {}
    field_id = 0
    while True:
        header = data[position]
        position += 1
        if not header:
            return fields, position
        wire = header & 0x0F
        if header > 0x0F:
            field_id += header >> 4
        else:
            field_id, position = zigzag(data, position)
        wanted = spec.get(field_id)
        if wanted is None:
            if wire > FALSE:  # a boolean field holds its value in the header
                position = _skip(data, position, wire, depth)
            continue
        name, kind = wanted
        if wire <= FALSE:
            if kind != "bool":
                raise _wrong_type(name, kind, wire)
            fields[name] = wire == TRUE
        else:
            fields[name], position = _value(data, position, wire, name, kind, depth)


def _value(
    data: bytes, position: int, wire: int, name: str, kind: Kind, depth: int
) -> tuple[Any, int]:
    if wire <= I64:
        if kind != "int":
            raise _wrong_type(name, kind, wire)
        if wire == I8:
            byte = data[position]
            return byte - 256 if byte > 127 else byte, position + 1
        return zigzag(data, position)
    if wire == BINARY:
        size, position = varint(data, position)
        end = position + size
        if end > len(data):
            raise TruncatedError(f"field {name} is cut off")
        if kind == "text":
            try:
                return data[position:end].decode(), end
            except UnicodeDecodeError:
                raise MalformedError(f"field {name} is not UTF-8") from None
        if kind == "bytes":
            return data[position:end], end
    elif wire == STRUCT and isinstance(kind, Mapping):
        return _struct(data, position, kind, depth + 1)
    elif wire == LIST and isinstance(kind, ListOf):
        return _list(data, position, name, kind.item, depth + 1)
    raise _wrong_type(name, kind, wire)


def _list(data: bytes, position: int, name: str, kind: Kind, depth: int) -> tuple[list[Any], int]:
    size, wire, position = _list_header(data, position)
    items = []
    for _ in range(size):
        if wire <= FALSE:
            raise _wrong_type(name, kind, wire)
        item, position = _value(data, position, wire, name, kind, depth)
        items.append(item)
    return items, position


def _list_header(data: bytes, position: int) -> tuple[int, int, int]:
    header = data[position]
    position += 1
    size = header >> 4
    if size == 15:
        size, position = varint(data, position)
    if size > len(data) - position:  # every item takes a byte at least
        raise TruncatedError("a thrift list is cut off")
    return size, header & 0x0F, position


def _skip(data: bytes, position: int, wire: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise MalformedError(f"thrift structures nest deeper than {MAX_DEPTH}")
    if I16 <= wire <= I64:
        while data[position] > 0x7F:
            position += 1
        return position + 1
    if wire <= I8:  # as an item of a list or map, a boolean takes a byte of its own
        return position + 1
    if wire == DOUBLE:
        return position + 8
    if wire == UUID:
        return position + 16
    if wire == BINARY:
        size, position = varint(data, position)
        if size > len(data) - position:
            raise TruncatedError("a thrift string is cut off")
        return position + size
    if wire == STRUCT:
        return _struct(data, position, {}, depth + 1)[1]
    if wire in (LIST, SET):
        size, item, position = _list_header(data, position)
        for _ in range(size):
            position = _skip(data, position, item, depth + 1)
        return position
    if wire == MAP:
        size, position = varint(data, position)
        if size > len(data) - position:
            raise TruncatedError("a thrift map is cut off")
        if size:
            kinds = data[position]
            position += 1
            for _ in range(size):
                position = _skip(data, position, kinds >> 4, depth + 1)
                position = _skip(data, position, kinds & 0x0F, depth + 1)
        return position
    raise MalformedError(f"unknown thrift type {wire}")


def _wrong_type(name: str, kind: Kind, wire: int) -> MalformedError:
    expected = kind if isinstance(kind, str) else "list" if isinstance(kind, ListOf) else "struct"
    return MalformedError(f"field {name} has thrift type {wire}, expected {expected}")
