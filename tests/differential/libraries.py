"""Files that other libraries write: tables drawn at random, each library with all its options."""

from __future__ import annotations

import datetime
import decimal
import functools
import io
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .canonical import DAY_NS, NS_PER
from .leaves import WORDS

Draw = Callable[[random.Random], Any]
DEEPEST = 3
TINY_PAGES = (1, 64, 256, 1024, 1 << 20)


def _ints(low: int, high: int) -> Draw:
    def one(draw: random.Random) -> int:
        return draw.choice((low, high, draw.randint(low, high), draw.randrange(100)))

    return lambda draw: min(max(one(draw), low), high)


def _real(draw: random.Random) -> float:
    special = (0.0, -0.0, float("inf"), float("-inf"), float("nan"))
    return draw.choice(special) if draw.random() < 0.2 else draw.uniform(-1e3, 1e3)


def _word(draw: random.Random) -> str:
    return draw.choice(WORDS) + draw.choice(("", str(draw.randrange(40))))


def _decimal(draw: random.Random, widest: int) -> tuple[pa.DataType, Draw]:
    precision = draw.randint(1, widest)
    scale = draw.randint(0, precision)
    make = pa.decimal128 if precision <= 38 else pa.decimal256
    limit = 10**precision - 1
    context = decimal.Context(prec=100)
    return make(precision, scale), lambda draw: decimal.Decimal(
        draw.choice((0, limit, -limit, draw.randint(-limit, limit)))
    ).scaleb(-scale, context)


def _moment(draw: random.Random, zones: Sequence[str | None]) -> tuple[pa.DataType, Draw]:
    unit = draw.choice(("s", "ms", "us", "ns"))
    ticks = 10**9 // NS_PER[unit]
    kind = pa.timestamp(unit, draw.choice(zones))
    return kind, lambda draw: draw.randrange(-(10**9) * ticks, 4 * 10**9 * ticks)


