"""`columns` may name what is in structs, lists and maps: no more is read, in every mode."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crafted import (
    BYTE_ARRAY,
    INT32,
    INT64,
    OPTIONAL,
    UTF8,
    Chunk,
    group,
    leaf,
    page,
    parquet,
    runs,
    sized,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 2_300


def chat_table() -> pa.Table:
    draw = random.Random(3)

    def some(value: Any) -> Any:
        return None if draw.randrange(9) == 0 else value

    def message(row: int) -> dict[str, Any] | None:
        role = some(draw.choice(("user", "system")))
        return some({"role": role, "content": some(f"{row} says"), "cost": some(row / 4)})

    rows = range(ROWS)
    messages = [some([message(row) for _ in range(row % 4)]) for row in rows]
    labels = [
        some([(f"k{at}", some({"x": some(row), "y": "y" * at})) for at in range(row % 3)])
        for row in rows
    ]
    meta = [
        some(
            {
                "lang": some(draw.choice(("en", "fr"))),
                "deep": some({"a.b": some(row), "tags": some(["t"] * (row % 3))}),
            }
        )
        for row in rows
    ]
    message_type = pa.struct(
        [("role", pa.string()), ("content", pa.large_string()), ("cost", pa.float64())]
    )
    return pa.table(
        {
            "id": pa.array(rows, pa.int64()),
            "messages": pa.array(messages, pa.list_(message_type)),
            "labels": pa.array(
                labels, pa.map_(pa.string(), pa.struct([("x", pa.int64()), ("y", pa.string())]))
            ),
            "meta": pa.array(
                meta,
                pa.struct(
                    [
                        ("lang", pa.string()),
                        (
                            "deep",
                            pa.struct([("a.b", pa.int32()), ("tags", pa.list_(pa.string()))]),
                        ),
                    ]
                ),
            ),
            "meta.lang.x": pa.array([row % 7 for row in rows], pa.int32()),
        }
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return chat_table()


@pytest.fixture(scope="module")
def path(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("projection") / "chat.parquet"
    pq.write_table(
        table, path, row_group_size=900, data_page_size=2_048, write_page_index=True,
        compression="zstd",
    )  # fmt: skip
    return path


PROJECTIONS: dict[str, tuple[list[str], list[str]]] = {
    "a field of structs in a list": (
        ["messages.content"], ["messages.list.element.content"],
    ),
    "in the format's words": (
        ["messages.list.element.content"], ["messages.list.element.content"],
    ),
    "two fields in their order in the file": (
        ["messages.cost", "messages.role"],
        ["messages.list.element.role", "messages.list.element.cost"],
    ),
    "a struct in a struct": (["meta.deep"], ["meta.deep"]),
    "a field whose name has a dot": (["meta.deep.a.b"], ["meta.deep.a.b"]),
    "a list in a struct": (["meta.deep.tags", "id"], ["id", "meta.deep.tags.list.element"]),
    "keys alone": (["labels.key"], ["labels.key_value.key"]),
    "values alone": (["labels.value"], ["labels.key_value.value"]),
    "a field of values alone": (["labels.key_value.value.y"], ["labels.key_value.value.y"]),
    "keys and a field of values": (
        ["labels.key", "labels.value.x"], ["labels.key_value.key", "labels.key_value.value.x"],
    ),
    "the same twice, and a part of it": (
        ["messages.role", "messages.role", "meta", "meta.lang"],
        ["messages.list.element.role", "meta.lang", "meta.deep"],
    ),
    "a column whose name has dots": (["meta.lang.x"], ["meta.lang.x"]),
}  # fmt: skip


def expected(path: Path, theirs: list[str]) -> pa.Table:
    return pq.ParquetFile(path).read(columns=theirs)


def same(ours: pa.Table, theirs: pa.Table) -> bool:
    """Whether both have the same columns, fields and rows, whatever the names of list elements."""

    def plain(kind: pa.DataType) -> Any:
        if pa.types.is_map(kind):
            return ("map", plain(kind.key_type), plain(kind.item_type))
        if pa.types.is_list(kind):
            return ("list", plain(kind.value_type))
        if pa.types.is_struct(kind):
            return ("struct", [(field.name, plain(field.type)) for field in kind])
        return str(kind)

    shapes = [[(one.name, plain(one.type)) for one in each.schema] for each in (ours, theirs)]
    return shapes[0] == shapes[1] and ours.to_pylist() == theirs.to_pylist()


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_parts_are_those_that_pyarrow_reads(kind: str, path: Path) -> None:
    ours, theirs = PROJECTIONS[kind]
    dataset = firstbyte_arrow.open(path)
    wanted = expected(path, theirs)
    for threads in (0, 2):
        with dataset.scan(columns=ours, threads=threads) as reader:
            assert pa.schema(reader.schema).names == wanted.schema.names
            assert same(pa.table(reader), wanted), threads


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_parts_go_with_shards_takes_and_resumes(kind: str, path: Path) -> None:
    ours, theirs = PROJECTIONS[kind]
    dataset = firstbyte_arrow.open(path)
    wanted = expected(path, theirs)
    shares = [pa.table(dataset.scan(columns=ours, shard=(rank, 3))) for rank in range(3)]
    assert same(pa.concat_tables(shares), wanted)
    rows = [ROWS - 1, 7, 901, 7, 900]
    taken = pa.table(pa.record_batch(dataset.take(rows, columns=ours)))
    assert same(taken, wanted.take(rows))
    reader = dataset.scan(columns=ours, batch_size=500)
    first = [pa.record_batch(next(reader)), pa.record_batch(next(reader))]
    position = json.loads(json.dumps(reader.position))
    rest = pa.table(dataset.scan(columns=ours, batch_size=64, resume=position))
    assert same(pa.concat_tables([pa.Table.from_batches(first), rest]), wanted)


@pytest.mark.parametrize("strings", ["view", "dictionary"])
def test_parts_come_with_their_text_in_other_forms(strings: str, path: Path) -> None:
    dataset = firstbyte_arrow.open(path)
    for ours, theirs in PROJECTIONS.values():
        read = pa.table(dataset.scan(columns=ours, strings=strings))
        assert read.to_pylist() == expected(path, theirs).to_pylist(), ours


def test_parts_go_with_where(path: Path, table: pa.Table) -> None:
    dataset = firstbyte_arrow.open(path)
    rows = table.to_pylist()

    def lang(row: dict[str, Any]) -> Any:
        return row["meta"] and row["meta"]["lang"]

    def deep(row: dict[str, Any]) -> Any:
        return row["meta"] and row["meta"]["deep"]

    asked: dict[str, tuple[list[Any], Any]] = {
        "a field": ([("meta.lang", "==", "en")], lambda row: lang(row) == "en"),
        "a field by a single sign": ([("meta.lang", "=", "en")], lambda row: lang(row) == "en"),
        "a field that is not": (
            [("meta.lang", "!=", "en")], lambda row: lang(row) not in ("en", None),
        ),
        "a null field": ([("meta.lang", "is null")], lambda row: lang(row) is None),
        "a field that is there": (
            [("meta.lang", "is not null")], lambda row: lang(row) is not None,
        ),
        "a null struct": ([("meta.deep", "is null")], lambda row: deep(row) is None),
        "a null list": (
            [("meta.deep.tags", "is null")],
            lambda row: not deep(row) or deep(row)["tags"] is None,
        ),
        "several": (
            [("meta.deep.a.b", "<", 2_000), ("meta.lang", "in", ["fr"]), ("id", ">", 99)],
            lambda row: (
                lang(row) == "fr"
                and bool(deep(row))
                and deep(row)["a.b"] is not None
                and deep(row)["a.b"] < 2_000
                and row["id"] > 99
            ),
        ),
        "a range that row groups and pages exclude": (
            [("meta.deep.a.b", ">=", 2_200)],
            lambda row: bool(deep(row)) and (deep(row)["a.b"] or 0) >= 2_200,
        ),
    }  # fmt: skip
    for kind, (where, holds) in asked.items():
        wanted = [row for row in rows if holds(row)]
        assert 0 < len(wanted) < ROWS, kind
        for columns in (["id", "messages.role"], ["id", "meta.lang"], ["id", "meta.deep"]):
            for threads in (0, 2):
                read = pa.table(dataset.scan(columns=columns, where=where, threads=threads))
                assert read.column("id").to_pylist() == [row["id"] for row in wanted], kind
        with dataset.scan(columns=["meta.deep.tags"], where=where) as reader:
            assert [str(field.type) for field in pa.schema(reader.schema)] == [
                "struct<deep: struct<tags: list<element: string>>>"
            ]
        everything = pa.table(dataset.scan(where=where))
        assert everything.to_pylist() == wanted, kind


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            ["nothing"],
            "no column 'nothing' (the file has: id, messages, labels, meta, meta.lang.x)",
        ),
        (["messages.contnt"], "no column 'messages.contnt' ('messages' has: role, content, cost)"),
        (["id", "labels.x"], "no column 'labels.x' ('labels' has: key, value)"),
        (["id.x"], "no column 'id.x' ('id' has no fields)"),
        (["meta.deep."], "no column 'meta.deep.' ('meta.deep' has: a.b, tags)"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(columns: list[str], words: str, path: Path) -> None:
    dataset = firstbyte_arrow.open(path)
    for read in (
        lambda: dataset.scan(columns=columns),
        lambda: dataset.take([0], columns=columns),
        lambda: dataset.decompress(columns=columns),
        lambda: dataset.pages_in_hand(columns=columns),
        lambda: dataset.scan(where=[(columns[-1], "is null")]),
    ):
        with pytest.raises(ValueError, match="no column") as raised:
            read()
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)


def test_elements_of_lists_have_no_single_value_to_compare(path: Path) -> None:
    dataset = firstbyte_arrow.open(path)
    for column in ("messages.content", "labels.key", "meta.deep.tags.list.element"):
        with pytest.raises(ValueError, match=f"'{column}' is within a list or a map"):
            dataset.scan(where=[(column, "==", "x")])


def test_names_that_a_file_has_twice_are_told(tmp_path: Path) -> None:
    def ints(*values: int) -> bytes:
        return page(b"".join(value.to_bytes(4, "little") for value in values), len(values))

    schema = [
        group("schema", 3),
        leaf("a", INT32),
        leaf("a", INT32),
        group("s", 2),
        leaf("b", INT32),
        leaf("b", INT32),
    ]
    paths = (["a"], ["a"], ["s", "b"], ["s", "b"])
    chunks = [Chunk(path, INT32, [ints(at, at)], 2) for at, path in enumerate(paths)]
    path = tmp_path / "doubled.parquet"
    path.write_bytes(parquet(schema, [(2, chunks)]))
    dataset = firstbyte_arrow.open(path)
    for name in ("a", "s.b"):
        with pytest.raises(ValueError, match=f"2 columns are called '{name[-1]}'"):
            dataset.scan(columns=[name])
        with pytest.raises(ValueError, match=f"2 columns are called '{name[-1]}'"):
            dataset.scan(where=[(name, "==", 1)])
    batch = next(dataset.scan())
    assert [column.to_pylist() for column in pa.record_batch(batch).columns[:2]] == [[0, 0], [1, 1]]


@pytest.mark.parametrize("threads", [0, 2])
def test_bytes_of_other_fields_are_not_read(threads: int, tmp_path: Path) -> None:
    """The pages of a field that nobody asked for are no pages at all."""
    count = 4
    levels = sized(runs((2, count), width=2))
    sound = page(levels + b"".join(at.to_bytes(8, "little") for at in range(count)), count)
    broken = b"\xff" * 100
    schema = [
        group("schema", 1),
        group("s", 2, OPTIONAL),
        leaf("bad", BYTE_ARRAY, OPTIONAL, converted=UTF8),
        leaf("good", INT64, OPTIONAL),
    ]
    chunks = [
        Chunk(["s", "bad"], BYTE_ARRAY, [broken], count),
        Chunk(["s", "good"], INT64, [sound], count),
    ]
    path = tmp_path / "half.parquet"
    path.write_bytes(parquet(schema, [(count, chunks)]))
    dataset = firstbyte_arrow.open(path)
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        list(dataset.scan(threads=threads))
    wanted = [{"good": at} for at in range(count)]
    options: dict[str, Any] = {"columns": ["s.good"], "threads": threads}
    assert pa.table(dataset.scan(**options)).column("s").to_pylist() == wanted
    assert pa.record_batch(dataset.take([1], columns=["s.good"])).column(0).to_pylist() == [
        wanted[1]
    ]
    matching = pa.table(dataset.scan(**options, where=[("s.good", ">", 1)]))
    assert matching.column("s").to_pylist() == wanted[2:]
    # Whether a struct is there any of its fields tells: the one that is read is taken.
    assert pa.table(dataset.scan(**options, where=[("s", "is not null")])).num_rows == count
    assert dataset.decompress(columns=["s.good"]) == len(levels) + 8 * count
    assert dataset.pages_in_hand(columns=["s.good"]) == len(levels) + 8 * count
