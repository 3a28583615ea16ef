"""Limits hold whatever a file claims; what is no file is refused; files replaced in place are noticed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
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
    PLAIN_DICTIONARY,
    REPEATED,
    UTF8,
    Chunk,
    Long,
    dictionary_page,
    flat_file,
    group,
    leaf,
    page,
    parquet,
    plain,
    runs,
    sized,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

MIB = 1 << 20
ROWS = 1 << 20
LIST = 3
WORD = dictionary_page(plain([b"x" * 256]), 1)
"""One entry, that a run of indices repeats for nothing."""


def indices(count: int) -> bytes:
    return b"\x01" + runs((0, count))


def coded_text() -> bytes:
    body = sized(runs((1, ROWS))) + indices(ROWS)
    pages = [page(body, ROWS, encoding=PLAIN_DICTIONARY)]
    column = leaf("c", BYTE_ARRAY, OPTIONAL, converted=UTF8)
    return flat_file(column, pages, ROWS, dictionary=WORD)


def nulls_only() -> bytes:
    """Offsets of four bytes a row, from a run of levels."""
    column = leaf("c", BYTE_ARRAY, OPTIONAL, converted=UTF8)
    return flat_file(column, [page(sized(runs((0, ROWS))), ROWS)], ROWS)


def list_of_text() -> bytes:
    """One list of a million items."""
    schema = [
        group("schema", 1),
        group("c", 1, OPTIONAL, LIST),
        group("list", 1, REPEATED),
        leaf("element", BYTE_ARRAY, OPTIONAL, converted=UTF8),
    ]
    levels = sized(runs((0, 1), (1, ROWS - 1))) + sized(runs((3, ROWS), width=2))
    body = page(levels + indices(ROWS), ROWS, encoding=PLAIN_DICTIONARY)
    path = ["c", "list", "element"]
    return parquet(schema, [(1, [Chunk(path, BYTE_ARRAY, [body], ROWS, dictionary=WORD)])])


def records_of_text() -> bytes:
    schema = [
        group("schema", 1),
        group("c", 1, OPTIONAL),
        leaf("x", BYTE_ARRAY, OPTIONAL, converted=UTF8),
    ]
    body = page(sized(runs((2, ROWS), width=2)) + indices(ROWS), ROWS, encoding=PLAIN_DICTIONARY)
    return parquet(schema, [(ROWS, [Chunk(["c", "x"], BYTE_ARRAY, [body], ROWS, dictionary=WORD)])])


CLAIMS = {
    "text behind a dictionary": coded_text(),
    "offsets of nulls": nulls_only(),
    "a list of text": list_of_text(),
    "records of text": records_of_text(),
}

SKEWED_ROWS = 1 << 15
"""One batch has all the text."""
NESTED_KINDS = {
    "records": (
        [group("c", 1, OPTIONAL), leaf("x", BYTE_ARRAY, OPTIONAL, converted=UTF8)],
        (0, 2),
    ),
    "maps": (
        [
            group("c", 1, OPTIONAL, 1),
            group("key_value", 2, REPEATED),
            leaf("key", INT32),
            leaf("value", BYTE_ARRAY, OPTIONAL, converted=UTF8),
        ],
        (1, 3),
    ),
    "lists of records": (
        [
            group("c", 1, OPTIONAL, LIST),
            group("list", 1, REPEATED),
            group("element", 1, OPTIONAL),
            leaf("x", BYTE_ARRAY, OPTIONAL, converted=UTF8),
        ],
        (1, 4),
    ),
    "lists of lists": (
        [
            group("c", 1, OPTIONAL, LIST),
            group("list", 1, REPEATED),
            group("element", 1, OPTIONAL, LIST),
            group("list", 1, REPEATED),
            leaf("element", BYTE_ARRAY, OPTIONAL, converted=UTF8),
        ],
        (2, 5),
    ),
}  # fmt: skip


def skewed(kind: str, before: int) -> bytes:
    """Text behind a dictionary, all of which is in one batch, with so many rows before it."""
    elements, (repetition, definition) = NESTED_KINDS[kind]
    after = ROWS - before - SKEWED_ROWS
    levels = sized(runs((definition, ROWS), width=definition.bit_length()))
    if repetition:
        levels = sized(runs((0, ROWS), width=repetition.bit_length())) + levels
    coded = b"\x01" + runs((1, before), (0, SKEWED_ROWS), (1, after))
    body = page(levels + coded, ROWS, encoding=PLAIN_DICTIONARY)
    path = [element[4] for element in elements if element[4] != "key"]
    words = dictionary_page(plain([b"x" * 256, b""]), 2)
    chunks = [Chunk(path, BYTE_ARRAY, [body], ROWS, dictionary=words)]
    if kind == "maps":
        keys = sized(runs((0, ROWS))) + sized(runs((2, ROWS), width=2)) + indices(ROWS)
        data = page(keys, ROWS, encoding=PLAIN_DICTIONARY)
        number = dictionary_page(bytes(4), 1)
        chunks.insert(0, Chunk([*path[:-1], "key"], INT32, [data], ROWS, dictionary=number))
    return parquet([group("schema", 1), *elements], [(ROWS, chunks)])


# The peak is the process's own, so that one file does not hide behind another.
CHILD = """
import json, sys
import firstbyte_arrow
dataset = firstbyte_arrow.open(sys.argv[1])
options = json.loads(sys.argv[2])
firstbyte_arrow.reset_peak()
before = firstbyte_arrow.memory().live_bytes
try:
    if options.pop("take", False):
        dataset.take(range(dataset.num_rows), **options)
    else:
        for batch in dataset.scan(**options):
            pass
    end = "rows"