def _scalars(draw: random.Random, exotic: bool) -> tuple[pa.DataType, Draw]:
    """A type without parts, and values of it. `exotic`: also what only some writers take."""
    bits = draw.choice((8, 16, 32, 64))
    plain: list[Callable[[], tuple[pa.DataType, Draw]]] = [
        lambda: (pa.bool_(), lambda draw: draw.random() < 0.5),
        lambda: (getattr(pa, f"int{bits}")(), _ints(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)),
        lambda: (getattr(pa, f"uint{bits}")(), _ints(0, 2**bits - 1)),
        lambda: (pa.float32(), _real),
        lambda: (pa.float64(), _real),
        lambda: (pa.string(), _word),
        lambda: (pa.string(), _word),
        lambda: (pa.binary(), lambda draw: draw.randbytes(draw.randrange(6))),
        lambda: (pa.date32(), _ints(-50_000, 50_000)),
        lambda: _decimal(draw, 38),
        lambda: _moment(draw, (None, "UTC")),
        lambda: (pa.time64("us"), _ints(0, DAY_NS // 1000 - 1)),
    ]
    more: list[Callable[[], tuple[pa.DataType, Draw]]] = [
        lambda: (pa.float16(), lambda draw: float(draw.randrange(-500, 500))),
        lambda: (pa.large_string(), _word),
        lambda: (pa.string_view(), _word),
        lambda: (pa.large_binary(), lambda draw: draw.randbytes(draw.randrange(6))),
        lambda: (pa.binary(5), lambda draw: draw.choice((bytes(5), draw.randbytes(5)))),
        lambda: (pa.time32("ms"), _ints(0, 86_399_999)),
        lambda: (pa.time64("ns"), _ints(0, DAY_NS - 1)),
        lambda: (pa.duration(draw.choice(("s", "ms", "us", "ns"))), _ints(-(10**9), 10**9)),
        lambda: _moment(draw, (None, "UTC", "Europe/Paris", "+05:30")),
        lambda: _decimal(draw, 76),
        lambda: (pa.null(), lambda draw: None),
        lambda: (
            pa.dictionary(draw.choice((pa.int8(), pa.int16(), pa.int32())), pa.string()),
            _word,
        ),
    ]
    return draw.choice(plain + more if exotic else plain)()


def _type(draw: random.Random, exotic: bool, depth: int) -> tuple[pa.DataType, Draw, bool]:
    """A type, values of it, and whether they may be null."""
    share = draw.choice((0.0, 0.0, 0.1, 0.5, 1.0))
    if depth >= DEEPEST or draw.random() < 0.65:
        kind, one = _scalars(draw, exotic)
        if draw.random() < 0.5 and not pa.types.is_null(kind):
            few = [one(draw) for _ in range(draw.randint(1, 5))]
            one = lambda draw: draw.choice(few)  # noqa: E731  one of two sources
    else:
        kind, one = _nested(draw, exotic, depth)
    nullable = share > 0 or pa.types.is_null(kind)
    return kind, (lambda draw: None if draw.random() < share else one(draw)), nullable


def _nested(draw: random.Random, exotic: bool, depth: int) -> tuple[pa.DataType, Draw]:
    most = draw.choice((1, 3, 6))
    shape = draw.choice(("list", "struct", "map") if exotic else ("list", "struct"))
    if shape == "list":
        kind, one, nullable = _type(draw, exotic, depth + 1)
        item = pa.field("item", kind, nullable=nullable or draw.random() < 0.5)
        if exotic and draw.random() < 0.15:
            return pa.list_(item, 2), lambda draw: [one(draw), one(draw)]
        make = draw.choice((pa.list_, pa.large_list)) if exotic else pa.list_
        return make(item), lambda draw: [one(draw) for _ in range(draw.randint(0, most))]
    if shape == "struct":
        parts = [_type(draw, exotic, depth + 1) for _ in range(draw.randint(1, 3))]
        fields = [
            pa.field(f"f{i}", kind, nullable=nullable or draw.random() < 0.5)
            for i, (kind, _, nullable) in enumerate(parts)
        ]
        return pa.struct(fields), lambda draw: {
            f"f{i}": one(draw) for i, (_, one, _) in enumerate(parts)
        }
    kind, one, nullable = _type(draw, exotic, depth + 1)
    entries = pa.map_(
        pa.string(), pa.field("value", kind, nullable=nullable or draw.random() < 0.5)
    )
    return entries, lambda draw: [(_word(draw), one(draw)) for _ in range(draw.randint(0, most))]


def draw_table(draw: random.Random, *, exotic: bool, nested: bool = True) -> pa.Table:
    """Any table of at most some hundred rows."""
    rows = draw.choice((0, 1, 5, 20, 60, 150, 150))
    fields, arrays = [], []
    for number in range(draw.choice((1, 1, 2, 3, 5))):
        kind, one, nullable = _type(draw, exotic, 0 if nested else DEEPEST)
        fields.append(pa.field(f"c{number}", kind, nullable=nullable or draw.random() < 0.7))
        arrays.append(_array([one(draw) for _ in range(rows)], kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    # Half floats and views have no conversion from Python of their own in every place.
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def _codec(draw: random.Random, *names: str) -> str:
    return draw.choice(names)


def by_pyarrow(draw: random.Random) -> tuple[bytes, pa.Table]:
    """arrow-cpp."""
    table = draw_table(draw, exotic=True)
    options: dict[str, Any] = {
        "compression": _codec(draw, "none", "snappy", "gzip", "brotli", "zstd", "lz4"),
        "data_page_version": draw.choice(("1.0", "2.0")),
        "version": draw.choice(("1.0", "2.4", "2.6")),
        "row_group_size": draw.choice((1, 7, 50, 1000)) if len(table) < 30 else 50,
        "data_page_size": draw.choice(TINY_PAGES),
        "write_batch_size": draw.choice((1, 8, 1024)),
        "write_page_index": draw.random() < 0.4,
        "write_page_checksum": draw.random() < 0.4,
        "write_statistics": draw.random() < 0.7,
        "store_schema": draw.random() < 0.7,
        "dictionary_pagesize_limit": draw.choice((16, 1 << 20)),
        "use_deprecated_int96_timestamps": draw.random() < 0.1,
        "store_decimal_as_integer": draw.random() < 0.4,
        "use_compliant_nested_type": draw.random() < 0.7,
        "use_dictionary": draw.random() < 0.5,
    }
    if draw.random() < 0.5:
        options |= {"use_dictionary": False, "column_encoding": _encodings(draw, table.schema)}
    if options["version"] == "1.0" or options["use_deprecated_int96_timestamps"]:
        options["coerce_timestamps"] = None
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue(), table


def _encodings(draw: random.Random, schema: pa.Schema) -> dict[str, str]:
    chosen = {}
    for field in schema:
        names = _encodings_of(field.type)
        if names:
            chosen[field.name] = draw.choice(names)
    return chosen


def _encodings_of(kind: pa.DataType) -> tuple[str, ...]:
    is_ = pa.types
    if is_.is_integer(kind) or is_.is_temporal(kind):
        return "PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"
    if is_.is_boolean(kind):
        return "PLAIN", "RLE"
    if is_.is_float32(kind) or is_.is_float64(kind) or is_.is_float16(kind):
        return "PLAIN", "BYTE_STREAM_SPLIT"
    if is_.is_fixed_size_binary(kind):
        return "PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"
    if is_.is_string(kind) or is_.is_binary(kind):
        return "PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"
    return ()


def by_polars(draw: random.Random) -> tuple[bytes, pa.Table]:
    """polars-parquet."""
    import polars

    table = draw_table(draw, exotic=False)
    sink = io.BytesIO()
    frame: Any = polars.from_arrow(table)
    frame.write_parquet(
        sink,
        compression=_codec(draw, "uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"),
        statistics=draw.choice((True, False, "full")),
        row_group_size=draw.choice((7, 50, 1000)),
        data_page_size=draw.choice(TINY_PAGES),
    )
    return sink.getvalue(), table


def by_duckdb(draw: random.Random) -> tuple[bytes, pa.Table]:
    """duckdb's own writer."""
    table = draw_table(draw, exotic=False)
    connection = duckdb_connection()
    codec = _codec(draw, "uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw")
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "duck.parquet"
        connection.register("drawn", table)
        connection.execute(
            f"COPY drawn TO '{path}' (FORMAT parquet, COMPRESSION {codec}, "
            f"PARQUET_VERSION {draw.choice(('V1', 'V2'))}, "
            f"ROW_GROUP_SIZE {draw.choice((50, 122880))}, "
            f"DICTIONARY_SIZE_LIMIT {draw.choice((1, 10, 100000))})"
        )
        connection.unregister("drawn")
        return path.read_bytes(), table


@functools.cache
def duckdb_connection() -> Any:
    """One a process: to make one takes longer than a small file."""
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET arrow_lossless_conversion = true; SET TimeZone = 'UTC'")
    return connection


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def by_fastparquet(draw: random.Random) -> tuple[bytes, None]:
    """fastparquet, of flat tables by way of pandas, which has types of its own: no table to compare with."""
    import fastparquet

    kinds: list[tuple[str, Draw]] = [
        ("int64", _ints(-(2**63), 2**63 - 1)),
        ("int32", _ints(-(2**31), 2**31 - 1)),
        ("uint8", _ints(0, 255)),
        ("float64", _real),
        ("float32", _real),
        ("bool", lambda draw: draw.random() < 0.5),
        ("object", lambda draw: draw.choice((None, _word(draw), _word(draw)))),
        ("datetime64[ns]", lambda draw: datetime.datetime(2000, 1, 1 + draw.randrange(28))),
        ("category", _word),
        ("Int64", lambda draw: draw.choice((None, draw.randrange(-100, 100)))),
        ("boolean", lambda draw: draw.choice((None, True, False))),
    ]
    import pandas

    rows = draw.choice((1, 5, 40, 150))
    frame = pandas.DataFrame(
        {
            f"c{number}": pandas.Series([one(draw) for _ in range(rows)], dtype=kind)
            for number, (kind, one) in enumerate(draw.choices(kinds, k=draw.choice((1, 2, 4))))
        }
    )
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "fast.parquet"
        fastparquet.write(
            str(path),
            frame,
            compression=_codec(draw, "UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4_RAW"),
            row_group_offsets=[0, *sorted({rows // 2} - {0})] if draw.random() < 0.5 else None,
            has_nulls=True,  # "infer" writes a truth value where the format has a number
            stats=draw.choice((True, False, "auto")),
            times=draw.choice(("int64", "int96")),
            write_index=False,
        )
        data = path.read_bytes()
    return data, None


def by_arro3(draw: random.Random) -> tuple[bytes, pa.Table]:
    """arrow-rs."""
    import arro3.io

    table = draw_table(draw, exotic=draw.random() < 0.5)
    sink = io.BytesIO()
    options: dict[str, Any] = {
        "compression": _codec(
            draw, "uncompressed", "snappy", "gzip(6)", "brotli(3)", "zstd(3)", "lz4_raw", "lz4"
        ),
        "writer_version": draw.choice(("parquet_1_0", "parquet_2_0")),
        "data_page_size_limit": draw.choice(TINY_PAGES),
        "data_page_row_count_limit": draw.choice((1, 10, 20_000)),
        "dictionary_enabled": draw.random() < 0.6,
        "dictionary_page_size_limit": draw.choice((16, 1 << 20)),
        "write_batch_size": draw.choice((1, 8, 1024)),
        "max_row_group_size": draw.choice((10, 50, 1 << 20)),
        "skip_arrow_metadata": draw.random() < 0.3,
    }
    if draw.random() < 0.5:
        options |= {"dictionary_enabled": False}
        encodings = _encodings(draw, table.schema)
        options["column_encoding"] = {name: it.lower() for name, it in encodings.items()}
    arro3.io.write_parquet(table, sink, **options)
    return sink.getvalue(), table


WRITERS: dict[str, tuple[Callable[[random.Random], tuple[bytes, pa.Table | None]], int]] = {
    "pyarrow": (by_pyarrow, 6),
    "arro3": (by_arro3, 3),
    "polars": (by_polars, 2),
    "duckdb": (by_duckdb, 2),
    "fastparquet": (by_fastparquet, 1),
}
"""Each with its weight."""
