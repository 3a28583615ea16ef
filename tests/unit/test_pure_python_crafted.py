"""Files written byte by byte here: old forms that today's writers avoid, features refused, forgeries."""

from __future__ import annotations

import base64
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cramjam
import pyarrow as pa
import pytest
from firstbyte.backends.pure_python.backend import create
from firstbyte.backends.pure_python.codecs import decompress
from firstbyte.backends.pure_python.errors import (
    CorruptParquetError,
    MalformedError,
    TruncatedError,
)
from firstbyte.backends.pure_python.footer import TAIL_BYTES
from firstbyte.backends.pure_python.pages import FIRST_READ_BYTES
from firstbyte.backends.pure_python.schema import Leaf, List, Struct, read_schema
from firstbyte.backends.pure_python.source import Source
from parquet_bytes import (
    BIT_PACKED,
    BYTE_ARRAY,
    INT32,
    OPTIONAL,
    PLAIN,
    REPEATED,
    REQUIRED,
    RLE,
    dictionary_page,
    group,
    ints,
    leaf,
    levels,
    page,
    page_v2,
    parquet,
    thrift,
    varint,
)

from firstbyte.api import Unsupported
from firstbyte.errors import UnknownNameError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crafted.parquet"


def read(path: Path, **options: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    with create().open(path, **options) as reader:
        for batch in reader:
            for name, column in batch.columns.items():
                columns.setdefault(name, []).extend(column)
    return columns


def first_chunk(footer: dict[int, Any]) -> Any:
    return footer[4][0][1][0][3]


# Forms of the format that are rare but right


def test_the_crafted_file_is_read(path: Path) -> None:
    parquet(
        path, {"a": page(ints(1, 2), 2) + page(ints(3), 1), "b": page(ints(4, 5, 6), 3)}, rows=3
    )
    assert read(path, batch_rows=2) == {"a": [1, 2, 3], "b": [4, 5, 6]}
    assert read(path, columns=["b"]) == {"b": [4, 5, 6]}
    assert read(path, columns=[]) == {}


def test_a_checksum_that_matches_is_accepted_though_it_is_stored_signed(path: Path) -> None:
    body = ints(1, 2, 3)
    crc = zlib.crc32(body)
    assert crc >= 2**31, "pick other values: the sign must matter"
    parquet(path, {"a": page(body, 3, crc=crc - 2**32)}, rows=3)
    assert read(path) == {"a": [1, 2, 3]}


def test_a_header_longer_than_the_first_read(path: Path) -> None:
    """Statistics of long strings make long headers."""
    statistics = {1: b"x" * (5 * FIRST_READ_BYTES)}
    header = {1: 0, 2: 4, 3: 4, 5: {1: 1, 2: PLAIN, 3: RLE, 4: RLE, 5: statistics}}
    parquet(path, {"a": thrift(header)[1] + ints(1) + page(ints(2), 1)}, rows=2)
    assert read(path) == {"a": [1, 2]}


def test_a_footer_longer_than_the_first_read(path: Path) -> None:
    note = [{1: "note", 2: "x" * (2 * TAIL_BYTES)}]
    parquet(path, {"a": page(ints(1), 1)}, rows=1, edit=lambda footer: footer.update({5: note}))
    assert read(path) == {"a": [1]}


@pytest.mark.parametrize("offset", [0, 10**9])
def test_a_dictionary_offset_that_is_none_of_the_chunk(offset: int, path: Path) -> None:
    parquet(
        path,
        {"a": page(ints(1), 1)},
        rows=1,
        edit=lambda footer: first_chunk(footer).update({11: offset}),
    )
    assert read(path) == {"a": [1]}


def test_empty_pages_and_index_pages_are_passed_over(path: Path) -> None:
    index = thrift({1: 1, 2: 3, 3: 3})[1] + b"xyz"
    pages = page(b"", 0) + index + page(ints(7), 1) + page(b"", 0) + page(ints(8), 1)
    parquet(path, {"a": pages}, rows=2)
    assert read(path) == {"a": [7, 8]}


def test_a_row_may_span_pages(path: Path) -> None:
    schema = [leaf("n", repetition=REPEATED)]
    pages = page(levels(0, 1) + levels(1, 1) + ints(1, 2), 2)
    pages += page(levels(1, 0) + levels(1, 1) + ints(3, 4), 2)
    parquet(path, {"n": pages}, rows=2, values=4, schema=schema)
    assert read(path) == {"n": [[1, 2, 3], [4]]}
    assert read(path, batch_rows=1) == {"n": [[1, 2, 3], [4]]}


def test_a_page_without_values_may_have_no_body(path: Path) -> None:
    schema = [leaf("n", repetition=OPTIONAL)]
    for encoding in (PLAIN, 5, 8):
        parquet(path, {"n": page(levels(0, 0), 2, encoding=encoding)}, rows=2, schema=schema)
        assert read(path) == {"n": [None, None]}


def test_dictionary_of_one_entry_needs_no_bits(path: Path) -> None:
    pages = dictionary_page(ints(9), 1) + page(b"\0" + varint(3 << 1), 3, encoding=8)
    parquet(path, {"n": pages}, rows=3)
    assert read(path) == {"n": [9, 9, 9]}


OLD_LISTS = {
    # Rules of LogicalTypes.md, "Backward-compatibility rules": name -> (elements, shape).
    "repeated leaf in a list": ([group("l", 1, OPTIONAL, 3), leaf("n", repetition=2)], [5]),
    "repeated group of two": (
        [group("l", 1, OPTIONAL, 3), group("e", 2, REPEATED), leaf("n"), leaf("m")],
        [{"n": 5, "m": 5}],
    ),
    "repeated group named array": (
        [group("l", 1, OPTIONAL, 3), group("array", 1, REPEATED), leaf("n")],
        [{"n": 5}],
    ),
    "repeated group named _tuple": (
        [group("l", 1, OPTIONAL, 3), group("l_tuple", 1, REPEATED), leaf("n")],
        [{"n": 5}],
    ),
    "three levels": (
        [group("l", 1, OPTIONAL, 3), group("bag", 1, REPEATED), leaf("n")],
        [5],
    ),
    "repeated group outside a list": ([group("l", 1, REPEATED), leaf("n")], [{"n": 5}]),
    "map marked by its entries": (
        [group("l", 1, OPTIONAL, 2), group("kv", 2, REPEATED), leaf("n"), leaf("m")],
        [(5, 5)],
    ),
}


@pytest.mark.parametrize("name", OLD_LISTS)
def test_lists_and_maps_of_old_writers(name: str, path: Path) -> None:
    schema, expected = OLD_LISTS[name]
    optional = 3 in schema[0] and schema[0][3] == OPTIONAL
    body = page(levels(0) + levels(2 if optional else 1) + ints(5), 1)
    leaves = [element[4] for element in schema if 5 not in element]
    groups = [element[4] for element in schema if 5 in element]
    chunks = {".".join([*groups, name]): body for name in leaves}
    parquet(path, chunks, rows=1, schema=schema)
    assert read(path) == {"l": [expected]}


def test_levels_of_a_nested_schema() -> None:
    elements = [
        {"name": "root", "num_children": 1},
        {"name": "s", "repetition": OPTIONAL, "num_children": 1},
        {"name": "l", "repetition": OPTIONAL, "num_children": 1, "logical": {"list": {}}},
        {"name": "list", "repetition": REPEATED, "num_children": 1},
        {"name": "element", "repetition": OPTIONAL, "physical": BYTE_ARRAY, "converted": 0},
    ]
    (node,) = read_schema(elements)
    assert isinstance(node, Struct)
    (inner,) = node.children
    assert isinstance(inner, List)
    assert isinstance(inner.item, Leaf)
    assert (node.definition, inner.definition, inner.item_definition) == (1, 2, 3)
    assert (inner.item.max_definition, inner.item.max_repetition) == (4, 1)
    assert inner.item.dotted == "s.l.list.element"
    assert inner.item.logical.kind == "string"


# What old writers left, as peers read it


def with_codec(number: int) -> Callable[[dict[int, Any]], None]:
    return lambda footer: first_chunk(footer).update({4: number})


def test_a_total_that_an_appending_writer_left_as_it_was(path: Path) -> None:
    parquet(path, {"a": page(ints(1, 2), 2)}, rows=2, edit=lambda f: f.update({3: 1}))
    assert read(path) == {"a": [1, 2]}


def test_a_column_that_states_that_it_has_no_children(path: Path) -> None:
    parquet(path, {"a": page(ints(1), 1)}, rows=1, edit=lambda f: f[2][1].update({5: 0}))
    assert read(path) == {"a": [1]}


def test_a_chunk_whose_size_lacks_its_dictionarys_header(path: Path) -> None:
    dictionary = dictionary_page(ints(9, 8), 2)
    pages = dictionary + page(b"\1" + varint(1 << 1 | 1) + b"\2", 2, encoding=2)
    header_bytes = len(dictionary) - 8
    size = len(pages) - header_bytes
    parquet(path, {"a": pages}, rows=2, edit=lambda f: first_chunk(f).update({6: size, 7: size}))
    assert read(path) == {"a": [9, 8]}


def test_a_last_run_that_is_not_filled_up_to_eight_values(path: Path) -> None:
    """Three indices of three bits in two bytes, in a run of eight that would take three."""
    indices = b"\3" + varint(1 << 1 | 1) + (0 | 1 << 3 | 2 << 6).to_bytes(2, "little")
    pages = dictionary_page(ints(7, 8, 9), 3) + page(indices, 3, encoding=8)
    parquet(path, {"a": pages}, rows=3)
    assert read(path) == {"a": [7, 8, 9]}


def test_a_run_that_lacks_more_than_the_padding_of_its_last_values(path: Path) -> None:
    indices = b"\3" + varint(2 << 1 | 1) + b"\0\0\0"
    pages = dictionary_page(ints(7), 1) + page(indices, 3, encoding=8)
    parquet(path, {"a": pages}, rows=3)
    assert_corrupt(path, "a", "a bit-packed run is cut off")


@pytest.mark.parametrize("count", [1, 8, 13])
def test_bit_packed_levels(count: int, path: Path) -> None:
    """Most significant bit first, no length before them."""
    present = [slot % 3 != 1 for slot in range(count)]
    bits = sum(bit << (7 - slot % 8) << 8 * (slot // 8) for slot, bit in enumerate(present))
    packed = bits.to_bytes((count + 7) // 8, "little")
    body = packed + ints(*(slot for slot, here in enumerate(present) if here))
    pages = page(body, count, level_encoding=BIT_PACKED)
    parquet(path, {"x": pages}, rows=count, schema=[leaf("x", repetition=OPTIONAL)])
    expected = [slot if here else None for slot, here in enumerate(present)]
    assert read(path) == {"x": expected}
    assert read(path, batch_rows=5) == {"x": expected}


def test_bit_packed_levels_that_are_cut_off(path: Path) -> None:
    pages = page(b"", 9, level_encoding=BIT_PACKED)
    parquet(path, {"x": pages}, rows=9, schema=[leaf("x", repetition=OPTIONAL)])
    assert_corrupt(path, "x", "the bit-packed levels of a page are cut off")


def big(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def lz4_block(data: bytes) -> bytes:
    return bytes(cramjam.lz4.compress_block(data, store_size=False))


RAW = ints(*range(50))
LZ4_FORMS: dict[str, bytes] = {
    "one block of Hadoop's": big(len(RAW), len(lz4_block(RAW))) + lz4_block(RAW),
    "two blocks of Hadoop's": b"".join(
        big(len(half), len(lz4_block(half))) + lz4_block(half) for half in (RAW[:120], RAW[120:])
    ),
    "a bare block": lz4_block(RAW),
    "a frame": bytes(cramjam.lz4.compress(RAW)),
}


@pytest.mark.parametrize("form", LZ4_FORMS)
def test_what_is_called_lz4(form: str, path: Path) -> None:
    pages = page(LZ4_FORMS[form], 50, uncompressed_size=len(RAW))
    parquet(path, {"a": pages}, rows=50, edit=with_codec(5))
    assert read(path) == {"a": list(range(50))}


def test_an_lz4_block_of_another_size_than_its_header_claims(path: Path) -> None:
    block = lz4_block(RAW[:100])
    body = big(len(RAW), len(block)) + block
    parquet(path, {"a": page(body, 50, uncompressed_size=len(RAW))}, rows=50, edit=with_codec(5))
    assert_corrupt(path, "a", "an LZ4 block holds 100 bytes, its header claims 200")


def test_compressed_pages_that_say_that_they_are_not(path: Path) -> None:
    body = bytes(cramjam.snappy.compress_raw(RAW))
    pages = page_v2(body, 50, size=len(RAW), is_compressed=False)
    parquet(path, {"a": pages}, rows=50, edit=with_codec(1))
    assert read(path) == {"a": list(range(50))}


@pytest.mark.parametrize("nulls", [1, -1])
def test_a_header_that_is_right_or_silent_about_nulls(nulls: int, path: Path) -> None:
    definition = levels(1, 0)[4:]
    pages = page_v2(ints(5), 2, definition=definition, nulls=nulls)
    parquet(path, {"x": pages}, rows=2, schema=[leaf("x", repetition=OPTIONAL)])
    assert read(path, batch_rows=1) == {"x": [5, None]}


@pytest.mark.parametrize(("what", "stated"), [("nulls", 0), ("nulls", 2), ("rows", 1)])
def test_a_header_that_its_levels_contradict(what: str, stated: int, path: Path) -> None:
    definition = levels(1, 0)[4:]
    pages = page_v2(ints(5), 2, definition=definition, **{"nulls": 1, what: stated})
    parquet(path, {"x": pages}, rows=2, schema=[leaf("x", repetition=OPTIONAL)])
    seen = {"nulls": 1, "rows": 2}[what]
    assert_corrupt(path, "x", f"a page holds {seen} {what}, its header claims {stated}")


def test_two_fields_of_one_name_are_both_there(path: Path) -> None:
    schema = [group("s", 2, OPTIONAL), leaf("n"), leaf("n")]
    pages = [page(levels(1, 0) + ints(value), 2) for value in (5, 6)]
    chunks = {"s.n": pages[0], "s.n ": pages[1]}
    parquet(
        path, chunks, rows=2, schema=schema, edit=lambda f: f[4][0][1][1][3].update({3: ["s", "n"]})
    )
    assert read(path) == {"s": [[("n", 5), ("n", 6)], None]}
    with create().open(path) as reader:
        (column,) = reader.canonical(next(reader)).columns
    assert [child.to_pylist() for child in column.flatten()] == [[5, None], [6, None]]


def test_groups_without_columns_are_null_or_empty(path: Path) -> None:
    schema = [group("s", 3), leaf("n"), group("none", 0, OPTIONAL), group("empty", 0)]
    parquet(path, {"s.n": page(ints(5, 6), 2)}, rows=2, schema=schema)
    assert read(path) == {"s": [{"n": value, "none": None, "empty": {}} for value in (5, 6)]}


def test_a_top_level_group_without_columns(path: Path) -> None:
    def add(footer: dict[int, Any]) -> None:
        footer[2][0].update({5: 2})
        footer[2].append(group("g", 0, OPTIONAL))

    parquet(path, {"a": page(ints(1, 2), 2)}, rows=2, edit=add)
    assert read(path) == {"a": [1, 2], "g": [None, None]}


def test_columns_beside_an_encrypted_one(path: Path) -> None:
    def encrypt(footer: dict[int, Any]) -> None:
        footer.update({8: {}})
        footer[4][0][1][1].update({8: {}})
        footer[4][0][1][1].pop(3)

    pages = page(ints(1), 1)
    parquet(path, {"a": pages, "secret": pages}, rows=1, edit=encrypt)
    assert read(path, columns=["a"]) == {"a": [1]}
    with pytest.raises(Unsupported, match=r"^column 'secret' is encrypted$"):
        read(path)


def test_intervals_that_are_marked_as_unknown(path: Path) -> None:
    fixed = {1: 7, 2: 12, 3: REQUIRED, 4: "i", 6: 21, 10: {11: {}}}
    edit = lambda footer: first_chunk(footer).update({1: 7})  # noqa: E731
    parquet(path, {"i": page(b"x" * 24, 2)}, rows=2, schema=[fixed], edit=edit)
    assert read(path) == {"i": [b"x" * 12] * 2}
    with create().open(path) as reader:
        assert reader.canonical(next(reader)).column("i").to_pylist() == [b"x" * 12] * 2


FAR = {
    # converted type -> (physical type, stored values, Python values)
    "date": (6, INT32, ints(0, 2**31 - 1), [date(1970, 1, 1), 2**31 - 1]),
    "timestamp": (10, 2, struct.pack("<2q", 0, 2**60), [datetime(1970, 1, 1, tzinfo=UTC), 2**60]),
}


@pytest.mark.parametrize("name", FAR)
def test_dates_beyond_the_years_that_python_knows_stay_integers(name: str, path: Path) -> None:
    converted, physical, body, expected = FAR[name]
    schema = [leaf("t", physical, converted=converted)]
    edit = lambda footer: first_chunk(footer).update({1: physical})  # noqa: E731
    parquet(path, {"t": page(body, 2)}, rows=2, schema=schema, edit=edit)
    assert read(path) == {"t": expected}
    with create().open(path) as reader:
        column = reader.canonical(next(reader)).column("t")
    assert column.cast("int32" if name == "date" else "int64").to_pylist() == [0, expected[1]]


def test_int96_beyond_64_bits_of_nanoseconds_is_refused_in_arrow_form(path: Path) -> None:
    body = struct.pack("<qi", 0, 2440588 + 3_000_000)
    edit = lambda footer: first_chunk(footer).update({1: 3})  # noqa: E731
    parquet(path, {"t": page(body, 1)}, rows=1, schema=[leaf("t", 3)], edit=edit)
    assert read(path) == {"t": [3_000_000 * 86_400_000_000_000]}
    with create().open(path) as reader, pytest.raises(Unsupported, match="column 't' as Arrow"):
        reader.canonical(next(reader))


# Features that are refused by name


def test_codec_refused(path: Path) -> None:
    parquet(path, {"a": page(ints(1), 1)}, rows=1, edit=with_codec(3))
    with pytest.raises(Unsupported, match="codec LZO"):
        read(path)


def test_encoding_of_the_wrong_type_refused(path: Path) -> None:
    parquet(path, {"x": page(ints(1), 1, encoding=7)}, rows=1)
    with pytest.raises(Unsupported, match="encoding DELTA_BYTE_ARRAY of this type in column 'x'"):
        read(path)


def test_other_refusals(path: Path) -> None:
    one = {"a": page(ints(1), 1)}
    parquet(path, one, rows=1, edit=lambda footer: footer[4][0][1][0].update({1: "other"}))
    with pytest.raises(Unsupported, match="stored in another file, 'other'"):
        read(path)
    path.write_bytes(parquet(path, one, rows=1).read_bytes()[:-4] + b"PARE")
    with pytest.raises(Unsupported, match="encrypted footer"):
        read(path)
    schema = [group("g", 1), group("m", 1, OPTIONAL, 1), group("kv", 1, REPEATED), leaf("k")]
    parquet(path, one, rows=1, schema=schema)
    with pytest.raises(Unsupported, match=r"map 'g\.m' without key and value"):
        read(path)
    both = [leaf("a"), leaf("a")]
    parquet(path, one, rows=1, schema=both, edit=lambda f: f[2][0].update({5: 2}))
    with pytest.raises(Unsupported, match="two columns of the same name 'a'"):
        read(path)


# Faults, each named with file, column and place


def assert_corrupt(path: Path, column: str, fault: str) -> CorruptParquetError:
    with pytest.raises(CorruptParquetError, match=fault) as caught:
        read(path)
    assert (caught.value.file, caught.value.column) == (str(path), column)
    return caught.value


def test_the_error_names_the_page(path: Path) -> None:
    first = page(ints(1), 1)
    parquet(path, {"a": first + page(ints(2)[:3], 1)}, rows=2)
    error = assert_corrupt(path, "a", "1 values wanted, 0 are left")
    assert error.offset == 4 + len(first)
    assert str(error) == (
        f"corrupt parquet file {path}: column 'a' at byte {4 + len(first)}: "
        "1 values wanted, 0 are left"
    )
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "magic bytes PAR1 are missing"),
        (b"PAR1PAR1", "magic bytes PAR1 are missing"),
        (b"x" * 100, "magic bytes PAR1 are missing"),
        (b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1", "footer claims 2147483647 bytes"),
        (b"PAR1" + b"\0" + b"\1\0\0\0" + b"PAR1", "required field row_groups is missing"),
        (b"PAR1" + b"\x19" + b"\1\0\0\0" + b"PAR1", "thrift structure is cut off"),
    ],
)
def test_footer_faults(data: bytes, fault: str, path: Path) -> None:
    path.write_bytes(data)
    assert_corrupt(path, "", fault)


FOOTER_EDITS: dict[str, Callable[[dict[int, Any]], object]] = {
    "group 'a' has -1 columns": lambda f: (f[2][1].update({5: -1}), f[2][1].pop(1)),
    "num_rows is negative": lambda f: f.update({3: -2}),
    "has 0 column chunks for 1 columns": lambda f: f[4][0].update({1: []}),
    "1 schema elements have no parent": lambda f: f[2].append(leaf("b")),
    "the schema ends before its last column": lambda f: f[2][0].update({5: 2}),
    "unknown physical type 9": lambda f: f[2][1].update({1: 9}),
    "unknown repetition 7": lambda f: f[2][1].update({3: 7}),
    "cannot be of logical type string": lambda f: f[2][1].update({6: 0}),
}
CHUNK_EDITS: dict[str, Callable[[dict[int, Any]], None]] = {
    "belongs to column 'z'": lambda f: first_chunk(f).update({3: ["z"]}),
    "unknown codec 77": lambda f: first_chunk(f).update({4: 77}),
    "data_page_offset is negative": lambda f: first_chunk(f).update({9: -4}),
    "beyond the file": lambda f: first_chunk(f).update({7: 10**12}),
    "fewer values than its row group has rows": lambda f: first_chunk(f).update({5: 0}),
    "a page of 2 values where 1 are left": lambda f: first_chunk(f).update({5: 1}),
    "the required field meta_data is missing": lambda f: f[4][0][1][0].pop(3),
}


@pytest.mark.parametrize("fault", [*FOOTER_EDITS, *CHUNK_EDITS])
def test_footer_forgeries(fault: str, path: Path) -> None:
    edit = (FOOTER_EDITS | CHUNK_EDITS)[fault]
    parquet(path, {"a": page(ints(1, 2), 2)}, rows=2, edit=edit)
    assert_corrupt(path, "" if fault in FOOTER_EDITS else "a", fault)


PAGE_FORGERIES: dict[str, tuple[bytes, int]] = {
    "checksum of the page does not match": (page(ints(1), 1, crc=5), 1),
    "does not fit its column chunk": (page(ints(1), 1, compressed_size=99), 1),
    "has 4 bytes, its header claims 99": (page(ints(1), 1, uncompressed_size=99), 1),
    "unknown page type 6": (page(ints(1), 1, kind=6), 1),
    "unknown encoding 42": (page(ints(1), 1, encoding=42), 1),
    "a page of -1 values": (page(ints(1), -1), 1),
    "the pages end with 1 values missing": (page(ints(1), 1), 2),
    "indices without a dictionary page": (page(b"\0\2", 1, encoding=8), 1),
    "a second dictionary page": (dictionary_page(ints(1), 1) * 2, 1),
    "a dictionary page in encoding 5": (dictionary_page(ints(1), 1, 5), 1),
    "a dictionary of 1000 values in 4 bytes": (dictionary_page(ints(1), 1000), 1),
    "an index is beyond the 1 dictionary": (
        dictionary_page(ints(1), 1) + page(b"\1\2\1", 1, encoding=8),
        1,
    ),
}


@pytest.mark.parametrize("fault", PAGE_FORGERIES)
def test_page_forgeries(fault: str, path: Path) -> None:
    pages, rows = PAGE_FORGERIES[fault]
    parquet(path, {"a": pages}, rows=rows)
    assert_corrupt(path, "a", fault)


LEVEL_FORGERIES: dict[str, bytes] = {
    "the levels of a page are cut off": b"\xff\0\0\0",
    "run-length data ends": levels(0) + levels(1) + ints(1, 2),
    "continues a row that never started": levels(1, 0) + levels(1, 1) + ints(1, 2),
    "2 rows wanted, the column chunk has 1": levels(0, 1) + levels(1, 1) + ints(1, 2),
    "2 values wanted, 1 are left": levels(0, 0) + levels(1, 1) + ints(1),
}


@pytest.mark.parametrize("fault", LEVEL_FORGERIES)
def test_level_forgeries(fault: str, path: Path) -> None:
    schema = [leaf("n", repetition=REPEATED)]
    parquet(path, {"n": page(LEVEL_FORGERIES[fault], 2)}, rows=2, values=2, schema=schema)
    assert_corrupt(path, "n", fault)


def test_text_that_is_not_utf8(path: Path) -> None:
    parquet(
        path,
        {"t": page(b"\1\0\0\0\xff", 1)},
        rows=1,
        schema=[leaf("t", BYTE_ARRAY, converted=0)],
        edit=lambda footer: first_chunk(footer).update({1: BYTE_ARRAY}),
    )
    assert_corrupt(path, "t", "'utf-8' codec can't decode byte 0xff")


def test_a_read_beyond_the_end(path: Path) -> None:
    path.write_bytes(b"abc")
    source = Source(path)
    assert source.read(1, 2) == b"bc"
    for offset, size in ((2, 2), (-1, 1), (0, 2**62)):
        with pytest.raises(TruncatedError, match="lie outside the file"):
            source.read(offset, size)
    source.close()


def test_a_level_deeper_than_the_column(path: Path) -> None:
    schema = [group("s", 1, OPTIONAL), group("t", 1), leaf("n", repetition=OPTIONAL)]
    pages = page(levels(3) + ints(1), 1)
    parquet(path, {"s.t.n": pages}, rows=1, schema=schema)
    assert_corrupt(path, "s.t.n", "a level is beyond the depth")


def test_fields_of_a_struct_that_disagree(path: Path) -> None:
    schema = [group("l", 1, REPEATED), group("s", 2), leaf("n"), leaf("m")]
    one = page(levels(0) + levels(1) + ints(1), 1)
    none = page(levels(0) + levels(0), 1)
    parquet(path, {"l.s.n": one, "l.s.m": none}, rows=1, schema=schema)
    assert_corrupt(path, "l", "the fields of 'l' contradict each other about where it is")


def test_an_item_after_an_empty_list(path: Path) -> None:
    schema = [leaf("n", repetition=REPEATED)]
    pages = page(levels(0, 1) + levels(0, 1) + ints(1), 2)
    parquet(path, {"n": pages}, rows=1, values=2, schema=schema)
    assert_corrupt(path, "n", "continues a list of 'n' that has none")


@pytest.mark.parametrize("codec", [1, 2, 4, 6, 7])
def test_forged_sizes_allocate_nothing(codec: int, path: Path) -> None:
    pages = page(b"\xff" * 30, 1, uncompressed_size=2**31 - 1)
    parquet(path, {"a": pages}, rows=1, edit=lambda footer: first_chunk(footer).update({4: codec}))
    tracemalloc.start()
    try:
        assert_corrupt(path, "a", "a page claims 2147483647 bytes, its column chunk")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


COMPRESS: dict[int, Callable[[bytes], Any]] = {
    1: cramjam.snappy.compress_raw,
    2: cramjam.gzip.compress,
    4: cramjam.brotli.compress,
    6: cramjam.zstd.compress,
    7: lambda data: cramjam.lz4.compress_block(data, store_size=False),
}


@pytest.mark.parametrize("codec", COMPRESS)
def test_a_body_of_another_size_than_claimed(codec: int) -> None:
    plain = b"some bytes " * 20
    stored = bytes(COMPRESS[codec](plain))
    assert decompress(codec, stored, len(plain), 0) == plain
    assert decompress(codec, b"", 0, 0) == b""  # a version 2 page of nulls may have no body
    with pytest.raises(
        MalformedError, match=f"holds {len(plain)} bytes, expected {len(plain) + 1}"
    ):
        decompress(codec, stored, len(plain) + 1, 0)
    with pytest.raises(MalformedError, match="does not decompress"):
        decompress(codec, stored, len(plain) - 1, 0)


def test_forged_counts_allocate_nothing(path: Path) -> None:
    """Rows and values claimed alike, and a run that keeps the promise: nulls by the thousand million."""
    count = 2**31 - 1
    runs = varint(count << 1) + b"\0"
    schema = [leaf("n", repetition=OPTIONAL)]
    pages = page(struct.pack("<I", len(runs)) + runs, count)
    parquet(path, {"n": pages}, rows=count, schema=schema)
    tracemalloc.start()
    try:
        with create().open(path, batch_rows=10) as reader:
            assert next(reader).columns == {"n": [None] * 10}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_bad_arguments(path: Path) -> None:
    parquet(path, {"größe": page(ints(1), 1)}, rows=1)
    with pytest.raises(UnknownNameError, match="no column 'grösse'; did you mean 'größe'"):
        read(path, columns=["grösse"])
    with pytest.raises(ValueError, match="batch_rows is 0"):
        read(path, batch_rows=0)
    with pytest.raises(FileNotFoundError):
        create().open(path.with_name("missing"))


def test_a_note_of_arrow_types_with_names_that_are_no_text(path: Path) -> None:
    """It is no data: what cannot be read of it is not asked for."""
    note = base64.b64encode(pa.schema([("abc", pa.int32())]).serialize().to_pybytes())
    broken = base64.b64encode(base64.b64decode(note).replace(b"abc", b"\xe3bc"))
    pages = {"a": page(ints(7), 1)}
    parquet(
        path,
        pages,
        rows=1,
        edit=lambda footer: footer.update({5: [{1: "ARROW:schema", 2: broken}]}),
    )
    with create().open(path) as reader:
        assert reader.canonical(next(reader)).to_pydict() == {"a": [7]}


@pytest.mark.parametrize(("n", "m"), [((2, 1, 2), (1, 0, 1)), ((2, 0, 2), (1, 1, 1))])
def test_fields_that_disagree_where_their_struct_is(path: Path, n: Any, m: Any) -> None:
    schema = [group("s", 2, OPTIONAL), leaf("n", repetition=OPTIONAL), leaf("m")]
    pages = {
        "s.n": page(levels(*n, width=2) + ints(*range(n.count(2))), 3),
        "s.m": page(levels(*m) + ints(*range(m.count(1))), 3),
    }
    parquet(path, pages, rows=3, schema=schema)
    assert_corrupt(path, "s", "the fields of 's' contradict each other about where it is")


def test_a_page_of_values_after_the_last(path: Path) -> None:
    """A page that claims one too many has pushed it out of the chunk."""
    pages = page(ints(7, 8), 2) + page(ints(9), 1)
    parquet(path, {"a": pages}, rows=2)
    assert_corrupt(path, "a", "after the last one that the footer promises")
    parquet(path, {"a": page(ints(7, 8), 2) + page(b"", 0)}, rows=2)
    with create().open(path) as reader:
        assert next(reader).columns == {"a": [7, 8]}
