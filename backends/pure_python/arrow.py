"""Batches in Arrow form, for digests and tests only: nothing on the reading path imports this."""

from __future__ import annotations

from base64 import b64decode

import pyarrow as pa

from firstbyte.api import Unsupported

from .batch import Batch
from .schema import (
    BOOLEAN,
    DOUBLE,
    FIXED_LEN_BYTE_ARRAY,
    FLOAT,
    INT32,
    INT64,
    INT96,
    Leaf,
    Node,
    Struct,
)


def record_batch(nodes: tuple[Node, ...], arrow_schema: bytes, batch: Batch) -> pa.RecordBatch:
    """The batch with the types that the Parquet schema means.

    `arrow_schema` is the file's own note of its Arrow types, as stored; it is asked only for durations,
    which Parquet has no type for. Raises Unsupported.
    """
    hints = _hints(arrow_schema)
    schema = pa.schema([_field(node, hints.get(node.name)) for node in nodes])
    arrays = []
    for field in schema:
        try:
            arrays.append(pa.array(batch.columns[field.name], type=field.type))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise Unsupported(f"column '{field.name}' as Arrow {field.type}: {error}") from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _hints(arrow_schema: bytes) -> dict[str, pa.DataType]:
    """Column name -> Arrow type; nothing where the note is missing or unreadable: it is no data."""
    if not arrow_schema:
        return {}
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(b64decode(arrow_schema)))
        return {field.name: field.type for field in schema}
    except (pa.ArrowInvalid, OSError, ValueError):
        return {}


def _field(node: Node, hint: pa.DataType | None) -> pa.Field:
    return pa.field(node.name, _type(node, hint), nullable=node.nullable)


def _type(node: Node, hint: pa.DataType | None) -> pa.DataType:
    if isinstance(node, Leaf):
        return _leaf_type(node, hint)
    if isinstance(node, Struct):
        return pa.struct([_field(child, _child_hint(hint, child.name)) for child in node.children])
    if node.is_map and isinstance(node.item, Struct):
        key, value = node.item.children
        of_key = of_value = None
        if hint is not None and pa.types.is_map(hint):
            of_key, of_value = hint.key_type, hint.item_type
        value_field = pa.field("value", _type(value, of_value), nullable=value.nullable)
        return pa.map_(_type(key, of_key), value_field)
    return pa.list_(_field(node.item, getattr(hint, "value_type", None)))


def _child_hint(hint: pa.DataType | None, name: str) -> pa.DataType | None:
    if hint is None or not pa.types.is_struct(hint) or hint.get_field_index(name) < 0:
        return None
    return hint.field(name).type


def _leaf_type(leaf: Leaf, hint: pa.DataType | None) -> pa.DataType:
    logical = leaf.logical
    if leaf.physical == INT64 and hint is not None and pa.types.is_duration(hint):
        return hint
    if logical.kind in ("string", "enum", "json"):
        return pa.string()
    if logical.kind == "decimal":
        wide = logical.precision > 38
        return (pa.decimal256 if wide else pa.decimal128)(logical.precision, logical.scale)
    if logical.kind == "date":
        return pa.date32()
    if logical.kind == "time":
        return pa.time32("ms") if logical.unit == "ms" else pa.time64(logical.unit)
    if logical.kind == "timestamp":
        return pa.timestamp(logical.unit, tz="UTC" if logical.utc else None)
    if logical.kind == "integer":
        return getattr(pa, f"{'int' if logical.signed else 'uint'}{logical.bits}")()
    if logical.kind == "float16":
        return pa.float16()
    if logical.kind == "unknown":
        return pa.null()
    if leaf.physical == FIXED_LEN_BYTE_ARRAY:
        return pa.binary(leaf.type_length)
    plain = {
        BOOLEAN: pa.bool_(),
        INT32: pa.int32(),
        INT64: pa.int64(),
        INT96: pa.timestamp("ns"),
        FLOAT: pa.float32(),
        DOUBLE: pa.float64(),
    }
    return plain.get(leaf.physical, pa.binary())
