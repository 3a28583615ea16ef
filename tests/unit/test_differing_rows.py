"""A difference between two readings is named by its row, its column, both values and both types."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbyte.corpora.differing import MOST_CHARACTERS, DifferingRow, first_differing_row


def batches(values: list[Any], kind: pa.DataType, size: int = 700) -> list[pa.RecordBatch]:
    whole = pa.record_batch([pa.array(values, kind)], ["c"])
    return [whole.slice(start, size) for start in range(0, len(values), size)]


def difference(
    expected: list[Any], got: list[Any], kind: pa.DataType, other: pa.DataType | None = None
) -> DifferingRow | None:
    return first_differing_row(["c"], batches(expected, kind), batches(got, other or kind, 513))


FOO = ["foo"] * 3000
KINDS: dict[str, tuple[list[Any], list[Any], pa.DataType, pa.DataType, str]] = {
    "a trimmed blank": (
        ["foo "] * 3000,
        ["foo "] * 1782 + ["foo"] * 1218,
        pa.string(),
        pa.string(),
        "column 'c', row 1782: expected 'foo ' (string), got 'foo' (string)",
    ),
    "null for nothing": (
        ["", "a"],
        [None, "a"],
        pa.string(),
        pa.large_string(),
        "column 'c', row 0: expected '' (string), got None (large_string)",
    ),
    "minus zero": (
        [1.0, 0.0],
        [1.0, -0.0],
        pa.float64(),
        pa.float64(),
        "column 'c', row 1: expected 0.0 (double), got -0.0 (double)",
    ),
    "another type": (
        [1],
        ["1"],
        pa.int64(),
        pa.string(),
        "column 'c', row 0: expected 1 (int64), got '1' (string)",
    ),
    "a row less": (
        FOO,
        FOO[:-1],
        pa.string(),
        pa.string(),
        "column 'c', row 2999: expected 'foo' (string), got nothing",
    ),
    "a row more": (
        FOO,
        [*FOO, "x"],
        pa.string(),
        pa.string(),
        "column 'c', row 3000: expected nothing, got 'x' (string)",
    ),
    "a time zone": (
        [0],
        [0],
        pa.timestamp("s", "UTC"),
        pa.timestamp("s"),
        "column 'c', row 0: expected 1970-01-01 00:00:00+00:00 (timestamp[s, tz=UTC]),"
        " got 1970-01-01 00:00:00 (timestamp[s])",
    ),
    "a line break": (
        ["a\nb\x1b"],
        ["a"],
        pa.string(),
        pa.string(),
        "column 'c', row 0: expected 'a\\nb\\x1b' (string), got 'a' (string)",
    ),
    "a list": (
        [[1, 2]],
        [[1, None]],
        pa.list_(pa.int64()),
        pa.list_(pa.int64()),
        "column 'c', row 0: expected [1, 2] (list<item: int64>), got [1, None] (list<item: int64>)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_row_values_and_types_are_named(kind: str) -> None:
    expected, got, one, other, text = KINDS[kind]
    assert str(difference(expected, got, one, other)) == text


def test_long_values_are_shown_where_they_differ() -> None:
    found = difference(
        ["x" * 5000 + "yes" + "z" * 5000], ["x" * 5000 + "no" + "z" * 5001], pa.string()
    )
    assert found is not None
    assert "xyes" in found.expected
    assert "xno" in found.got
    assert max(len(found.expected), len(found.got)) < MOST_CHARACTERS + 30


def test_a_time_beyond_pythons_is_shown() -> None:
    found = difference([2**62], [0], pa.timestamp("s"))
    assert found is not None
    assert found.row == 0


def test_layouts_do_not_differ() -> None:
    assert difference(FOO, FOO, pa.string(), pa.large_string()) is None
    assert difference(FOO, FOO, pa.string(), pa.dictionary(pa.int32(), pa.string())) is None
    assert difference([], [], pa.string()) is None


def test_the_first_row_of_any_column_is_named() -> None:
    table = {"a": [1, 2, 3], "b": [1, 2, 3]}
    one = [pa.RecordBatch.from_pydict(table)]
    other = [pa.RecordBatch.from_pydict({"a": [1, 2, 0], "b": [1, 0, 3]})]
    found = first_differing_row(["a", "b"], one, other)
    assert found is not None
    assert (found.column, found.row) == ("b", 1)


@given(st.integers(1, 3000), st.data())
def test_it_is_the_first_one(rows: int, data: st.DataObject) -> None:
    wrong = data.draw(st.sets(st.integers(0, rows - 1), min_size=1, max_size=5))
    expected = list(range(rows))
    got = [-1 if row in wrong else row for row in expected]
    found = difference(expected, got, pa.int64())
    assert found is not None
    assert found.row == min(wrong)
