"""Batches in Arrow form, for digests and tests only: nothing on the reading path imports this."""

from __future__ import annotations

import pyarrow as pa

from backends.pure_python.reader import Batch
from backends.pure_python.schema import (
    BOOLEAN,
    DOUBLE,
    FIXED_LEN_BYTE_ARRAY,
    FLOAT,
    INT32,
    INT64,
    INT96,
    Leaf,
    List,
    Node,
    Struct,
)
from harness.api import Unsupported


def record_batch(nodes: tuple[Node, ...], batch: Batch) -> pa.RecordBatch:
    """The batch with the types that the Parquet schema means. Raises Unsupported."""
    schema = pa.schema([_field(node) for node in nodes])
    arrays = []
    for field in schema:
        try:
            arrays.append(pa.array(batch.columns[field.name], type=field.type))
        except (pa.ArrowInvalid, OverflowError) as error:
            raise Unsupported(f"column '{field.name}' as Arrow {field.type}: {error}") from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _field(node: Node, name: str | None = None) -> pa.Field:
    return pa.field(node.name if name is None else name, _type(node), nullable=node.nullable)


def _type(node: Node) -> pa.DataType:
    if isinstance(node, Struct):
        return pa.struct([_field(child) for child in node.children])
    if isinstance(node, List):
        if node.is_map and isinstance(node.item, Struct):
            key, value = node.item.children
            return pa.map_(_type(key), _field(value, "value"))
        return pa.list_(_field(node.item))
    return _leaf_type(node)


def _leaf_type(leaf: Leaf) -> pa.DataType:
    logical = leaf.logical
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
