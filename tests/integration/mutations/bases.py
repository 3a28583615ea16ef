"""The sound files that mutants are made of: every encoding, codec and page version, kept small."""

from __future__ import annotations

import datetime
import decimal
import random
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 240
CODECS = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")
PAGE_VERSIONS = ("1.0", "2.0")
LARGE_PAGES = {"row_group_size": ROWS, "data_page_size": 540 << 10, "use_dictionary": False}
"""Pages of zstd above 512 KiB, whose rows are counted from their first blocks where they are passed over."""


def base_files() -> list[tuple[str, bytes]]:
    """Name and bytes of each file, the same in every process with the same pyarrow."""
    return [
        (f"{content}-{codec}-v{version[0]}", _write(table, options, codec, version))
        for content, table, options in _contents()
        for codec in CODECS
        for version in PAGE_VERSIONS
    ] + [("long-lists-zstd-v1", _write(_long_lists(), LARGE_PAGES, "zstd", "1.0"))]


def _write(table: pa.Table, options: dict[str, Any], codec: str, version: str) -> bytes:
    sink = pa.BufferOutputStream()
    defaults = {"row_group_size": 100, "data_page_size": 256, "write_batch_size": 32}
    pq.write_table(
        table, sink, compression=codec, data_page_version=version, **(defaults | options)
    )
    return bytes(sink.getvalue())


def _contents() -> Iterator[tuple[str, pa.Table, dict[str, Any]]]:
    """What is in a file, and how pyarrow is told to encode it."""
    yield "plain", _flat(), {"use_dictionary": False}
    yield "dictionary", _flat(), {"use_dictionary": True, "write_page_index": True}
    yield "one-page", _flat(), {"row_group_size": ROWS, "data_page_size": 1 << 20}
    yield "checksums", _few(), {"write_page_checksum": True}
    yield (
        "delta",
        _few(),
        {
            "use_dictionary": False,
            "write_page_index": True,
            "column_encoding": {
                "integer": "DELTA_BINARY_PACKED",
                "small": "DELTA_BINARY_PACKED",
                "text": "DELTA_BYTE_ARRAY",
                "bytes": "DELTA_LENGTH_BYTE_ARRAY",
                "fixed": "DELTA_BYTE_ARRAY",
                "flag": "RLE",
            },
        },
    )
    yield (
        "split",
        _split(),
        {
            "use_dictionary": False,
            "column_encoding": dict.fromkeys(_split().column_names, "BYTE_STREAM_SPLIT"),
        },
    )
    yield "nested", _nested(), {"write_page_index": True}
    yield "stored-types", _stored_types(), {"store_schema": True}
    yield "lists", _lists(), {"store_schema": True, "dictionary_pagesize_limit": 64}


def _few() -> pa.Table:
    draw = random.Random(1)
    return pa.table(
        {
            "integer": pa.array([draw.randrange(-(2**40), 2**40) for _ in range(ROWS)], pa.int64()),
            "small": pa.array([None if i % 7 == 0 else i for i in range(ROWS)], pa.int32()),
            "text": [None if i % 5 == 0 else f"row {i // 3} ünï" for i in range(ROWS)],
            "bytes": pa.array([draw.randbytes(i % 6) for i in range(ROWS)], pa.binary()),
            "fixed": pa.array([struct.pack(">q", i) for i in range(ROWS)], pa.binary(8)),
            "flag": [i % 3 == 0 for i in range(ROWS)],
        }
    )


def _flat() -> pa.Table:
    noon = datetime.datetime(2024, 2, 29, 12)
    more = pa.table(
        {
            "double": [None if i % 11 == 0 else i / 3 for i in range(ROWS)],
            "half": pa.array([float(i) for i in range(ROWS)], pa.float16()),
            "price": pa.array([decimal.Decimal(i) / 4 for i in range(ROWS)], pa.decimal128(20, 2)),
            "time": pa.array([noon + datetime.timedelta(seconds=i) for i in range(ROWS)]),
            "byte": pa.array([i % 100 for i in range(ROWS)], pa.uint8()),
        }
    )
    return pa.table(dict(zip(_few().column_names, _few().columns, strict=True)) | _columns(more))


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _split() -> pa.Table:
    return pa.table(
        {
            "float": pa.array([i / 7 for i in range(ROWS)], pa.float32()),
            "double": pa.array([None if i % 4 == 0 else i * 1e9 for i in range(ROWS)]),
            "integer": pa.array([i * i for i in range(ROWS)], pa.int32()),
            "long": pa.array([-i for i in range(ROWS)], pa.int64()),
            "fixed": pa.array([bytes([i % 256] * 5) for i in range(ROWS)], pa.binary(5)),
        }
    )


def _lists() -> pa.Table:
    words = [None if i % 9 == 0 else f"word {i % 40}" for i in range(ROWS)]
    return pa.table(
        {
            "strings": pa.array(
                [None if i % 7 == 0 else words[i : i + i % 4] for i in range(ROWS)],
                pa.list_(pa.string()),
            ),
            "numbers": pa.array(
                [[None if j == 2 else i / (j + 1) for j in range(i % 5)] for i in range(ROWS)],
                pa.list_(pa.float32()),
            ),
            "tag": pa.array(words).cast(pa.dictionary(pa.int8(), pa.string())),
            "word": pa.array(words).cast(pa.dictionary(pa.int16(), pa.string())),
        }
    )


def _long_lists() -> pa.Table:
    lists = [[i] * (600 + i % 7) for i in range(ROWS)]
    return pa.table({"numbers": pa.array(lists, pa.list_(pa.int64())), "id": list(range(ROWS))})


def _nested() -> pa.Table:
    inner = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])
    return pa.table(
        {
            "list": pa.array(
                [None if i % 6 == 0 else list(range(i % 4)) for i in range(ROWS)],
                pa.list_(pa.int64()),
            ),
            "records": pa.array(
                [
                    [{"a": j if j else None, "b": [f"t{i % 9}"] * j} for j in range(i % 3)]
                    for i in range(ROWS)
                ],
                pa.list_(inner),
            ),
            "record": pa.array(
                [None if i % 8 == 0 else {"a": i, "b": None} for i in range(ROWS)], inner
            ),
            "map": pa.array(
                [[(f"k{j}", j) for j in range(i % 3)] for i in range(ROWS)],
                pa.map_(pa.string(), pa.int32()),
            ),
            "id": list(range(ROWS)),
        }
    )


def _stored_types() -> pa.Table:
    """Types that only the Arrow schema in the footer's key-value metadata tells apart."""
    texts = [None if i % 5 == 0 else f"word {i % 13}" for i in range(ROWS)]
    return pa.table(
        {
            "large": pa.array(texts, pa.large_string()),
            "view": pa.array(texts, pa.string_view()),
            "coded": pa.array(texts).dictionary_encode(),
            "large_list": pa.array([[i] * (i % 3) for i in range(ROWS)], pa.large_list(pa.int32())),
            "pair": pa.array([[i, -i] for i in range(ROWS)], pa.list_(pa.int16(), 2)),
            "zoned": pa.array(range(ROWS), pa.timestamp("us", tz="Europe/Paris")),
            "span": pa.array(range(ROWS), pa.duration("ms")),
            "nothing": pa.nulls(ROWS),
        }
    )
