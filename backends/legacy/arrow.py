"""Rows to Arrow, for digests only."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from .errors import StructureError
from .rows import Row, field_of
from .schema import arrow_fields, stored_type


def record_batch(rows: Sequence[Row], schema: object, columns: Sequence[str]) -> pa.RecordBatch:
    """The chosen columns of the rows with the types that the file's SCHEMA names.

    Raises DecodeError for a bad schema and StructureError for rows unlike it.
    """
    kinds = dict(arrow_fields(schema))
    arrays = []
    for name in columns:
        stored = stored_type(kinds[name])
        values = [_plain(field_of(row, name)) for row in rows]
        try:
            array = pa.array(values, stored)
            arrays.append(array if stored == kinds[name] else array.cast(kinds[name]))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise StructureError(f"field '{name}' is not {kinds[name]}: {error}") from error
    return pa.RecordBatch.from_arrays(
        arrays, schema=pa.schema([(name, kinds[name]) for name in columns])
    )


def _plain(value: Any) -> Any:
    """The value with ordinary lists for int32 arrays, at any depth."""
    if isinstance(value, array):
        return value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
