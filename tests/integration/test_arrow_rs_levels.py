"""Levels and counts that contradict each other are corrupt, however text is asked for: never nulls."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from crafted import (
    BYTE_ARRAY,
    INT32,
    OPTIONAL,
    REPEATED,
    REQUIRED,
    RLE_DICTIONARY,
    UTF8,
    Chunk,
    dictionary_page,
    group,
    leaf,
    page,
    page_v2,
    parquet,
    plain,
    runs,
    sized,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

LIST = 3
MODES = ("utf8", "view", "dictionary")


def i32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


TEXT = leaf("c", BYTE_ARRAY, OPTIONAL, converted=UTF8)
NUMBER = leaf("c", INT32, OPTIONAL)
LIST_OF_TEXT = (
    group("c", 1, OPTIONAL, LIST),
    group("list", 1, REPEATED),
    leaf("element", BYTE_ARRAY, OPTIONAL, converted=UTF8),
)
RECORD = (group("c", 1, OPTIONAL), leaf("x", INT32, OPTIONAL))


def one_column(
    schema: Sequence[Any], data: bytes, rows: int, values: int, dictionary: bytes = b""
) -> bytes:
    path = [element[4] for element in schema]
    chunk = Chunk(path, schema[-1][1], [data], values, dictionary=dictionary)
    return parquet([group("schema", 1), *schema], [(rows, [chunk])])


WORDS = plain([b"one", b"two", b"three"])
DICTIONARY = dictionary_page(plain([b"one"]), 1)
ONES = b"\x01" + runs((0, 3))
"""Three indices of one bit, all 0."""


def list_page(repetition: bytes, definition: bytes, count: int, words: Sequence[bytes]) -> bytes:
    return page(sized(repetition) + sized(definition) + plain(words), count)


SOUND = {
    "flat, version 1": one_column([TEXT], page(sized(runs((1, 3))) + WORDS, 3), 3, 3),
    "flat, version 2": one_column([TEXT], page_v2(WORDS, 3, definition=runs((1, 3))), 3, 3),
    "flat, version 2, unknown nulls": one_column(
        [TEXT], page_v2(plain([b"a", b"b"]), 3, definition=runs((1, 2), (0, 1)), nulls=-1), 3, 3
    ),
    "dictionary": one_column(
        [TEXT],
        page(sized(runs((1, 3))) + ONES, 3, encoding=RLE_DICTIONARY), 3, 3, DICTIONARY,
    ),
    "list": one_column(
        LIST_OF_TEXT,
        list_page(runs((0, 1), (1, 1), (0, 2)), runs((3, 2), (1, 1), (0, 1), width=2), 4, [b"a", b"b"]),
        3, 4,
    ),
    "list, version 2": one_column(
        LIST_OF_TEXT,
        page_v2(
            plain([b"a", b"b"]), 3, repetition=runs((0, 1), (1, 1), (0, 1)),
            definition=runs((3, 2), (1, 1), width=2), nulls=1, rows=2,
        ),
        2, 3,
    ),
    "record": one_column(RECORD, page(sized(runs((2, 2), (0, 1), width=2)) + i32(4, 5), 3), 3, 3),
}  # fmt: skip

BROKEN = {
    "a level above the highest": one_column([TEXT], page(sized(runs((2, 3))) + WORDS, 3), 3, 3),
    "a level above the highest, packed": one_column(
        RECORD, page(sized(b"\x03" + b"\xff\xff") + i32(4, 5, 6), 3), 3, 3
    ),
    "a level above the highest, version 2": one_column(
        [TEXT], page_v2(WORDS, 3, definition=runs((7, 3))), 3, 3
    ),
    "a level above the highest, numbers": one_column(
        [NUMBER], page(sized(runs((3, 3))) + i32(1, 2, 3), 3), 3, 3
    ),
    "too few levels": one_column([TEXT], page(sized(runs((1, 2))) + WORDS, 3), 3, 3),
    "a run that claims more levels than there are": one_column(
        [TEXT], page(sized(b"\x0b\x07") + WORDS, 3), 3, 3
    ),
    "too few levels, version 2": one_column(
        [TEXT], page_v2(WORDS, 3, definition=runs((1, 2))), 3, 3
    ),
    "too few levels, dictionary": one_column(
        [TEXT],
        page(sized(runs((1, 2))) + ONES, 3, encoding=RLE_DICTIONARY), 3, 3, DICTIONARY,
    ),
    "too few levels, record": one_column(
        RECORD, page(sized(runs((2, 2), width=2)) + i32(4, 5, 6), 3), 3, 3
    ),
    "too few values": one_column(
        [TEXT], page(sized(runs((1, 3))) + plain([b"a", b"b"]), 3), 3, 3
    ),
    "too few values, record": one_column(
        RECORD, page(sized(runs((2, 3), width=2)) + i32(4, 5), 3), 3, 3
    ),
    "fewer nulls than the header says": one_column(
        [TEXT], page_v2(WORDS, 3, definition=runs((1, 3)), nulls=1), 3, 3
    ),
    "more nulls than the header says": one_column(
        [TEXT], page_v2(plain([b"a"]), 3, definition=runs((1, 1), (0, 2)), nulls=1), 3, 3
    ),
    "nulls where none can be": one_column(
        [leaf("c", INT32, REQUIRED)], page_v2(i32(1, 2, 3), 3, nulls=2), 3, 3
    ),
    "a list's level above the highest": one_column(
        (group("c", 1, REQUIRED, LIST), group("list", 1, REPEATED), leaf("element", BYTE_ARRAY, OPTIONAL)),
        list_page(runs((0, 2)), runs((3, 2), width=2), 2, [b"a", b"b"]), 2, 2,
    ),
    "a list that goes on with nothing": one_column(
        LIST_OF_TEXT,
        list_page(runs((0, 1), (1, 1)), runs((3, 1), (1, 1), width=2), 2, [b"a"]), 1, 2,
    ),
    "a list's levels end early": one_column(
        LIST_OF_TEXT, list_page(runs((0, 3)), runs((3, 2), width=2), 3, [b"a", b"b"]), 3, 3
    ),
    "more rows than the header says": one_column(
        LIST_OF_TEXT,
        page_v2(
            plain([b"a", b"b"]), 2, repetition=runs((0, 2)), definition=runs((3, 2), width=2), rows=1
        ),
        2, 2,
    ),
}  # fmt: skip


def read(path: Path, **options: Any) -> list[Any]:
    with firstbyte_arrow.open(path).scan(**options) as reader:
        return [row for batch in reader for row in pa.record_batch(batch)["c"].to_pylist()]


@pytest.mark.parametrize("kind", SOUND)
def test_sound_levels_are_read_alike_in_every_mode(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "crafted.parquet"
    path.write_bytes(SOUND[kind])
    rows = [read(path, strings=mode) for mode in MODES]
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == firstbyte_arrow.open(path).num_rows
    assert any(row is not None for row in rows[0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BROKEN)
def test_levels_that_contradict_their_page_are_corrupt(
    kind: str, mode: str, tmp_path: Path
) -> None:
    path = tmp_path / "crafted.parquet"
    path.write_bytes(BROKEN[kind])
    for options in ({}, {"batch_size": 1}, {"threads": 2}):
        with pytest.raises(firstbyte_arrow.CorruptFileError):
            read(path, strings=mode, **options)


def two_groups(rows: tuple[int, int], lists: tuple[int, int], mode_column: Any) -> bytes:
    """Row groups that say to have so many rows, and chunks that have other numbers of lists."""
    groups = []
    for count, found in zip(rows, lists, strict=True):
        body = list_page(runs((0, found)), runs((3, found), width=2), found, [b"a"] * found)
        groups.append((count, [Chunk(["c", "list", "element"], BYTE_ARRAY, [body], found)]))
    return parquet([group("schema", 1), *mode_column], groups)


@pytest.mark.parametrize("mode", MODES)
def test_rows_never_move_from_one_row_group_to_the_next(mode: str, tmp_path: Path) -> None:
    """Two groups whose rows are right together, and wrong each."""
    path = tmp_path / "crafted.parquet"
    path.write_bytes(two_groups((2, 2), (2, 2), LIST_OF_TEXT))
    assert read(path, strings=mode) == [["a"]] * 4
    path.write_bytes(two_groups((2, 2), (3, 3), LIST_OF_TEXT))
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        read(path, strings=mode)
