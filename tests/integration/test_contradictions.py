"""Columns of one group all tell where it is: rows are made up where a reader asks one of them alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from crafted import (
    INT32,
    OPTIONAL,
    REPEATED,
    REQUIRED,
    RLE_DICTIONARY,
    Chunk,
    dictionary_page,
    group,
    leaf,
    page,
    parquet,
    runs,
    sized,
)
from firstbyte.backends.pure_python.errors import CorruptParquetError
from firstbyte.backends.pure_python.reader import PureReader

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

Told = Sequence[int]


def levels(values: Told, width: int) -> bytes:
    return sized(runs(*((value, 1) for value in values), width=width))


def numbers(count: int, before: int = 0) -> bytes:
    return struct.pack(f"<{count}i", *range(before + 1, before + count + 1))


def struct_file(a: Sequence[Told], b: Sequence[Told]) -> bytes:
    """An optional group of an optional and a required number: definition levels of the pages of both."""
    schema = [
        group("schema", 1),
        group("s", 2, OPTIONAL),
        leaf("a", INT32, OPTIONAL),
        leaf("b", INT32, REQUIRED),
    ]
    chunks = []
    for name, pages, most, width in (("a", a, 2, 2), ("b", b, 1, 1)):
        made, before = [], 0
        for it in pages:
            count = list(it).count(most)
            made.append(page(levels(it, width) + numbers(count, before), len(it)))
            before += count
        chunks.append(Chunk(["s", name], INT32, made, sum(map(len, pages))))
    return parquet(schema, [(sum(map(len, a)), chunks)])


def list_file(a: tuple[Told, Told], b: tuple[Told, Told]) -> bytes:
    """A repeated group of two required numbers: repetition and definition levels of each."""
    schema = [
        group("schema", 1),
        group("g", 2, REPEATED),
        leaf("a", INT32, REQUIRED),
        leaf("b", INT32, REQUIRED),
    ]
    chunks = []
    for name, (repeated, defined) in (("a", a), ("b", b)):
        body = levels(repeated, 1) + levels(defined, 1) + numbers(list(defined).count(1))
        chunks.append(Chunk(["g", name], INT32, [page(body, len(defined))], len(defined)))
    return parquet(schema, [(list(a[0]).count(0), chunks)])


def read(path: Path, data: bytes, batch_rows: int) -> list[object]:
    """What both readers make of it."""
    path.write_bytes(data)
    found = pa.table(firstbyte_arrow.open(path).scan(batch_size=batch_rows)).column(0).to_pylist()
    with PureReader(path, batch_rows=batch_rows) as reader:
        pure = [row for batch in reader for row in reader.canonical(batch).column(0).to_pylist()]
    assert found == pure
    return found


SOUND = {
    "one page each": struct_file([(2, 0, 1, 2)], [(1, 0, 1, 1)]),
    "pages of other lengths": struct_file([(2, 0), (1,), (2,)], [(1,), (0, 1, 1)]),
}


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("batch_rows", [1, 3, 1024])
def test_siblings_that_agree(kind: str, batch_rows: int, tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 1}, None, {"a": None, "b": 2}, {"a": 2, "b": 3}]
    assert read(tmp_path / "file", SOUND[kind], batch_rows) == rows


def test_lists_that_agree(tmp_path: Path) -> None:
    told = ((0, 1, 0, 0), (1, 1, 0, 1))
    rows = [[{"a": 1, "b": 1}, {"a": 2, "b": 2}], [], [{"a": 3, "b": 3}]]
    assert read(tmp_path / "file", list_file(told, told), 1024) == rows


CONTRADICTIONS = {
    "the first says that it is there": struct_file([(2, 1, 1, 2)], [(1, 0, 1, 1)]),
    "the first says that it is null": struct_file([(2, 0, 1, 2)], [(1, 1, 1, 1)]),
    "on a later page": struct_file([(2, 0), (1, 2)], [(1, 0), (0, 1)]),
    "across pages": struct_file([(2, 0), (1, 2)], [(1,), (0, 0, 1)]),
    "items in other rows": list_file(((0, 1, 0, 0), (1, 1, 0, 1)), ((0, 0, 0, 1), (1, 0, 1, 1))),
    "an empty list": list_file(((0, 0), (1, 0)), ((0, 0), (0, 1))),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
@pytest.mark.parametrize("strings", ["utf8", "dictionary"])
def test_siblings_that_contradict_each_other(kind: str, strings: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTRADICTIONS[kind])
    for batch_rows in (1, 2, 1024):
        with pytest.raises(firstbyte_arrow.CorruptFileError):
            list(firstbyte_arrow.open(path).scan(batch_size=batch_rows, strings=strings))
        with (
            PureReader(path, batch_rows=batch_rows) as reader,
            pytest.raises(CorruptParquetError, match=r"contradict|differ in length|few"),
        ):
            list(reader)


def test_a_part_of_a_group_is_held_against_what_is_read_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTRADICTIONS["the first says that it is null"])
    dataset = firstbyte_arrow.open(path)
    assert pa.table(dataset.scan(columns=["s.b"])).num_rows == 4
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="contradict each other"):
        list(dataset.scan(columns=["s.a", "s.b"]))


@pytest.mark.parametrize("claimed", [2, 3])
def test_a_page_that_claims_too_many_values(claimed: int, tmp_path: Path) -> None:
    """It has them, as indices are filled up to eight, and would push the last one out of the column."""
    pages = [
        page(bytes([1]) + b"\x03\x01", count, encoding=RLE_DICTIONARY) for count in (claimed, 1)
    ]
    chunk = Chunk(
        ["c"], INT32, pages, 3, dictionary=dictionary_page(numbers(2), 2), overrides={2: [0, 3, 8]}
    )
    path = tmp_path / "file"
    path.write_bytes(parquet([leaf("c", INT32)], [(3, [chunk])]))
    if claimed == 2:
        assert pa.table(firstbyte_arrow.open(path).scan())["c"].to_pylist() == [2, 1, 2]
        return
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="more than 3 values"):
        list(firstbyte_arrow.open(path).scan())
    with PureReader(path) as reader, pytest.raises(CorruptParquetError, match="after the last"):
        list(reader)
