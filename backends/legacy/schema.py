"""Which Arrow types a shard can hold, how the SCHEMA text names them, and how rows store them.

| Arrow | SCHEMA | stored as |
|---|---|---|
| null, bool, integers, float32, float64 | the type's name | nil, bool, int, float 32, float 64 |
| string (any layout), binary (any layout) | "string", "binary" | str, bin |
| date, time, timestamp, duration | {"date": ...}, {"time": ...} and so on | int, as Arrow counts |
| list (any layout) | {"list": type} | array; int32 without nulls: ext 1 |
| struct | {"struct": [[name, type], ...]} | map |
| dictionary | the type of its values | the value |

Everything else is refused. Only preparation and digests use this module: it needs pyarrow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from firstbyte.api import Unsupported

from .errors import DecodeError

_PLAIN: dict[str, Any] = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
}
_PLAIN_NAMES = {kind: name for name, kind in _PLAIN.items()}


def schema_text(fields: Sequence[tuple[str, Any]]) -> bytes:
    """The SCHEMA part for columns of these names and (normal) Arrow types."""
    described = {"fields": [[name, _describe(kind)] for name, kind in fields]}
    return json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()


def arrow_fields(schema: object) -> list[tuple[str, Any]]:
    """Names and Arrow types from the parsed SCHEMA part. Raises DecodeError."""
    try:
        return [(str(name), _parse(kind)) for name, kind in schema["fields"]]  # type: ignore[index]
    except (KeyError, TypeError, ValueError, RecursionError, pa.ArrowException) as error:
        raise DecodeError(f"schema is not one of lshd: {error!r}") from error


def normal_type(kind: Any, column: str) -> Any:
    """The one layout per meaning that shards know: `large_string` becomes `string`, and so on.

    Raises Unsupported with the column's and the type's name for what rows cannot carry losslessly.
    """
    is_ = pa.types
    if kind in _PLAIN_NAMES:
        return kind
    if is_.is_large_string(kind) or is_.is_string_view(kind):
        return pa.string()
    if is_.is_large_binary(kind) or is_.is_binary_view(kind) or is_.is_fixed_size_binary(kind):
        return pa.binary()
    if is_.is_dictionary(kind):
        return normal_type(kind.value_type, column)
    if is_.is_date(kind) or is_.is_time(kind) or is_.is_timestamp(kind) or is_.is_duration(kind):
        return kind
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        return pa.list_(normal_type(kind.value_type, column))
    if is_.is_struct(kind):
        names = [field.name for field in kind]
        if len(set(names)) != len(names):
            raise Unsupported(f"column '{column}': {kind} repeats a field name; rows are maps")
        return pa.struct([(field.name, normal_type(field.type, column)) for field in kind])
    raise Unsupported(f"column '{column}': msgpack rows cannot carry {kind} without loss")


def stored_type(kind: Any) -> Any:
    """The type of what is in the rows: dates and times are integers there."""
    is_ = pa.types
    if is_.is_date32(kind) or is_.is_time32(kind):
        return pa.int32()
    if is_.is_temporal(kind):
        return pa.int64()
    if is_.is_list(kind):
        return pa.list_(stored_type(kind.value_type))
    if is_.is_struct(kind):
        return pa.struct([(field.name, stored_type(field.type)) for field in kind])
    return kind


def is_int32_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) and pa.types.is_int32(kind.value_type))


def _describe(kind: Any) -> Any:
    is_ = pa.types
    if kind in _PLAIN_NAMES:
        return _PLAIN_NAMES[kind]
    if is_.is_list(kind):
        return {"list": _describe(kind.value_type)}
    if is_.is_struct(kind):
        return {"struct": [[field.name, _describe(field.type)] for field in kind]}
    if is_.is_date(kind):
        return {"date": "day" if is_.is_date32(kind) else "ms"}
    if is_.is_timestamp(kind):
        return {"timestamp": kind.unit, "tz": kind.tz}
    return {"time" if is_.is_time(kind) else "duration": kind.unit}


def _parse(described: Any) -> Any:
    match described:
        case str():
            return _PLAIN[described]
        case {"list": item}:
            return pa.list_(_parse(item))
        case {"struct": fields}:
            return pa.struct([(name, _parse(kind)) for name, kind in fields])
        case {"date": unit}:
            return {"day": pa.date32(), "ms": pa.date64()}[unit]
        case {"time": unit}:
            return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        case {"timestamp": unit, "tz": tz}:
            return pa.timestamp(unit, tz)
        case {"duration": unit}:
            return pa.duration(unit)
    raise ValueError(f"unknown type {described!r}")
