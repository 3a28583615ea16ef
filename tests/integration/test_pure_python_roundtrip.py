"""The pure Python decoder against files of pyarrow and polars: the same rows, the same types."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from firstbyte.backends.pure_python.backend import create
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROWS = 2_600
UTC = dt.UTC


def read(path: Path, **options: Any) -> pa.Table:
    """All batches in canonical form; each must have exactly the asked number of rows but the last."""
    options.setdefault("batch_rows", 700)
    with create().open(path, **options) as reader:
        batches = [(reader.rows(batch), reader.canonical(batch)) for batch in reader]
    assert all(rows == batch.num_rows for rows, batch in batches)
    assert all(rows == options["batch_rows"] for rows, _ in batches[:-1])
    for _, batch in batches:
        batch.validate(full=True)
    return pa.Table.from_batches([batch for _, batch in batches])


def assert_reads(path: Path, expected: pa.Table, **options: Any) -> None:
    found = read(path, **options)
    assert found.schema == expected.schema.remove_metadata()
    for name in expected.column_names:
        assert found[name].equals(expected[name]), name


def flat_columns(nulls: bool) -> dict[str, pa.Array]:
    words = ["", "a", "grüße", "日本語" * 9, "x" * 300]
    stamp = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)
    makers = {
        "bool": (pa.bool_(), lambda i: i * 7 % 11 > 4),
        "int8": (pa.int8(), lambda i: i % 256 - 128),
        "uint8": (pa.uint8(), lambda i: i % 256),
        "int16": (pa.int16(), lambda i: i - 1000),
        "uint16": (pa.uint16(), lambda i: 65535 - i),
        "int32": (pa.int32(), lambda i: (i * 2654435761 + 5) % 2**32 - 2**31),
        "uint32": (pa.uint32(), lambda i: (i * 2654435761) % 2**32),
        "int64": (pa.int64(), lambda i: (i * 0x9E3779B97F4A7C15) % 2**64 - 2**63),
        "uint64": (pa.uint64(), lambda i: (i * 0x9E3779B97F4A7C15) % 2**64),
        "sorted": (pa.int64(), lambda i: 10**12 + 37 * i),
        "float": (pa.float32(), lambda i: i / 8),
        "double": (pa.float64(), lambda i: -i / 3),
        "half": (pa.float16(), lambda i: i % 100 / 4),
        "few words": (pa.string(), lambda i: words[i * i % 5]),
        "names ä": (pa.string(), lambda i: f"{words[i % 4]}/{i:06}"),
        "bytes": (pa.binary(), lambda i: bytes([i % 256, 0xFF]) * (i % 7)),
        "uuid": (pa.binary(16), lambda i: i.to_bytes(16, "big")),
        "date": (pa.date32(), lambda i: dt.date(1969, 12, 1) + dt.timedelta(i)),
        "time ms": (pa.time32("ms"), lambda i: dt.time(i % 24, 1, 2, 3000)),
        "time us": (pa.time64("us"), lambda i: dt.time(i % 24, 1, 2, i)),
        "time ns": (pa.time64("ns"), lambda i: i * 1001),
        "ts ms": (pa.timestamp("ms"), lambda i: stamp.replace(microsecond=i % 1000 * 1000)),
        "ts us": (pa.timestamp("us"), lambda i: stamp - dt.timedelta(days=40 * i)),
        "ts ns": (pa.timestamp("ns"), lambda i: 1_700_000_000_000_000_001 + i),
        "ts utc": (pa.timestamp("us", "UTC"), lambda i: stamp.replace(tzinfo=UTC, second=i % 60)),
        "duration": (pa.duration("us"), lambda i: -i),
        "small decimal": (pa.decimal128(7, 2), lambda i: Decimal(i - 500).scaleb(-2)),
        "large decimal": (pa.decimal128(38, 10), lambda i: Decimal(f"-{i}1234567890123456789.5")),
        "huge decimal": (pa.decimal256(70, 3), lambda i: Decimal(f"{10**60 + i}.125")),
    }
    return {
        name: pa.array(
            [None if nulls and (i % 5 == 2 or 900 < i < 1700) else make(i) for i in range(ROWS)],
            kind,
        )
        for name, (kind, make) in makers.items()
    }


def flat_table(nulls: bool) -> pa.Table:
    columns = flat_columns(nulls)
    fields = [pa.field(name, array.type, nullable=nulls) for name, array in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


@pytest.fixture(scope="module", params=[False, True], ids=["required", "nullable"])
def flat(request: pytest.FixtureRequest) -> pa.Table:
    return flat_table(request.param)


@pytest.mark.parametrize(
    ("codec", "version"),
    [
        *product(["none", "snappy", "gzip", "zstd"], ["1.0", "2.0"]),
        ("brotli", "1.0"),
        ("lz4", "2.0"),
    ],
)
def test_codecs_and_page_versions(flat: pa.Table, codec: str, version: str, tmp_path: Path) -> None:
    path = tmp_path / "flat.parquet"
    pq.write_table(
        flat,
        path,
        compression=codec,
        data_page_version=version,
        row_group_size=1_100,
        data_page_size=3_000,
        write_page_index=version == "2.0",
        write_page_checksum=codec != "none",
    )
    assert_reads(path, flat)


ENCODINGS: dict[str, list[str]] = {
    "PLAIN": [],
    "DELTA_BINARY_PACKED": [
        "int8",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "sorted",
        "ts us",
    ],
    "DELTA_LENGTH_BYTE_ARRAY": ["few words", "names ä", "bytes"],
    "DELTA_BYTE_ARRAY": ["few words", "names ä", "bytes", "uuid", "large decimal", "half"],
    "BYTE_STREAM_SPLIT": ["float", "double", "int32", "uint64", "uuid", "half", "date"],
    "RLE": ["bool"],
}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(flat: pa.Table, encoding: str, version: str, tmp_path: Path) -> None:
    path = tmp_path / "encoded.parquet"
    names = ENCODINGS[encoding] or flat.column_names
    table = flat.select(names)
    pq.write_table(
        table,
        path,
        use_dictionary=False,
        column_encoding=dict.fromkeys(names, encoding),
        data_page_version=version,
        data_page_size=4_000,
    )
    written = pq.ParquetFile(path).metadata.row_group(0)
    assert all(encoding in written.column(i).encodings for i in range(len(names)))
    assert_reads(path, table)


def test_dictionary_overflows_into_plain_pages(flat: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "overflow.parquet"
    pq.write_table(flat, path, dictionary_pagesize_limit=2_000, data_page_size=1_000)
    encodings = pq.ParquetFile(path).metadata.row_group(0).column(14).encodings
    assert {"PLAIN", "RLE_DICTIONARY"} <= set(encodings)
    assert_reads(path, flat)


def test_int96_and_coerced_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "stamps.parquet"
    stamps = [None, -1, 0, 1_700_000_000_123_456_789, -(2**60)]
    table = pa.table({"t": pa.array(stamps, pa.timestamp("ns"))})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    assert pq.ParquetFile(path).schema.column(0).physical_type == "INT96"
    assert_reads(path, table)


def item(i: int) -> Any:
    """Every mix of null, empty and filled on each level, in turn."""
    leaf = None if i % 3 == 1 else f"wört {i}"
    return None if i % 7 == 3 else {"text": leaf, "numbers": numbers(i), "flag": i % 2 == 0}


def numbers(i: int) -> list[int | None] | None:
    return None if i % 5 == 0 else [None if j % 4 == 2 else i - j for j in range(i % 6)]


ITEM = pa.struct([("text", pa.string()), ("numbers", pa.list_(pa.int32())), ("flag", pa.bool_())])
DEEP = pa.struct([("a", pa.struct([("b", pa.struct([("c", pa.int16()), ("d", pa.date32())]))]))])


def nested_table() -> pa.Table:
    rows = range(1_500)

    def deep(i: int) -> Any:
        pair = {"c": None if i % 2 else i, "d": dt.date(2000, 1, 1)}
        inner = None if i % 3 == 1 else {"b": None if i % 5 == 1 else pair}
        return None if i % 7 == 1 else {"a": inner}

    return pa.table(
        {
            "zahlen": pa.array([numbers(i) for i in rows], pa.list_(pa.int32())),
            "liste": pa.array(
                [None if i % 11 == 4 else [item(i + j) for j in range(i % 4)] for i in rows],
                pa.list_(ITEM),
            ),
            "lists of lists": pa.array(
                [
                    None
                    if i % 13 == 1
                    else [None if (i + j) % 5 == 1 else [numbers(i + j)] * j for j in range(i % 4)]
                    for i in rows
                ],
                pa.list_(pa.list_(pa.list_(pa.int32()))),
            ),
            "struct": pa.array([item(i) for i in rows], ITEM),
            "deep": pa.array([deep(i) for i in rows], DEEP),
            "map": pa.array(
                [
                    None if i % 9 == 2 else [(f"k{j}", numbers(j)) for j in range(i % 3)]
                    for i in rows
                ],
                pa.map_(pa.string(), pa.list_(pa.int32())),
            ),
            "map of structs": pa.array(
                [[(j, item(i + j)) for j in range(i % 3)] for i in rows], pa.map_(pa.int8(), ITEM)
            ),
            "flat": pa.array(list(rows)),
        }
    )


@pytest.mark.parametrize("batch_rows", [1, 97, 10_000])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_nested(version: str, batch_rows: int, tmp_path: Path) -> None:
    path = tmp_path / "nested.parquet"
    table = nested_table()
    table = table.slice(0, 150) if batch_rows == 1 else table
    pq.write_table(table, path, data_page_version=version, data_page_size=500, row_group_size=400)
    assert_reads(path, table, batch_rows=batch_rows)


def test_required_levels_inside_nested_columns(tmp_path: Path) -> None:
    path = tmp_path / "required.parquet"
    number = pa.field("element", pa.int32(), nullable=False)
    inner = pa.struct([pa.field("n", pa.list_(number), nullable=False), pa.field("m", pa.int8())])
    fields = [
        pa.field("lists", pa.list_(number), nullable=False),
        pa.field("structs", pa.list_(pa.field("element", inner, nullable=False))),
    ]
    values = [{"n": [1, 2], "m": None}, {"n": [], "m": 4}]
    table = pa.table(
        [[[1, 2], [], [3]], [values, None, []]],
        schema=pa.schema(fields),
    )
    pq.write_table(table, path)
    assert_reads(path, table)


def test_python_values(tmp_path: Path) -> None:
    """What the reader hands out before any Arrow is in play."""
    path = tmp_path / "values.parquet"
    stamp = dt.datetime(2024, 2, 29, 23, 59, 59, 999_999)
    columns: dict[str, tuple[Any, pa.DataType]] = {
        "ø": ("größe", pa.string()),
        "bytes": (b"\xff\0", pa.binary()),
        "yes": (True, pa.bool_()),
        "date": (stamp.date(), pa.date32()),
        "time": (stamp.time(), pa.time64("us")),
        "naive": (stamp, pa.timestamp("us")),
        "instant": (stamp.replace(tzinfo=UTC), pa.timestamp("us", "UTC")),
        "ns": (1_700_000_000_000_000_001, pa.timestamp("ns")),
        "decimal": (Decimal("-0.10"), pa.decimal128(5, 2)),
        "wide decimal": (Decimal("9" * 36 + ".99"), pa.decimal128(38, 2)),
        "list": ([1, None], pa.list_(pa.int64())),
        "struct": ({"a": 1, "b": None}, pa.struct([("a", pa.int8()), ("b", pa.string())])),
        "map": ([("k", 1), ("k", 2)], pa.map_(pa.string(), pa.int8())),
    }
    table = pa.table({name: pa.array([v, None], kind) for name, (v, kind) in columns.items()})
    pq.write_table(table, path)
    with create().open(path) as reader:
        batch = next(reader)
        for name, (value, _) in columns.items():
            found = reader.first_value(batch, name)
            assert (found, type(found)) == (value, type(value)), name
            assert batch.columns[name][1] is None
        assert str(reader.first_value(batch, "decimal")) == "-0.10"


@pytest.mark.parametrize("codec", ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("source", ["flat", "nested"])
def test_polars(codec: str, source: str, tmp_path: Path) -> None:
    path = tmp_path / "polars.parquet"
    if source == "flat":
        arrow = flat_table(nulls=True).drop_columns(["huge decimal", "uuid"])
    else:
        arrow = nested_table().drop_columns(["map", "map of structs"])
    frame = pl.from_arrow(arrow)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path, compression=codec, row_group_size=1_000, data_page_size=2_000)
    found = pl.from_arrow(read(path))
    assert isinstance(found, pl.DataFrame)
    assert found.schema == frame.schema
    assert found.equals(frame, null_equal=True)


def test_polars_categories_and_all_null_columns(tmp_path: Path) -> None:
    path = tmp_path / "polars.parquet"
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a", None, "ü", "a"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y", None, "x"], dtype=pl.Enum(["x", "y"])),
            "nothing": pl.Series([None] * 4, dtype=pl.String),
            "array": pl.Series([[1, 2], [3, 4], None, [5, 6]], dtype=pl.Array(pl.Int16, 2)),
        }
    )
    frame.write_parquet(path)
    with create().open(path) as reader:
        assert next(reader).columns == {
            "category": ["a", None, "ü", "a"],
            "enum": ["x", "y", None, "x"],
            "nothing": [None] * 4,
            "array": [[1, 2], [3, 4], None, [5, 6]],
        }


def test_arrow_dictionaries_large_types_and_nulls_are_plain_columns(tmp_path: Path) -> None:
    path = tmp_path / "layouts.parquet"
    table = pa.table(
        {
            "d": pa.array(["a", None, "a"]).dictionary_encode(),
            "l": pa.array(["b", None, ""], pa.large_string()),
            "n": pa.nulls(3),
        }
    )
    pq.write_table(table, path)
    expected = pa.table(
        {"d": pa.array(["a", None, "a"]), "l": pa.array(["b", None, ""]), "n": pa.nulls(3)}
    )
    assert_reads(path, expected)


def test_files_and_row_groups_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    table = nested_table().select(["liste", "flat"])
    pq.write_table(table.slice(0, 0), path)
    with create().open(path) as reader:
        assert list(reader) == []

    with pq.ParquetWriter(path, table.schema) as writer:
        for start, stop in ((0, 0), (0, 10), (10, 10), (10, 12), (12, 12)):
            writer.write_table(table.slice(start, stop - start), row_group_size=10)
    sizes = pq.ParquetFile(path).metadata
    counts = [sizes.row_group(i).num_rows for i in range(sizes.num_row_groups)]
    assert 0 in counts
    assert sum(counts) == 12
    assert_reads(path, table.slice(0, 12), batch_rows=11)


SCALARS = st.sampled_from(
    [
        (pa.string(), st.text(max_size=12)),
        (pa.binary(), st.binary(max_size=12)),
        (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.bool_(), st.booleans()),
        (pa.float64(), st.floats(allow_nan=False)),
        (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    ]
)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def as_list(pair: Any) -> Any:
        kind, values = pair
        return pa.list_(kind), st.lists(values | st.none(), max_size=4)

    def as_struct(pairs: Any) -> Any:
        fields = [(f"f{place}", kind) for place, (kind, _) in enumerate(pairs)]
        values = {f"f{place}": values | st.none() for place, (_, values) in enumerate(pairs)}
        return pa.struct(fields), st.fixed_dictionaries(values)

    def as_map(pair: Any) -> Any:
        kind, values = pair
        pairs = st.tuples(st.text(max_size=3), values | st.none())
        return pa.map_(pa.string(), kind), st.lists(pairs, max_size=3)

    structs = st.lists(inner, min_size=1, max_size=3).map(as_struct)
    return inner.map(as_list) | structs | inner.map(as_map)


@given(data=st.data(), kind=st.recursive(SCALARS, nest, max_leaves=5))
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_column_of_any_shape(
    data: st.DataObject, kind: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    arrow_type, values = kind
    column = pa.array(data.draw(st.lists(values | st.none(), min_size=1, max_size=60)), arrow_type)
    table = pa.table({"x": column})
    path = tmp_path_factory.mktemp("any") / "any.parquet"
    pq.write_table(
        table,
        path,
        data_page_version=data.draw(st.sampled_from(["1.0", "2.0"])),
        use_dictionary=data.draw(st.booleans()),
        row_group_size=data.draw(st.sampled_from([7, 1000])),
        data_page_size=data.draw(st.sampled_from([20, 100_000])),
        write_batch_size=data.draw(st.sampled_from([3, 1000])),
        compression=data.draw(st.sampled_from(["none", "snappy"])),
    )
    assert_reads(path, table, batch_rows=data.draw(st.integers(1, 70)))
