"""Parquet files written byte by byte: what writers of other times did, and what none should do.

An integer is written as Thrift's i32 unless it is a `Long` or does not fit; a dictionary with field numbers
as keys is a structure. `overrides` replace fields of a structure, and None leaves one out.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)
PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED = 0, 2, 3, 4
RLE_DICTIONARY = 8
UTF8 = 0
"""The older annotation (converted type) of text."""


class Long(int):
    """Written as i64."""


class Byte(int):
    """Written as i8."""


@dataclass(frozen=True)
class TypedList:
    """A list whose element type is said, which matters where it is empty."""

    kind: int
    items: Sequence[Any] = ()


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _value(value: Any) -> tuple[int, bytes]:
    """Wire type and bytes."""
    if isinstance(value, bool):
        return (1 if value else 2), b""
    if isinstance(value, Byte):
        return 3, struct.pack("b", value)
    if isinstance(value, int):
        long = isinstance(value, Long) or not -(2**31) <= value < 2**31
        return (6 if long else 5), varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return 8, varint(len(value)) + value
    if isinstance(value, TypedList):
        return 9, _items(value.kind, value.items)
    if isinstance(value, Mapping):
        return 12, structure(value)
    return 9, _items(_value(value[0])[0] if value else 12, value)


def _items(kind: int, items: Sequence[Any]) -> bytes:
    kind = 2 if kind == 1 else kind
    written = (bytes([1 if item else 2]) if kind == 2 else _value(item)[1] for item in items)
    return bytes([0xF0 | kind]) + varint(len(items)) + b"".join(written)


def structure(fields: Mapping[int, Any]) -> bytes:
    """Thrift's compact protocol."""
    out = b""
    for number, item in sorted(fields.items()):
        if item is not None:
            kind, data = _value(item)
            out += bytes([kind]) + varint(number << 1) + data
    return out + b"\0"


def runs(*pairs: tuple[int, int], width: int = 1) -> bytes:
    """Repeated runs of the hybrid encoding, each a value and how often it comes."""
    size = (width + 7) // 8
    return b"".join(varint(count << 1) + value.to_bytes(size, "little") for value, count in pairs)


def sized(stream: bytes) -> bytes:
    """Levels as a page of version 1 has them: behind their length."""
    return struct.pack("<I", len(stream)) + stream


def plain(values: Sequence[bytes]) -> bytes:
    """Byte arrays, each behind its length."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def page(
    body: bytes,
    count: int,
    *,
    encoding: int = PLAIN,
    levels: int = RLE,
    stored: bytes | None = None,
    overrides: Mapping[int, Any] | None = None,
) -> bytes:
    """A data page of version 1: `body` has levels, then values; `stored` is what a codec made of it."""
    data = {1: count, 2: encoding, 3: levels, 4: levels}
    stored = body if stored is None else stored
    header = {1: 0, 2: len(body), 3: len(stored), 5: data}
    return structure(header | dict(overrides or {})) + stored


def page_v2(
    values: bytes,
    count: int,
    *,
    repetition: bytes = b"",
    definition: bytes = b"",
    nulls: int = 0,
    rows: int | None = None,
    encoding: int = PLAIN,
) -> bytes:
    """A data page of version 2, not compressed."""
    body = repetition + definition + values
    data = {
        1: count,
        2: nulls,
        3: count if rows is None else rows,
        4: encoding,
        5: len(definition),
        6: len(repetition),
        7: False,
    }
    return structure({1: 3, 2: len(body), 3: len(body), 8: data}) + body


def dictionary_page(body: bytes, count: int) -> bytes:
    """Plain values that indices refer to."""
    return structure({1: 2, 2: len(body), 3: len(body), 7: {1: count, 2: PLAIN}}) + body


def leaf(name: str, physical: int, repetition: int = REQUIRED, **more: Any) -> dict[int, Any]:
    """A column. `more`: width, converted, scale, precision, logical."""
    numbers = {"width": 2, "converted": 6, "scale": 7, "precision": 8, "logical": 10}
    return {1: physical, 3: repetition, 4: name} | {numbers[key]: it for key, it in more.items()}


def group(
    name: str, children: int, repetition: int = REQUIRED, converted: int | None = None
) -> dict[int, Any]:
    """A column that is made of others, or the root of all."""
    return {3: repetition, 4: name, 5: children, 6: converted}


def flat_file(column: Mapping[int, Any], pages: Sequence[bytes], count: int, **more: Any) -> bytes:
    """A file of one column in one row group. `more` are fields of its `Chunk`."""
    chunk = Chunk([column[4]], column[1], pages, count, **more)
    return parquet([column], [(count, [chunk])])


@dataclass
class Chunk:
    """A column of a row group: its data pages, and how many values they have."""

    path: Sequence[str]
    physical: int
    pages: Sequence[bytes]
    values: int
    dictionary: bytes = b""
    encodings: Sequence[int] = (PLAIN, RLE, RLE_DICTIONARY)
    statistics: Mapping[int, Any] | None = None
    overrides: Mapping[int, Any] = field(default_factory=dict)
    """Fields of the column's metadata."""
    outer: Mapping[int, Any] = field(default_factory=dict)
    """Fields of the structure around it."""
    index: tuple[Mapping[int, Any], Sequence[int]] | None = None
    """The column index, and the first row of each page."""

    @property
    def data(self) -> bytes:
        """All pages."""
        return self.dictionary + b"".join(self.pages)


