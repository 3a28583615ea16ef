"""Values of any reader in one form, whose equality is that of what is stored.

Numbers are ints; floats their exact text, so that zeros differ in sign and a NaN is itself. Dates, times and
timestamps are nanoseconds; durations and timestamps in seconds are what is stored, as Parquet has no types
for them. Records are tuples of their fields' values, lists and maps are lists (of pairs). Text is its bytes,
as readers differ in what they call text. A column is a list of these, None for null.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pyarrow as pa

from firstbyte.corpora.digest import is_list

Values = list[Any]
Columns = dict[str, Values]
NS_PER = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY_NS = 86_400 * 10**9


def columns(table: pa.Table | pa.RecordBatch) -> Columns:
    """The columns of a table by name; of two with one name the second is numbered."""
    found: Columns = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        while name in found:
            name += "'"
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        found[name] = [value for chunk in chunks for value in values(chunk)]
    return found


def values(array: pa.Array) -> Values:
    """The values of one array."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return values(array.storage)
    if pa.types.is_dictionary(kind):
        return values(array.dictionary_decode())
    if pa.types.is_struct(kind):
        fields = [values(child) for child in array.flatten()]
        rows = zip(*fields, strict=True) if fields else (() for _ in range(len(array)))
        return _with_nulls(array, rows)
    if pa.types.is_map(kind):
        return _map(array)
    if is_list(kind):
        return _lists(array)
    scalar = _scalar(kind)
    if scalar is None:
        return array.to_pylist()
    unit, convert = scalar
    if unit is not None:
        array = array.cast(unit)
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _lists(array: pa.Array) -> Values:
    inner = values(array.flatten())
    at, rows = 0, []
    for length in array.value_lengths().to_pylist():
        if length is None:
            rows.append(None)
            continue
        rows.append(inner[at : at + length])
        at += length
    return rows


def _map(array: pa.Array) -> Values:
    # Unlike a list's, these know nothing of the slice that an array is.
    pairs = list(zip(values(array.keys), values(array.items), strict=True))
    return _with_nulls(
        array, (pairs[start:end] for start, end in pairwise(array.offsets.to_pylist()))
    )


def _with_nulls(array: pa.Array, rows: Any) -> Values:
    if not array.null_count:
        return list(rows)
    return [
        row if valid else None
        for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


Conversion = tuple[pa.DataType | None, Callable[[Any], Any]]


def _scalar(kind: pa.DataType) -> Conversion | None:
    """What an array is cast to before its values are taken, and what becomes of each."""
    is_ = pa.types
    if is_.is_floating(kind):
        return (None if is_.is_float64(kind) else pa.float64()), float_text
    if is_.is_date32(kind):
        return pa.int32(), DAY_NS.__mul__
    if is_.is_date64(kind):
        return pa.int64(), NS_PER["ms"].__mul__
    if is_.is_time32(kind):
        return pa.int32(), NS_PER[kind.unit].__mul__
    if is_.is_duration(kind) or (is_.is_timestamp(kind) and kind.unit == "s"):
        return pa.int64(), int
    if is_.is_time64(kind) or is_.is_timestamp(kind):
        return pa.int64(), NS_PER[kind.unit].__mul__
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind):
        return None, str.encode
    return None


def float_text(value: float) -> str:
    """Exact; the same for all NaNs."""
    return float(value).hex()
