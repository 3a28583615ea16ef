"""`where` compares as Python does, whatever the types, layouts, statistics and indexes."""

from __future__ import annotations

import datetime
import math
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

from comparisons import Bench  # noqa: E402  as it imports what may be missing


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("where"))


def test_thousands_of_comparisons_are_those_of_python(bench: Bench) -> None:
    assert bench.differences(4_000, seed=1) == []


def test_the_drawn_comparisons_leave_something_and_leave_something_out(bench: Bench) -> None:
    """A bench whose comparisons match all or nothing would prove little."""
    draw = random.Random(1)
    shares = [len(bench.expected(bench.draw(draw))) / 1_500 for _ in range(500)]
    assert sum(0 < share < 0.9 for share in shares) > 200


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (("int32", "==", "seven"), "cannot compare column 'int32'"),
        (("text", "<", 3), "cannot compare column 'text'"),
        (("text", "==", b"bytes"), "cannot compare column 'text'"),
        (("date", "==", datetime.datetime(2024, 1, 1)), "cannot compare column 'date'"),
        (
            ("timestamp_us_UTC", "==", datetime.datetime(2024, 1, 1)),
            "a timestamp without a time zone",
        ),
        (("int32", "==", None), "'is null' or 'is not null'"),
        (("int32", "in", 3), "takes a list of values"),
        (("int32", "<", [3]), "takes one value"),
        (("int32", "is null", 3), "takes no value"),
        (("int32", "=~", 3), "no operator '=~'"),
        (("int32",), "a comparison is"),
        ("int32 == 3", "a comparison is"),
        (("time_us", "==", datetime.time(1, tzinfo=datetime.UTC)), "a time zone"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(bench: Bench, where: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bench.datasets[0].scan(where=[where])


def test_values_of_no_known_kind_are_refused(bench: Bench) -> None:
    with pytest.raises(TypeError, match="column 'int32' is compared with"):
        bench.datasets[0].scan(where=[("int32", "==", object())])


def rows(dataset: Any, *where: Any) -> list[int]:
    with dataset.scan(where=list(where), columns=["id"]) as reader:
        return [row for batch in reader for row in batch.column("id")]


def test_numbers_of_numpy_are_numbers(bench: Bench) -> None:
    numpy = pytest.importorskip("numpy")
    dataset = bench.datasets[0]
    for own, other in (
        (7, numpy.int64(7)),
        (2**63, numpy.uint64(2**63)),
        (0.5, numpy.float32(0.5)),
        (math.inf, numpy.float32(math.inf)),
        (True, numpy.bool_(True)),
    ):
        for column in ("int64", "uint64", "double", "truth"):
            assert rows(dataset, (column, "<", other)) == rows(dataset, (column, "<", own))


def test_decimals_beyond_all_columns_are_compared_at_once(bench: Bench) -> None:
    """Their ratio has a thousand million digits."""
    dataset = bench.datasets[0]
    everything = rows(dataset, ("decimal17", "is not null"))
    assert rows(dataset, ("decimal17", "<", Decimal("1E+999999999"))) == everything
    assert rows(dataset, ("decimal17", ">", Decimal("-1E+999999999"))) == everything
    assert rows(dataset, ("decimal17", ">", Fraction(1, 3))) == bench.expected(
        ("decimal17", ">", Decimal(1) / 3)
    )


def test_several_comparisons_must_all_hold(bench: Bench) -> None:
    asked = [("int32", ">", -(2**29)), ("text", "in", ["w0", "ab", "a1"]), ("double", "<", 1e15)]
    expected = set.intersection(*(set(bench.expected(one)) for one in asked))
    for dataset in bench.datasets:
        assert rows(dataset, *asked) == sorted(expected)


def test_where_columns_hold_null_of_any_type(bench: Bench, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "nested.parquet"
    table = pa.table(
        {
            "id": range(4),
            "list": [[1], None, [], [None]],
            "record": [{"a": 1}, {"a": None}, None, {"a": 3}],
            "nothing": pa.nulls(4),
        }
    )
    pq.write_table(table, path)
    dataset = firstbyte_arrow.open(path)
    assert rows(dataset, ("list", "is null")) == [1]
    assert rows(dataset, ("record", "is not null")) == [0, 1, 3]
    assert rows(dataset, ("nothing", "is null")) == [0, 1, 2, 3]
    assert rows(dataset, ("nothing", "==", 3)) == []
    with pytest.raises(ValueError, match="cannot compare column 'record'"):
        dataset.scan(where=[("record", "==", 1)])
