"""`where` leaves out rows for bounds alone that the format allows to believe: no row is ever lost."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from crafted import (
    BOOLEAN,
    BYTE_ARRAY,
    DOUBLE,
    FIXED,
    INT32,
    INT64,
    TYPE_ORDER,
    UTF8,
    Chunk,
    leaf,
    page,
    parquet,
    plain,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

DECIMAL, UINT_32 = 5, 13
OLD_LARGEST, OLD_SMALLEST, LARGEST, SMALLEST, LARGEST_IS_EXACT = 1, 2, 5, 6, 7


def i32(value: int) -> bytes:
    return struct.pack("<i", value)


def double(value: float) -> bytes:
    return struct.pack("<d", value)


def one_group(
    column: dict[int, Any], values: bytes, count: int, statistics: dict[int, Any], *, ordered: bool
) -> bytes:
    """A file of one column, whose bounds are in the order of its type or in nobody knows which."""
    chunk = Chunk([column[4]], column[1], [page(values, count)], count, statistics=statistics)
    return parquet([column], [(count, [chunk])], orders=[TYPE_ORDER] if ordered else None)


def found(data: bytes, tmp_path: Path, *where: tuple[str, str, Any]) -> list[Any]:
    path = tmp_path / "crafted.parquet"
    path.write_bytes(data)
    with firstbyte_arrow.open(path).scan(where=list(where)) as reader:
        return [value for batch in reader for value in pa.record_batch(batch)["c"].to_pylist()]


TEXT = leaf("c", BYTE_ARRAY, converted=UTF8)
WORDS = ["a", "é", "abcdef"]
WORD_BYTES = plain([word.encode() for word in WORDS])

# (column, values, their number, statistics, whether there are column orders, a value to be found)
DOUBTFUL: dict[str, tuple[dict[int, Any], bytes, int, dict[int, Any], bool, Any]] = {
    "text in signed order": (
        TEXT, WORD_BYTES, 3, {OLD_SMALLEST: "é", OLD_LARGEST: "abcdef"}, True, "a",
    ),
    "text in a signed order that looks right": (
        TEXT, WORD_BYTES, 3, {OLD_SMALLEST: "a", OLD_LARGEST: "abcdef"}, True, "é",
    ),
    "text without an order": (
        TEXT, WORD_BYTES, 3, {SMALLEST: "a", LARGEST: "abcdef"}, False, "é",
    ),
    "text in an order of the future": (
        TEXT, WORD_BYTES, 3, {SMALLEST: "a", LARGEST: "abcdef"}, None, "é",
    ),
    "a largest text cut and not rounded up": (
        TEXT, plain([b"abcdef"]), 1, {SMALLEST: "abc", LARGEST: "abc"}, True, "abcdef",
    ),
    "a largest text that says that it was cut": (
        TEXT,
        plain([b"abcdef"]),
        1,
        {SMALLEST: "abc", LARGEST: "abc", LARGEST_IS_EXACT: False},
        True,
        "abcdef",
    ),
    "binary without an order": (
        leaf("c", BYTE_ARRAY), plain([b"\x01", b"\xff"]), 2,
        {SMALLEST: b"\xff", LARGEST: b"\x01", OLD_SMALLEST: b"\xff", OLD_LARGEST: b"\x01"},
        False, b"\xff",
    ),
    "a fixed width in signed order": (
        leaf("c", FIXED, width=1), b"\x01\xff", 2, {OLD_SMALLEST: b"\x01", OLD_LARGEST: b"\x01"},
        True, b"\xff",
    ),
    "unsigned numbers in signed order": (
        leaf("c", INT32, converted=UINT_32), i32(-1) + i32(1), 2,
        {OLD_SMALLEST: i32(1), OLD_LARGEST: i32(1)}, True, 2**32 - 1,
    ),
    "decimals in bytes in signed order": (
        leaf("c", FIXED, width=2, converted=DECIMAL, precision=4, scale=0), b"\x00\x01\xff\xff", 2,
        {OLD_SMALLEST: b"\x00\x01", OLD_LARGEST: b"\x00\x01"}, True, -1,
    ),
    "a smallest above the largest": (
        leaf("c", INT32), i32(3) + i32(7), 2, {SMALLEST: i32(7), LARGEST: i32(3)}, True, 7,
    ),
    "a largest that is no number": (
        leaf("c", DOUBLE), double(3) + double(math.nan), 2,
        {SMALLEST: double(5), LARGEST: double(math.nan)}, True, 3.0,
    ),
    "a smallest that is no number": (
        leaf("c", DOUBLE), double(math.nan) + double(3), 2,
        {OLD_SMALLEST: double(math.nan), OLD_LARGEST: double(1)}, True, 3.0,
    ),
    "a positive zero as the smallest": (
        leaf("c", DOUBLE), double(-0.0), 1, {SMALLEST: double(0.0), LARGEST: double(0.0)},
        True, -0.0,
    ),
    "a negative zero as the largest": (
        leaf("c", DOUBLE), double(0.0), 1, {SMALLEST: double(-0.0), LARGEST: double(-0.0)},
        True, 0.0,
    ),
    "bounds of another length": (
        leaf("c", INT32), i32(3), 1, {SMALLEST: b"\x09", LARGEST: struct.pack("<q", 9)}, True, 3,
    ),
    "bounds of no length": (leaf("c", INT64), struct.pack("<q", 3), 1, {SMALLEST: b""}, True, 3),
    "a smallest that is all right beside a largest that is not": (
        leaf("c", INT32), i32(3), 1, {SMALLEST: i32(9), LARGEST: b"\x09"}, True, 3,
    ),
    "a truth value that is none": (
        leaf("c", BOOLEAN), b"\x01", 1, {SMALLEST: b"\x00", LARGEST: b"\x07"}, True, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_bounds_that_are_in_doubt_exclude_nothing(kind: str, tmp_path: Path) -> None:
    column, values, count, statistics, ordered, wanted = DOUBTFUL[kind]
    data = one_group(column, values, count, statistics, ordered=bool(ordered))
    if ordered is None:
        chunk = Chunk(["c"], column[1], [page(values, count)], count, statistics=statistics)
        data = parquet([column], [(count, [chunk])], orders=[{9: {}}])
    for operator in ("==", ">=", "<="):
        assert wanted in found(data, tmp_path, ("c", operator, wanted)), operator
    assert wanted in found(data, tmp_path, ("c", "in", [wanted]))


BELIEVED: dict[str, tuple[dict[int, Any], dict[int, Any], Any]] = {
    "old bounds of signed numbers": (
        leaf("c", INT32), {OLD_SMALLEST: i32(-5), OLD_LARGEST: i32(5)}, 6,
    ),
    "bounds of text in its order": (TEXT, {SMALLEST: "a", LARGEST: "b"}, "c"),
    "a largest text that is exact": (
        TEXT, {SMALLEST: "a", LARGEST: "b", LARGEST_IS_EXACT: True}, "bc",
    ),
    "unsigned numbers in their order": (
        leaf("c", INT32, converted=UINT_32), {SMALLEST: i32(1), LARGEST: i32(-2)}, 2**32 - 1,
    ),
    "decimals in bytes in their order": (
        leaf("c", FIXED, width=2, converted=DECIMAL, precision=4, scale=0),
        {SMALLEST: b"\xff\xff", LARGEST: b"\x00\x01"}, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BELIEVED)
def test_bounds_that_may_be_believed_spare_the_read(kind: str, tmp_path: Path) -> None:
    """The page is no page: whoever reads it fails."""
    column, statistics, absent = BELIEVED[kind]
    chunk = Chunk(["c"], column[1], [b"\xff" * 40], 1, statistics=statistics)
    data = parquet([column], [(1, [chunk])], orders=[TYPE_ORDER])
    assert found(data, tmp_path, ("c", "==", absent)) == []
    assert found(data, tmp_path, ("c", ">=", absent)) == []
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        found(data, tmp_path, ("c", "!=", absent))


def indexed(bounds: dict[int, Any]) -> bytes:
    """Two pages of a word each, and an index of them."""
    pages = [page(plain([word]), 1) for word in (b"abcdef", b"zz")]
    chunk = Chunk(["c"], BYTE_ARRAY, pages, 2, index=(bounds, [0, 1]))
    return parquet([TEXT], [(2, [chunk])], orders=[TYPE_ORDER])


def test_bounds_of_pages_that_were_cut_and_not_rounded_up(tmp_path: Path) -> None:
    """As indexes of some writers have them."""
    data = indexed({1: [False, False], 2: ["abc", "zz"], 3: ["abc", "zz"], 4: 1})
    assert found(data, tmp_path, ("c", "==", "abcdef")) == ["abcdef"]
    assert found(data, tmp_path, ("c", ">", "abc")) == ["abcdef", "zz"]
    assert found(data, tmp_path, ("c", ">=", "abd")) == ["zz"]


def test_null_pages_are_left_out_but_for_the_question_whether(tmp_path: Path) -> None:
    column = leaf("c", INT32, 1)
    some, none = struct.pack("<I", 2) + b"\x02\x01", struct.pack("<I", 2) + b"\x02\x00"
    pages = [page(some + i32(4), 1), page(none, 1)]
    bounds = {1: [False, True], 2: [i32(4), b""], 3: [i32(4), b""], 4: 1}
    chunk = Chunk(["c"], INT32, pages, 2, index=(bounds, [0, 1]))
    data = parquet([column], [(2, [chunk])], orders=[TYPE_ORDER])
    path = tmp_path / "crafted.parquet"
    path.write_bytes(data)
    assert found(data, tmp_path, ("c", "<", 9)) == [4]
    with firstbyte_arrow.open(path).scan(where=[("c", "is null")]) as reader:
        assert [value for batch in reader for value in batch.column("c")] == [None]
    with firstbyte_arrow.open(path).scan(where=[("c", "is not null")]) as reader:
        assert [value for batch in reader for value in batch.column("c")] == [4]