except firstbyte_arrow.ParquetError as error:
    end = type(error).__name__
print(json.dumps([end, firstbyte_arrow.memory().peak_bytes - before]))
"""


def read_apart(path: Path, **options: Any) -> tuple[str, int]:
    """How reading ends in a process of its own, and the most bytes it held."""
    command = [sys.executable, "-c", CHILD, str(path), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    end, peak = json.loads(done.stdout)
    return end, peak


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("take", [False, True])
def test_a_few_bytes_cannot_stand_for_more_than_a_batch_may_take(
    claim: str, take: bool, tmp_path: Path
) -> None:
    path = tmp_path / "claim.parquet"
    path.write_bytes(CLAIMS[claim])
    assert path.stat().st_size < 1_000
    options = {"take": True} if take else {"batch_size": ROWS}
    end, peak = read_apart(path, max_batch_bytes=MIB, **options)
    assert end == "LimitError"
    # What the caller asks for by number is the caller's.
    assert peak < 8 * MIB + (16 * ROWS if take else 0)


@pytest.mark.parametrize("before", [0, SKEWED_ROWS])
@pytest.mark.parametrize("kind", NESTED_KINDS)
def test_text_that_is_all_in_one_batch_is_counted(kind: str, before: int, tmp_path: Path) -> None:
    """Also where it is in a later batch of a page than the first."""
    path = tmp_path / "skewed.parquet"
    path.write_bytes(skewed(kind, before))
    assert path.stat().st_size < 1_000
    options: dict[str, Any] = {"batch_size": SKEWED_ROWS, "max_batch_bytes": 2 * MIB}
    end, peak = read_apart(path, **options)
    assert (end, peak < 8 * MIB) == ("LimitError", True), peak
    # Shown, or stored once, it takes nothing.
    for strings in ("view", "dictionary") if kind != "maps" else ():
        end, peak = read_apart(path, strings=strings, **options)
        assert (end, peak < 8 * MIB) == ("rows", True), (strings, peak)
    end, _ = read_apart(path, batch_size=1_000, max_batch_bytes=2 * MIB)
    assert end == "rows"


def test_numbers_in_lists_of_records_are_counted(tmp_path: Path) -> None:
    """A run of indices stands for a million of them in one row."""
    schema = [
        group("schema", 1),
        group("c", 1, OPTIONAL, LIST),
        group("list", 1, REPEATED),
        group("element", 1, OPTIONAL),
        leaf("x", INT64, OPTIONAL),
    ]
    count = 1 << 19
    levels = sized(runs((0, 1), (1, count - 1))) + sized(runs((4, count), width=3))
    body = page(levels + indices(count), count, encoding=PLAIN_DICTIONARY)
    path = ["c", "list", "element", "x"]
    number = dictionary_page(bytes(8), 1)
    data = parquet(schema, [(1, [Chunk(path, INT64, [body], count, dictionary=number)])])
    file = tmp_path / "numbers.parquet"
    file.write_bytes(data)
    end, peak = read_apart(file, max_batch_bytes=3 * MIB)
    assert (end, peak < MIB) == ("LimitError", True), peak
    end, _ = read_apart(file, max_batch_bytes=8 * MIB)
    assert end == "rows"


def test_rows_of_a_large_page_count_as_they_come(tmp_path: Path) -> None:
    """Not those of a page, of which a batch takes few."""
    rows = 60_000
    lists = [[{"x": at % 5}] * 8 for at in range(rows)]
    path = tmp_path / "sound.parquet"
    pq.write_table(pa.table({"c": lists}), path, data_page_size=64 * MIB, max_rows_per_page=rows)
    end, _ = read_apart(path, batch_size=256, max_batch_bytes=256 << 10)
    assert end == "rows"


@pytest.mark.parametrize("claim", [key for key in CLAIMS if key != "a list of text"])
def test_smaller_batches_of_the_same_files_are_read(claim: str, tmp_path: Path) -> None:
    path = tmp_path / "claim.parquet"
    path.write_bytes(CLAIMS[claim])
    end, _ = read_apart(path, max_batch_bytes=MIB, batch_size=1_000)
    assert end == "rows"


def test_rows_that_a_footer_claims_are_not_reserved(tmp_path: Path) -> None:
    rows = 2 + (1 << 33)
    schema = [leaf("c", INT32, OPTIONAL), leaf("d", BYTE_ARRAY, OPTIONAL)]
    chunks = [
        Chunk([name], kind, [page(sized(runs((0, 2))), 2)], 2, overrides={5: Long(rows)})
        for name, kind in (("c", INT32), ("d", BYTE_ARRAY))
    ]
    path = tmp_path / "claim.parquet"
    path.write_bytes(parquet(schema, [(rows, chunks)]))
    for columns in (["c"], ["d"], None):
        for strings in ("utf8", "view", "dictionary"):
            end, peak = read_apart(path, batch_size=rows, columns=columns, strings=strings)
            assert (end, peak < MIB) == ("LimitError", True), (columns, strings)


def test_a_page_is_no_larger_than_its_chunk_says_to_be(tmp_path: Path) -> None:
    """Where the chunk's size can be true: otherwise `max_page_bytes` alone bounds it."""
    data = page(bytes(8), 2, overrides={2: 200 << 20})
    for size, kind in ((0, "rows"), (len(data), "rows"), (len(data) + 1, "corrupt")):
        path = tmp_path / f"{size}.parquet"
        path.write_bytes(flat_file(leaf("c", INT32), [data], 2, overrides={6: Long(size)}))
        before = firstbyte_arrow.memory().live_bytes
        firstbyte_arrow.reset_peak()
        with pytest.raises(firstbyte_arrow.CorruptFileError):
            list(firstbyte_arrow.open(path).scan())
        peak = firstbyte_arrow.memory().peak_bytes - before
        assert (peak < MIB) == (kind == "corrupt"), size


