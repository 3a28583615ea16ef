"""Lists and small dictionary arrays, which are decoded without arrow-rs, against pyarrow."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 2_000


def make_lists(draw: random.Random, nulls: float, item: Any) -> list[list[Any] | None]:
    """Rows of lists: some empty, a few long, some null and with nulls among the items."""

    def row() -> list[Any] | None:
        if draw.random() < nulls:
            return None
        length = draw.choice([0, 0, 1, 3, 10, 25, draw.choice([30, 900])])
        return [None if draw.random() < nulls else item(draw.randrange(500)) for _ in range(length)]

    return [row() for _ in range(ROWS)]


def make_table(seed: int) -> pa.Table:
    draw = random.Random(seed)
    nulls = [0.0, 0.1, 0.9][seed % 3]
    tags = [None if draw.random() < nulls else f"tag {draw.randrange(100)}" for _ in range(ROWS)]
    lists = {
        "numbers": (pa.list_(pa.int32()), int),
        "wide": (pa.list_(pa.int64()), lambda value: value << 40),
        "doubles": (pa.large_list(pa.float64()), lambda value: value / 3),
        "texts": (pa.list_(pa.string()), lambda value: f"wört {value}" * (value % 4)),
        "bytes": (pa.list_(pa.binary()), lambda value: bytes([value % 256]) * (value % 9)),
    }
    columns = {
        name: pa.array(make_lists(draw, nulls, item), kind) for name, (kind, item) in lists.items()
    }
    columns["required"] = pa.array(make_lists(draw, 0, int), pa.list_(pa.int32()))
    columns["tag"] = pa.array(tags).cast(pa.dictionary(pa.int8(), pa.string()))
    columns["word"] = pa.array(tags).cast(pa.dictionary(pa.int16(), pa.string()))
    fields = [
        pa.field("required", pa.list_(pa.field("element", pa.int32(), False)), False)
        if name == "required"
        else pa.field(name, column.type)
        for name, column in columns.items()
    ]
    schema = pa.schema([*fields, ("id", pa.int64())])
    arrays = [
        column.cast(field.type) for column, field in zip(columns.values(), fields, strict=True)
    ]
    return pa.table([*arrays, pa.array(range(ROWS))], schema=schema)


LAYOUTS: list[dict[str, Any]] = [
    {},
    {"data_page_version": "2.0"},
    {"use_dictionary": False, "compression": "zstd"},
    {"use_dictionary": False, "compression": "lz4", "data_page_version": "2.0"},
    {"data_page_size": 64, "write_batch_size": 16, "compression": "gzip"},
    {"data_page_size": 64, "write_batch_size": 16, "data_page_version": "2.0"},
    {"dictionary_pagesize_limit": 256, "data_page_size": 512, "write_batch_size": 64},
    {"compression": "brotli", "write_page_index": True, "data_page_size": 2_000},
]


@pytest.fixture(scope="module", params=range(3))
def table(request: pytest.FixtureRequest) -> pa.Table:
    return make_table(request.param)


@pytest.fixture(scope="module", params=range(len(LAYOUTS)))
def dataset(
    request: pytest.FixtureRequest, table: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    path = tmp_path_factory.mktemp("lists") / "lists.parquet"
    pq.write_table(table, path, row_group_size=700, **LAYOUTS[request.param])
    return firstbyte_arrow.open(path)


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """The same values: batches of dictionary arrays may have other dictionaries than the table."""
    found.validate(full=True)
    assert found.schema.names == expected.schema.names
    for name, column in zip(found.schema.names, found.columns, strict=True):
        kind = column.type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        assert column.cast(plain).equals(expected[name].cast(plain)), name


@pytest.mark.parametrize("threads", [0, 2])
def test_rows_equal_the_tables(dataset: Any, table: pa.Table, threads: int) -> None:
    for batch_size in (1, 13, 256, 700, 5_000):
        assert_same(pa.table(dataset.scan(batch_size=batch_size, threads=threads)), table)


def test_each_column_alone(dataset: Any, table: pa.Table) -> None:
    for name in table.schema.names:
        assert_same(pa.table(dataset.scan(columns=[name], batch_size=99)), table.select([name]))


def test_row_groups_shards_and_rows_by_number(dataset: Any, table: pa.Table) -> None:
    backwards = pa.concat_tables([table.slice(700, 700), table.slice(0, 700)])
    assert_same(pa.table(dataset.scan(row_groups=[1, 0], batch_size=111)), backwards)
    for world in (2, 7):
        parts = [pa.table(dataset.scan(shard=(rank, world))) for rank in range(world)]
        assert_same(pa.concat_tables(part for part in parts), table)
    numbers = [1_999, 3, 699, 700, 3, 1_400, 850]
    assert_same(pa.table(pa.record_batch(dataset.take(numbers))), table.take(numbers))


def test_resume_and_where(dataset: Any, table: pa.Table) -> None:
    reader = dataset.scan(batch_size=77)
    first = [pa.record_batch(next(reader)) for _ in range(10)]
    rest = pa.table(dataset.scan(batch_size=77, resume=reader.position))
    assert_same(pa.concat_tables([pa.Table.from_batches(first), rest]), table)
    found = pa.table(dataset.scan(where=[("id", ">=", 1_234)], batch_size=50))
    assert_same(found, table.filter(pc.greater_equal(table["id"], 1_234)))


def test_a_row_that_fills_many_pages_is_refused_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    table = pa.table({"list": pa.array([[1], list(range(50_000)), [2]], pa.list_(pa.int32()))})
    pq.write_table(table, path, data_page_size=1_000, write_batch_size=100, use_dictionary=False)
    assert pa.table(firstbyte_arrow.open(path).scan(batch_size=1)).equals(table)
    with pytest.raises(firstbyte_arrow.LimitError, match="max_batch_bytes"):
        list(firstbyte_arrow.open(path).scan(batch_size=3, max_batch_bytes=20_000))


@pytest.mark.parametrize("threads", [0, 2])
def test_large_pages_that_end_within_rows_are_passed_over(tmp_path: Path, threads: int) -> None:
    draw = random.Random(5)
    lengths = [draw.choice([0, 1, 300, 900]) for _ in range(4_000)]
    lists = pa.array(
        [None if length == 1 else draw.choices(range(1 << 40), k=length) for length in lengths],
        pa.list_(pa.int64()),
    )
    table = pa.table({"lists": lists, "id": range(len(lists))})
    path = tmp_path / "large.parquet"
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_batch_size=1_000)
    shares = [
        pa.table(firstbyte_arrow.open(path).scan(shard=(rank, 9), threads=threads))
        for rank in range(9)
    ]
    assert pa.concat_tables(shares).equals(table)


def test_required_values_in_a_null_group_of_a_list(tmp_path: Path) -> None:
    """Batches that are put together of several: the required group in between has no nulls of its own."""
    inner = pa.struct([pa.field("number", pa.int64(), nullable=False)])
    item = pa.struct([pa.field("inner", inner, nullable=False), pa.field("text", pa.string())])
    rows = [
        [None, {"inner": {"number": i}, "text": None}][: i % 3] if i % 5 else None
        for i in range(60)
    ]
    maps = [None if row is None else [(str(i), it) for i, it in enumerate(row)] for row in rows]
    table = pa.table(
        {
            "list": pa.array(rows, pa.list_(item)),
            "map": pa.array(maps, pa.map_(pa.string(), item)),
        }
    )
    path = tmp_path / "required.parquet"
    pq.write_table(table, path, row_group_size=7)
    dataset = firstbyte_arrow.open(path)
    for options in ({}, {"threads": 2}, {"threads": 2, "batch_size": 5}, {"strings": "dictionary"}):
        assert pa.table(dataset.scan(**options)).to_pydict() == table.to_pydict()
    shuffled = pa.table(dataset.scan(seed=1, shuffle_rows=20)).to_pylist()
    assert sorted(map(repr, shuffled)) == sorted(map(repr, table.to_pylist()))
    taken = pa.record_batch(dataset.take(list(range(59, -1, -1))))
    assert taken.to_pydict() == table.take(list(range(59, -1, -1))).to_pydict()
