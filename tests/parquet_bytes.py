"""Parquet files written byte by byte: old forms that today's writers avoid, and forgeries."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

INT32, BYTE_ARRAY = 1, 6
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2
PLAIN, RLE, BIT_PACKED = 0, 3, 4


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class Long(int):
    """An integer that the format declares as i64: strict readers pass over one of another type."""


def thrift(value: Any) -> tuple[int, bytes]:
    """Wire type and bytes: int as i32, Long as i64, bool, str or bytes, list, dict of field id -> value."""
    if isinstance(value, bool):
        return (1 if value else 2), b""
    if isinstance(value, int):
        long = isinstance(value, Long) or not -(2**31) <= value < 2**31
        return (6 if long else 5), varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if isinstance(value, str):
        return thrift(value.encode())
    if isinstance(value, bytes):
        return 8, varint(len(value)) + value
    if isinstance(value, list):
        items = [thrift(item) for item in value]
        kind = items[0][0] if items else 12
        return 9, bytes([0xF0 | kind]) + varint(len(items)) + b"".join(item for _, item in items)
    out = b""
    for field, item in value.items():
        kind, data = thrift(item)
        out += bytes([kind]) + varint(field << 1) + data
    return 12, out + b"\0"


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def levels(*values: int, width: int = 1) -> bytes:
    """Version 1 levels: four bytes of length, then one run per value."""
    runs = b"".join(varint(1 << 1) + bytes([value]) for value in values)
    assert width <= 8
    return struct.pack("<I", len(runs)) + runs


def page(body: bytes, count: int, *, encoding: int = PLAIN, **changes: Any) -> bytes:
    """A data page of version 1. `changes` replace header fields: sizes, `crc`, `kind`, `level_encoding`."""
    level_encoding = changes.get("level_encoding", RLE)
    header = {
        1: changes.get("kind", 0),
        2: changes.get("uncompressed_size", len(body)),
        3: changes.get("compressed_size", len(body)),
        5: {1: count, 2: encoding, 3: level_encoding, 4: level_encoding},
    }
    if "crc" in changes:
        header[4] = changes["crc"]
    return thrift(header)[1] + body


def dictionary_page(body: bytes, count: int, encoding: int = PLAIN) -> bytes:
    return thrift({1: 2, 2: len(body), 3: len(body), 7: {1: count, 2: encoding}})[1] + body


def leaf(name: str, physical: int = INT32, repetition: int = REQUIRED, **extra: int) -> Any:
    fields = {1: physical, 3: repetition, 4: name}
    return fields | {6: extra["converted"]} if "converted" in extra else fields


def group(
    name: str, children: int, repetition: int = REQUIRED, converted: int | None = None
) -> Any:
    fields = {3: repetition, 4: name, 5: children}
    return fields if converted is None else fields | {6: converted}


def parquet(
    path: Path,
    chunks: dict[str, bytes],
    *,
    rows: int,
    values: int | None = None,
    schema: list[Any] | None = None,
    edit: Callable[[dict[int, Any]], object] | None = None,
) -> Path:
    """A file of one row group; `chunks` maps the dotted path of a leaf to its pages."""
    body = b"PAR1"
    columns = []
    for name, pages in chunks.items():
        columns.append(
            {
                2: Long(0),
                3: {
                    1: INT32,
                    2: [PLAIN],
                    3: name.split("."),
                    4: 0,
                    5: Long(rows if values is None else values),
                    6: Long(len(pages)),
                    7: Long(len(pages)),
                    9: Long(len(body)),
                },
            }
        )
        body += pages
    elements = schema or [leaf(name) for name in chunks]
    roots = group("root", sum(1 for _ in chunks) if schema is None else 1)
    footer = {
        1: 1,
        2: [roots, *elements],
        3: Long(rows),
        4: [{1: columns, 2: Long(0), 3: Long(rows)}],
    }
    if edit is not None:
        edit(footer)
    data = thrift(footer)[1]
    path.write_bytes(body + data + struct.pack("<I", len(data)) + b"PAR1")
    return path


def page_v2(body: bytes, count: int, *, definition: bytes = b"", **header: Any) -> bytes:
    """A data page of version 2 whose values are PLAIN; `header` replaces fields by name."""
    fields = {
        1: count,
        2: header.get("nulls", 0),
        3: header.get("rows", count),
        4: header.get("encoding", PLAIN),
        5: len(definition),
        6: 0,
        7: header.get("is_compressed", False),
    }
    size = len(definition) + header.get("size", len(body))
    return thrift({1: 3, 2: size, 3: len(definition) + len(body), 8: fields})[1] + definition + body