def test_rows_that_are_asked_for_again_and_again_count_each_time(tmp_path: Path) -> None:
    path = tmp_path / "few.parquet"
    pq.write_table(pa.table({"c": ["x" * 1_000, "y"]}), path)
    dataset = firstbyte_arrow.open(path)
    assert dataset.take([1] * 700 + [0], max_batch_bytes=9_000).num_rows == 701
    with pytest.raises(firstbyte_arrow.LimitError, match="max_batch_bytes=9000"):
        dataset.take([0] * 10, max_batch_bytes=9_000)


OPEN = "import sys, firstbyte_arrow\nfirstbyte_arrow.open(sys.argv[1])"


@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a device", "a socket"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    with socket.socket(socket.AF_UNIX) as server:
        match kind:
            case "a directory":
                path.mkdir()
            case "a pipe":
                os.mkfifo(path)
            case "a device":
                path = Path("/dev/zero")
            case _:
                os.chdir(tmp_path)
                server.bind("odd")
        # In a process of its own: what waits for a writer also ignores Ctrl-C.
        command = [sys.executable, "-c", OPEN, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "StoreError" in done.stderr.splitlines()[-1]
    assert str(path) in done.stderr.splitlines()[-1]


def test_a_file_replaced_in_place_with_the_same_size_and_time(tmp_path: Path) -> None:
    """Its change time tells, which no program can set."""
    path = tmp_path / "shard.parquet"

    def write(name: str) -> None:
        pq.write_table(pa.table({name: [1, 2]}), path)

    write("first")
    old = 10**18
    os.utime(path, ns=(old, old))
    sizes = [path.stat().st_size]
    stamp = firstbyte_arrow.open(path)
    assert stamp.schema.names == ["first"]
    write("other")
    os.utime(path, ns=(old, old))
    sizes.append(path.stat().st_size)
    assert sizes[0] == sizes[1]
    assert path.stat().st_mtime_ns == old
    assert firstbyte_arrow.open(path).schema.names == ["other"]