TYPE_ORDER = {1: {}}
"""The order of the column's type, as `column_orders` names it."""


def parquet(
    schema: Sequence[Mapping[int, Any]],
    groups: Sequence[tuple[int, Sequence[Chunk]]],
    *,
    orders: Sequence[Any] | None = None,
    overrides: Mapping[int, Any] | None = None,
) -> bytes:
    """A file of these row groups, each with its number of rows. `schema` may leave out its root."""
    has_root = 1 not in schema[0]
    elements = [*schema] if has_root else [group("schema", len(schema)), *schema]
    out = bytearray(b"PAR1")
    written = []
    for rows, chunks in groups:
        columns = [_column(out, chunk) for chunk in chunks]
        written.append(
            {1: columns, 2: Long(sum(len(chunk.data) for chunk in chunks)), 3: Long(rows)}
        )
    for (_, chunks), row_group in zip(groups, written, strict=True):
        for chunk, column in zip(chunks, row_group[1], strict=True):
            _place_index(out, chunk, column)
    footer = {
        1: 1,
        2: elements,
        3: Long(sum(rows for rows, _ in groups)),
        4: written,
        7: None if orders is None else list(orders),
    }
    data = structure(footer | dict(overrides or {}))
    return bytes(out) + data + struct.pack("<I", len(data)) + b"PAR1"


def _column(out: bytearray, chunk: Chunk) -> dict[int, Any]:
    start = len(out)
    out += chunk.data
    size = len(chunk.data)
    metadata = {
        1: chunk.physical,
        2: list(chunk.encodings),
        3: list(chunk.path),
        4: 0,
        5: Long(chunk.values),
        6: Long(size),
        7: Long(size),
        9: Long(start + len(chunk.dictionary)),
        11: Long(start) if chunk.dictionary else None,
        12: chunk.statistics,
    }
    return {2: Long(0), 3: metadata | dict(chunk.overrides)} | dict(chunk.outer)


def _place_index(out: bytearray, chunk: Chunk, column: dict[int, Any]) -> None:
    if chunk.index is None:
        return
    bounds, first_rows = chunk.index
    at, places = int(column[3][9]), []
    for data, row in zip(chunk.pages, first_rows, strict=True):
        places.append({1: Long(at), 2: len(data), 3: Long(row)})
        at += len(data)
    for number, index in ((4, {1: places}), (6, bounds)):
        written = structure(index)
        column |= {number: Long(len(out)), number + 1: len(written)}
        out += written
