"""What old and careless writers left is read as peers read it, or refused for what it is."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crafted import (
    BIT_PACKED,
    BYTE_ARRAY,
    FIXED,
    INT32,
    INT64,
    INT96,
    OPTIONAL,
    PLAIN_DICTIONARY,
    REPEATED,
    RLE_DICTIONARY,
    UTF8,
    Byte,
    Chunk,
    Long,
    TypedList,
    dictionary_page,
    flat_file,
    group,
    leaf,
    page,
    page_v2,
    parquet,
    plain,
    runs,
    sized,
    structure,
    varint,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

LIST, MAP, DECIMAL, INTERVAL, NOTHING = 3, 1, 5, 21, 24


def i32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def table(data: bytes, tmp_path: Path, **options: Any) -> pa.Table:
    path = tmp_path / "crafted.parquet"
    path.write_bytes(data)
    dataset = firstbyte_arrow.open(path)
    with dataset.scan(**options) as reader:
        batches = [pa.record_batch(batch) for batch in reader]
    schema = pa.schema(dataset.scan(**options).schema)
    assert options.keys() & {"shard", "resume"} or sum(map(len, batches)) == dataset.num_rows
    return pa.Table.from_batches(batches, schema)


def column(data: bytes, tmp_path: Path, **options: Any) -> list[Any]:
    return table(data, tmp_path, **options)["c"].to_pylist()


NUMBER = leaf("c", INT32)
TWO = [page(i32(3, 4), 2)]
WORD_BYTES = plain([b"a", b"b"])
WORDS = dictionary_page(WORD_BYTES, 2)
CODED = page(b"\x01" + runs((1, 1), (0, 1)), 2, encoding=PLAIN_DICTIONARY)

READ: dict[str, tuple[bytes, list[Any]]] = {
    "no uncompressed size": (flat_file(NUMBER, TWO, 2, overrides={6: Long(0)}), [3, 4]),
    "an uncompressed size that is the compressed one": (
        flat_file(NUMBER, TWO, 2, overrides={6: Long(7)}),
        [3, 4],
    ),
    "a dictionary at 0": (flat_file(NUMBER, TWO, 2, overrides={11: Long(0)}), [3, 4]),
    "a size without the dictionary's header": (
        parquet(
            [leaf("c", BYTE_ARRAY, converted=UTF8)],
            [(2, [Chunk(["c"], BYTE_ARRAY, [CODED], 2, dictionary=WORDS,
                        overrides={7: Long(len(WORD_BYTES) + len(CODED))})])],
            overrides={6: "parquet-mr version 1.2.8 (build 0)"},
        ),
        ["b", "a"],
    ),
    "a stale number of rows": (
        parquet([NUMBER], [(2, [Chunk(["c"], INT32, TWO, 2)])] * 2, overrides={3: Long(2)}),
        [3, 4, 3, 4],
    ),
    "an annotation of old pandas": (flat_file(leaf("c", INT32, converted=NOTHING), TWO, 2), [3, 4]),
    "an annotation of the future": (
        flat_file(leaf("c", INT32, logical={40: {}}), TWO, 2), [3, 4],
    ),
    "intervals": (
        flat_file(leaf("c", FIXED, width=12, converted=INTERVAL), [page(bytes(range(24)), 2)], 2),
        [bytes(range(12)), bytes(range(12, 24))],
    ),
    "a decimal without a scale": (
        flat_file(leaf("c", INT32, converted=DECIMAL, precision=4), TWO, 2), [3, 4],
    ),
    "leaves with a number of children": (flat_file(NUMBER | {5: 0}, TWO, 2), [3, 4]),
    "pages after the last value": (
        flat_file(NUMBER, [*TWO, page(b"", 0), b"\xff" * 9], 2), [3, 4],
    ),
    "nulls of unknown number": (
        flat_file(
            leaf("c", INT32, OPTIONAL), [page_v2(i32(3), 2, definition=runs((1, 1), (0, 1)), nulls=-1)], 2
        ),
        [3, None],
    ),
    "levels packed as of old": (
        flat_file(
            leaf("c", INT32, OPTIONAL), [page(b"\xb0" + i32(3, 4, 5), 4, levels=BIT_PACKED)], 4
        ),
        [3, None, 4, 5],
    ),
    "a vendor's fields under known numbers": (
        flat_file(
            NUMBER | {9: "ours"}, TWO, 2, overrides={13: "ours", 16: 7, 17: "ours"}, outer={6: "ours"}
        ),
        [3, 4],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_old_files_are_read(kind: str, tmp_path: Path) -> None:
    data, expected = READ[kind]
    for options in (
        {},
        {"batch_size": 1},
        {"threads": 2},
        {"strings": "view"},
        {"strings": "dictionary"},
    ):
        assert column(data, tmp_path, **options) == expected, options
    dataset = firstbyte_arrow.open(tmp_path / "crafted.parquet")
    assert dataset.num_rows == len(expected)
    assert dataset.decompress() > 0
    assert dataset.pages_in_hand() > 0
    last = len(expected) - 1
    assert pa.record_batch(dataset.take([last]))["c"].to_pylist() == expected[-1:]
    if "stale" not in kind and "interval" not in kind and "future" not in kind:
        # The peer knows all of these as well, but for the few that it dies of.
        assert pq.read_table(tmp_path / "crafted.parquet").num_rows == len(expected)


def test_a_row_group_of_no_rows_whose_chunk_is_nowhere(tmp_path: Path) -> None:
    """As pandas wrote empty frames."""
    chunk = Chunk(["c"], INT32, [], 0, overrides={7: Long(15), 9: Long(0)})
    data = parquet([leaf("c", INT32, OPTIONAL, converted=NOTHING)], [(0, [chunk])])
    assert column(data, tmp_path) == []
    dataset = firstbyte_arrow.open(tmp_path / "crafted.parquet")
    assert dataset.decompress() == dataset.pages_in_hand() == 0


@pytest.mark.parametrize("kind", [0, 3, 12])
def test_empty_lists_of_any_type(kind: int, tmp_path: Path) -> None:
    """As fastparquet writes a file without rows."""
    data = parquet([NUMBER], [], overrides={4: TypedList(kind), 5: TypedList(kind)})
    assert column(data, tmp_path) == []


def test_a_list_in_two_levels_whose_element_is_a_map(tmp_path: Path) -> None:
    schema = [
        group("schema", 1),
        group("c", 1, OPTIONAL, LIST),
        group("array", 1, REPEATED, MAP),
        group("map", 2, REPEATED),
        leaf("key", BYTE_ARRAY, converted=UTF8),
        leaf("value", INT32, OPTIONAL),
    ]
    path = ["c", "array", "map"]
    # Two maps in one row: one of two entries, one of a null value; then a null list.
    repetition = sized(runs((0, 1), (2, 1), (1, 1), (0, 1), width=2))
    keys = repetition + sized(runs((3, 3), (0, 1), width=2)) + plain([b"a", b"b", b"c"])
    values = repetition + sized(runs((4, 2), (3, 1), (0, 1), width=3)) + i32(1, 2)
    chunks = [
        Chunk([*path, "key"], BYTE_ARRAY, [page(keys, 4)], 4),
        Chunk([*path, "value"], INT32, [page(values, 4)], 4),
    ]
    data = parquet(schema, [(2, chunks)])
    expected = [[[("a", 1), ("b", 2)], [("c", None)]], None]
    assert column(data, tmp_path) == expected
    assert pq.read_table(tmp_path / "crafted.parquet")["c"].to_pylist() == expected


def test_groups_without_columns_are_left_out(tmp_path: Path) -> None:
    schema = [group("schema", 2), group("empty", 1), {3: 0, 4: "inner", 5: 0}, NUMBER]
    data = parquet(schema, [(2, [Chunk(["c"], INT32, TWO, 2)])])
    assert table(data, tmp_path).to_pydict() == {"c": [3, 4]}


# Nanoseconds of the day and the Julian day.
def int96(*moments: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<qI", time, day) for time, day in moments)


EPOCH_DAY, YEAR_9999 = 2_440_588, 5_373_484


@pytest.mark.parametrize("coded", [False, True])
def test_timestamps_beyond_nanoseconds_are_unsupported(coded: bool, tmp_path: Path) -> None:
    def data(*moments: tuple[int, int]) -> bytes:
        values, count = int96(*moments), len(moments)
        if not coded:
            return flat_file(leaf("c", INT96), [page(values, count)], count)
        indices = b"\x04" + b"".join(runs((i, 1), width=4) for i in range(count))
        pages = [page(indices, count, encoding=PLAIN_DICTIONARY)]
        dictionary = dictionary_page(values, count)
        return flat_file(leaf("c", INT96), pages, count, dictionary=dictionary)

    near = [(1_000, EPOCH_DAY), (0, EPOCH_DAY + 106_751), (0, EPOCH_DAY - 106_751)]
    found = table(data(*near), tmp_path)["c"].cast(pa.int64()).to_pylist()
    assert found == [1_000, 106_751 * 86_400 * 10**9, -106_751 * 86_400 * 10**9]
    for far in (YEAR_9999, EPOCH_DAY - 106_753, EPOCH_DAY + 106_752):
        with pytest.raises(firstbyte_arrow.UnsupportedError, match="1677"):
            table(data(*near, (0, far)), tmp_path)


def delta_int32(first: int, step: int, count: int) -> bytes:
    """Equal steps in a single block: nothing but its header."""

    def zigzag(value: int) -> bytes:
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)

    return varint(128) + varint(4) + varint(count) + zigzag(first) + zigzag(step) + bytes(4)


def test_equal_steps_that_leave_32_bits_can_be_skipped(tmp_path: Path) -> None:
    values = [-(2**31), -(2**30), 0, 2**30]
    body = delta_int32(values[0], 2**30, 4)
    data = flat_file(NUMBER, [page(body, 4, encoding=5)], 4, encodings=[5])
    assert column(data, tmp_path) == values
    dataset = firstbyte_arrow.open(tmp_path / "crafted.parquet")
    assert list(dataset.take([3]).column("c")) == values[3:]
    assert column(data, tmp_path, shard=(1, 2)) == values[2:]
    with dataset.scan(batch_size=3) as reader:
        next(reader)
        position = reader.position
    assert column(data, tmp_path, batch_size=3, resume=position) == values[3:]


def encrypted_file(outer: dict[int, Any]) -> bytes:
    """Two columns, the second of bytes that nobody can read without its key."""
    chunks = [
        Chunk(["c"], INT32, TWO, 2),
        Chunk(["secret"], INT32, [b"\xee" * 40], 2, outer=outer),
    ]
    return parquet([NUMBER, leaf("secret", INT32)], [(2, chunks)])


@pytest.mark.parametrize("outer", [{8: {1: {}}}, {8: {2: {1: ["secret"]}}}, {9: b"metadata"}])
def test_an_encrypted_column_is_unsupported_and_the_others_are_read(
    outer: dict[int, Any], tmp_path: Path
) -> None:
    data = encrypted_file(outer)
    assert column(data, tmp_path, columns=["c"]) == [3, 4]
    dataset = firstbyte_arrow.open(tmp_path / "crafted.parquet")
    for use in (
        lambda: dataset.scan(),
        lambda: dataset.scan(columns=["secret"], threads=2),
        lambda: dataset.scan(columns=["c"], where=[("secret", "==", 1)]),
        lambda: dataset.take([0]),
        lambda: dataset.decompress(),
    ):
        with pytest.raises(firstbyte_arrow.UnsupportedError, match="encrypted") as caught:
            use()
        assert caught.value.column == "secret"


UNSUPPORTED = {
    "decimals of 77 digits": flat_file(
        leaf("c", FIXED, width=33, converted=DECIMAL, precision=77, scale=0),
        [page(bytes(33), 1)],
        1,
    ),
    "a physical type of the future": flat_file(leaf("c", 8), [page(b"", 1)], 1),
    "a codec of the future": flat_file(NUMBER, TWO, 2, overrides={4: 9}),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_is_valid_and_unknown_is_unsupported(kind: str, tmp_path: Path) -> None:
    with pytest.raises(firstbyte_arrow.UnsupportedError):
        table(UNSUPPORTED[kind], tmp_path)


def test_required_fields_of_another_type_are_still_corrupt(tmp_path: Path) -> None:
    for data in (
        flat_file(NUMBER, TWO, 2, overrides={5: "two"}),
        flat_file(NUMBER, TWO, 2, overrides={9: Byte(4)}),
        flat_file(NUMBER | {3: "required"}, TWO, 2),
    ):
        with pytest.raises(firstbyte_arrow.CorruptFileError):
            table(data, tmp_path)


def test_the_page_headers_of_the_crafted_files_are_those_of_the_format() -> None:
    """A test that reads crafted files alone would not notice that they are not Parquet."""
    data = flat_file(leaf("c", INT64), [page(struct.pack("<2q", 5, 6), 2)], 2)
    assert pq.read_table(pa.BufferReader(data))["c"].to_pylist() == [5, 6]
    assert structure({1: 3, 4: "x"}) == b"\x05\x02\x06\x08\x08\x01x\x00"


JSON = 19


@pytest.mark.parametrize("repetition", [OPTIONAL, REPEATED])
@pytest.mark.parametrize(
    "annotation", [{"converted": JSON}, {"logical": {12: {}}}, {"logical": {1: {}}}]
)
def test_text_of_every_annotation_comes_as_a_dictionary(
    annotation: dict[str, Any], repetition: int, tmp_path: Path
) -> None:
    """Both ways that a dictionary is made: as the pages have it, and from plain values."""
    column = leaf("c", BYTE_ARRAY, repetition, **annotation)
    levels = sized(runs((1, 2)))
    if repetition == REPEATED:
        levels = sized(runs((0, 2))) + levels
    indices = page(levels + bytes([1]) + runs((1, 1), (0, 1)), 2, encoding=RLE_DICTIONARY)
    coded = flat_file(column, [indices], 2, dictionary=dictionary_page(plain([b"a", b"b"]), 2))
    uncoded = flat_file(column, [page(levels + plain([b"b", b"a"]), 2)], 2)
    expected = ["b", "a"] if repetition == OPTIONAL else [["b"], ["a"]]
    for data in (coded, uncoded):
        for strings in ("utf8", "view", "dictionary"):
            found = table(data, tmp_path, strings=strings)
            assert found["c"].to_pylist() == expected


@pytest.mark.parametrize("annotation", [{"converted": JSON}, {"logical": {12: {}}}])
def test_nothing_but_nulls_comes_as_a_dictionary(
    annotation: dict[str, Any], tmp_path: Path
) -> None:
    column = leaf("c", BYTE_ARRAY, OPTIONAL, **annotation)
    nulls = page(sized(runs((0, 2))) + b"\x01", 2, encoding=RLE_DICTIONARY)
    indices = sized(runs((1, 2))) + bytes([1]) + runs((1, 1), (0, 1))
    text = page(indices, 2, encoding=RLE_DICTIONARY)
    data = flat_file(column, [nulls, text], 4, dictionary=dictionary_page(plain([b"a", b"b"]), 2))
    for batch_size in (2, 4):
        found = table(data, tmp_path, strings="dictionary", batch_size=batch_size)
        assert found["c"].to_pylist() == [None, None, "b", "a"]


@pytest.mark.parametrize("order", ["ef", "fe", "efe", "fef", "eeffee"])
def test_pages_without_values_between_rows_of_lists(order: str, tmp_path: Path) -> None:
    filled = page(sized(runs((0, 1), (1, 1))) + sized(runs((1, 2))) + i32(1, 2), 2)
    pages = {"f": filled, "e": page(sized(b"") + sized(b""), 0)}
    column = leaf("c", INT32, REPEATED)
    rows = order.count("f")
    made = [pages[letter] for letter in order]
    chunk = Chunk(["c"], INT32, made, 2 * rows)
    again = Chunk(["c"], INT32, made, 2 * rows)
    data = parquet([column], [(rows, [chunk]), (rows, [again])])
    expected = [[1, 2]] * (2 * rows)
    for batch_size in (1, 2, 1024):
        assert table(data, tmp_path, batch_size=batch_size)["c"].to_pylist() == expected
    path = tmp_path / "crafted.parquet"
    dataset = firstbyte_arrow.open(path)
    for row in range(2 * rows):
        assert pa.record_batch(dataset.take([row]))["c"].to_pylist() == [[1, 2]]
    shares = [table(data, tmp_path, shard=(rank, 3))["c"].to_pylist() for rank in range(3)]
    assert [row for share in shares for row in share] == expected


def test_deltas_of_32_bit_numbers_with_more_bits(tmp_path: Path) -> None:
    """As duckdb writes them: from 0 to the largest unsigned number and back."""

    def zigzag(number: int) -> bytes:
        return varint(number << 1 if number >= 0 else (-number << 1) - 1)

    most = 2**32 - 1
    packed = (2 * most).to_bytes(33 * 32 // 8, "little")
    stream = varint(128) + varint(4) + varint(3) + zigzag(0) + zigzag(-most)
    stream += bytes([33, 0, 0, 0]) + packed
    column = leaf("c", INT32, converted=13)
    data = flat_file(column, [page(stream, 3, encoding=5)], 3, encodings=(0, 3, 5))
    assert table(data, tmp_path)["c"].to_pylist() == [0, most, 0]
    dataset = firstbyte_arrow.open(tmp_path / "crafted.parquet")
    assert pa.record_batch(dataset.take([1]))["c"].to_pylist() == [most]
