"""Timestamps of type INT96 come in the unit that is asked for; what it does not reach is refused in words."""

from __future__ import annotations

import datetime
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crafted import (
    INT96,
    OPTIONAL,
    PLAIN_DICTIONARY,
    REPEATED,
    Chunk,
    dictionary_page,
    flat_file,
    group,
    leaf,
    page,
    parquet,
    runs,
    sized,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

EPOCH_DAY = 2_440_588
FAR = datetime.datetime(3000, 1, 2, 3, 4, 5, 678_901)
NEAR = datetime.datetime(1969, 12, 31, 23, 59, 58, 765_432)
UNITS = ("ns", "us", "ms", "s")


def int96(moment: datetime.datetime) -> bytes:
    """Nanoseconds of the day, then the Julian day."""
    since = moment - datetime.datetime(1970, 1, 1)
    nanoseconds = (since.seconds * 10**6 + since.microseconds) * 1_000
    return struct.pack("<QI", nanoseconds, EPOCH_DAY + since.days)


def flat(*moments: datetime.datetime) -> bytes:
    body = b"".join(map(int96, moments))
    return flat_file(leaf("c", INT96), [page(body, len(moments))], len(moments))


def coded(*moments: datetime.datetime) -> bytes:
    entries = dictionary_page(b"".join(map(int96, moments)), len(moments))
    count = len(moments)
    indices = b"\x08" + runs(*((at, 1) for at in range(count)), width=8)
    pages = [page(sized(runs((1, count))) + indices, count, encoding=PLAIN_DICTIONARY)]
    return flat_file(leaf("c", INT96, OPTIONAL), pages, count, dictionary=entries)


def listed(*moments: datetime.datetime) -> bytes:
    """A row for each, of one element in a struct in a list."""
    schema = [
        group("schema", 1),
        group("l", 1, OPTIONAL, 3),
        group("list", 1, REPEATED),
        group("element", 1, OPTIONAL),
        leaf("c", INT96, OPTIONAL),
    ]
    count = len(moments)
    levels = sized(runs((0, count))) + sized(runs((4, count), width=3))
    body = page(levels + b"".join(map(int96, moments)), count)
    chunk = Chunk(["l", "list", "element", "c"], INT96, [body], count)
    return parquet(schema, [(count, [chunk])])


LAYOUTS = {"plain": flat, "in a dictionary": coded, "in lists": listed}


def moments(table: pa.Table, unit: str) -> list[int]:
    column = table.column(0)
    if pa.types.is_list(column.type):
        column = column.combine_chunks().flatten().field("c")
    assert column.type == pa.timestamp(unit)
    return column.cast(pa.int64()).to_pylist()


def units(moment: datetime.datetime, unit: str) -> int:
    """Whole units since 1970, rounded down."""
    microseconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    per_second = {"ns": 10**9, "us": 10**6, "ms": 10**3, "s": 1}[unit]
    return microseconds * per_second // 10**6


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dates_come_in_the_unit_that_is_asked_for(layout: str, unit: str, tmp_path: Path) -> None:
    path = tmp_path / "int96.parquet"
    path.write_bytes(LAYOUTS[layout](NEAR, FAR))
    dataset = firstbyte_arrow.open(path)
    if unit == "ns":
        for options in ({}, {"int96": "ns"}):
            with pytest.raises(firstbyte_arrow.UnsupportedError, match="int96='us', 'ms' or 's'"):
                list(dataset.scan(**options))
            with pytest.raises(firstbyte_arrow.UnsupportedError, match="int96='us', 'ms' or 's'"):
                dataset.take([1], **options)
        return
    wanted = [units(NEAR, unit), units(FAR, unit)]
    for threads in (0, 2):
        assert moments(pa.table(dataset.scan(int96=unit, threads=threads)), unit) == wanted
    assert moments(pa.table(pa.record_batch(dataset.take([1], int96=unit))), unit) == wanted[1:]
    theirs = pq.read_table(path, coerce_int96_timestamp_unit=unit)
    assert moments(theirs, unit) == wanted


@pytest.mark.parametrize("unit", UNITS)
def test_dates_within_reach_come_in_every_unit(unit: str, tmp_path: Path) -> None:
    path = tmp_path / "int96.parquet"
    path.write_bytes(flat(NEAR))
    table = pa.table(firstbyte_arrow.open(path).scan(int96=unit))
    assert moments(table, unit) == [units(NEAR, unit)]


def test_other_timestamps_keep_their_unit(tmp_path: Path) -> None:
    path = tmp_path / "int64.parquet"
    pq.write_table(pa.table({"c": pa.array([1], pa.timestamp("ns"))}), path)
    table = pa.table(firstbyte_arrow.open(path).scan(int96="s"))
    assert table.schema.field("c").type == pa.timestamp("ns")


def test_where_compares_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "int96.parquet"
    path.write_bytes(flat(NEAR, FAR))
    dataset = firstbyte_arrow.open(path)

    def found(operator: str, other: Any) -> int:
        return pa.table(dataset.scan(int96="s", where=[("c", operator, other)])).num_rows

    assert found(">", datetime.datetime(2024, 1, 1)) == 1
    assert found("==", FAR.replace(microsecond=0)) == 1
    assert found("==", FAR) == 0


def test_a_unit_beyond_reach_in_it_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "int96.parquet"
    far = struct.pack("<QI", 0, 2**31 - 1)
    path.write_bytes(flat_file(leaf("c", INT96), [page(far, 1)], 1))
    dataset = firstbyte_arrow.open(path)
    with pytest.raises(firstbyte_arrow.UnsupportedError, match="too far from 1970"):
        list(dataset.scan(int96="us"))
    assert moments(pa.table(dataset.scan(int96="ms")), "ms") == [
        (2**31 - 1 - EPOCH_DAY) * 86_400_000
    ]


def test_a_unit_that_there_is_not_is_told(tmp_path: Path) -> None:
    path = tmp_path / "int96.parquet"
    path.write_bytes(flat(NEAR))
    with pytest.raises(ValueError, match="no unit 'h' of int96 \\(allowed: ns, us, ms, s\\)"):
        firstbyte_arrow.open(path).scan(int96="h")
