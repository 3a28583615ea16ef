"""LSHD against a file built by hand with struct, and against every single damaged byte."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import tracemalloc
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from firstbyte.backends.legacy import errors
from firstbyte.backends.legacy.file import LshdFile
from firstbyte.backends.legacy.readers import RUNGS, LshdReader
from firstbyte.backends.legacy.writer import LshdWriter
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEMA = json.dumps({"fields": [["t", "string"], ["ids", {"list": "int32"}]]}).encode()
RUNG_NAMES = pytest.mark.parametrize("rung", RUNGS)


def record(text: str, ids: list[int]) -> bytes:
    raw = b"".join(struct.pack("<i", i) for i in ids)
    return msgpack.packb({"t": text, "ids": msgpack.ExtType(1, raw)})


def by_hand(
    blocks: list[list[bytes]],
    *,
    magic: bytes = b"LSHD",
    version: int = 2,
    flags: int = 0,
    schema: bytes = SCHEMA,
    created: int = 0,
    target: int = 64 << 20,
    crc_change: int = 0,
    raw_len_change: int = 0,
    n_records_change: int = 0,
    cut_stream: int = 0,
    stream_tail: bytes = b"",
) -> bytes:
    """The byte specification, written down a second time; shares no code with the writer."""
    head = magic + struct.pack("<HHIIQI", version, flags, len(schema), target, created, 0)
    assert len(head) == 28
    out = head + struct.pack("<I", zlib.crc32(head + schema)) + schema
    index, first = [], 0
    for records in blocks:
        raw = b"".join(records)
        comp = zlib.compress(raw, 6)
        comp = comp[: len(comp) - cut_stream] + stream_tail
        index.append([len(out), len(records), first])
        crc = zlib.crc32(raw) ^ crc_change
        raw_len = len(raw) + raw_len_change
        out += b"BLK1" + struct.pack("<IIII", len(records), raw_len, len(comp), crc) + comp
        first += len(records)
    packed = zlib.compress(msgpack.packb(index), 6)
    tail = struct.pack("<QIQ", len(out), len(packed), first + n_records_change)
    out += packed
    tail += hashlib.sha1(out).digest() + struct.pack("<I", len(blocks))
    assert len(tail) == 44
    return out + tail + struct.pack("<I", zlib.crc32(tail)) + bytes(12) + b"LSHE"


def written(records: list[bytes], **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = LshdWriter(stream, SCHEMA, **options)
    for item in records:
        writer.write(item)
    writer.finish()
    return stream.getvalue()


def save(folder: Path, data: bytes) -> Path:
    path = folder / "shard.lshd"
    path.write_bytes(data)
    return path


def read_all(rung: str, path: Path, batch_rows: int = 2) -> list[tuple[str, list[int]]]:
    with RUNGS[rung](path, None, batch_rows) as reader:
        batches = list(reader)
        assert all(0 < reader.rows(batch) <= batch_rows for batch in batches)
    return [(row["t"], row["ids"].tolist()) for batch in batches for row in batch]


ROWS = [("a", [1, -2]), ("", []), ("日本", [2**31 - 1]), ("d" * 40, [-(2**31)]), ("e", [7])]
RECORDS = [record(text, ids) for text, ids in ROWS]


def test_the_writer_gives_the_specified_bytes() -> None:
    # 60 bytes close the first block after record 4 and leave one record for the second.
    assert sum(map(len, RECORDS[:3])) < 60 <= sum(map(len, RECORDS[:4]))
    expected = by_hand([RECORDS[:4], RECORDS[4:]], target=60, created=1_500_000_000)
    assert written(RECORDS, block_target_bytes=60, created_unix=1_500_000_000) == expected


def test_an_empty_file_has_the_specified_bytes() -> None:
    assert written([]) == by_hand([])


@RUNG_NAMES
@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_every_rung_reads_the_file_made_by_hand(rung: str, batch_rows: int, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([RECORDS[:3], RECORDS[3:4], RECORDS[4:]]))
    assert read_all(rung, path, batch_rows) == ROWS


@RUNG_NAMES
def test_an_empty_file_has_no_batches(rung: str, tmp_path: Path) -> None:
    assert read_all(rung, save(tmp_path, by_hand([]))) == []


@RUNG_NAMES
def test_a_block_of_many_inflate_reads(rung: str, tmp_path: Path) -> None:
    """Incompressible text makes the streaming reader cross many of its reads in mid-record."""
    noise = b"".join(hashlib.sha256(bytes([i, j])).digest() for i in range(256) for j in range(40))
    rows = [(noise[i : i + 999].hex(), [i]) for i in range(0, len(noise), 999)]
    data = by_hand([[record(*row) for row in rows]])
    assert len(data) > 4 * 65536
    assert read_all(rung, save(tmp_path, data), 50) == rows


def test_records_by_number(tmp_path: Path) -> None:
    file = LshdFile.open(
        save(tmp_path, by_hand([RECORDS[:2], RECORDS[2:4], RECORDS[4:]])), verify_sha1=False
    )
    assert [file.record(i)["t"] for i in range(len(file))] == [text for text, _ in ROWS]
    for outside in (-1, 5):
        with pytest.raises(IndexError, match=f"no record {outside}, the file has 5"):
            file.record(outside)
    file.close()
    file.close()


@RUNG_NAMES
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"magic": b"LSHX"}, errors.BadMagicError, r"expected b'LSHD', got b'LSHX'"),
        ({"version": 1}, errors.VersionError, "expected 2, got 1"),
        ({"version": 3}, errors.VersionError, "expected 2, got 3"),
        ({"flags": 2}, errors.FlagsError, "expected 0, got 0x0002"),
        ({"flags": 1}, errors.PickleRefusedError, "pickled rows refused"),
        ({"schema": b"{}"}, errors.DecodeError, "schema is not"),
    ],
)
def test_files_of_another_kind_are_refused(
    rung: str, change: dict[str, Any], error: type, message: str, tmp_path: Path
) -> None:
    path = save(tmp_path, by_hand([RECORDS], **change))
    with pytest.raises(error, match=message) as caught:
        read_all(rung, path)
    assert str(caught.value).startswith("shard.lshd: ")


def test_only_r2_looks_at_the_crc_of_a_block(tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([RECORDS], crc_change=1))
    for rung in ("r0", "r1", "r3"):
        assert read_all(rung, path) == ROWS
    with pytest.raises(errors.ChecksumError, match="block 0 crc32 mismatch, stored 0x"):
        read_all("r2", path)


def test_only_r0_and_r1_look_at_the_sha1(tmp_path: Path) -> None:
    data = bytearray(by_hand([RECORDS]))
    block = data.index(b"BLK1")
    data[block + 16] ^= 1  # the stored crc32, which r3 does not read
    path = save(tmp_path, bytes(data))
    for rung in ("r0", "r1"):
        with pytest.raises(errors.ChecksumError, match="sha1 mismatch, stored"):
            read_all(rung, path)
    assert read_all("r3", path) == ROWS


@RUNG_NAMES
@pytest.mark.parametrize(
    "records",
    [
        [RECORDS[0] + b"\x81"],  # a cut record at the end
        [RECORDS[0] + RECORDS[1]],  # one more than announced
        [msgpack.packb({"t": msgpack.ExtType(9, b"")})],
        [msgpack.packb({"t": msgpack.ExtType(1, b"123")})],
        [b"\xc1"],  # a byte that msgpack never uses
    ],
)
def test_blocks_that_do_not_hold_their_records(
    rung: str, records: list[bytes], tmp_path: Path
) -> None:
    with pytest.raises((errors.StructureError, errors.DecodeError)):
        read_all(rung, save(tmp_path, by_hand([records])))


@RUNG_NAMES
def test_every_truncation_is_an_error(rung: str, tmp_path: Path) -> None:
    data = by_hand([RECORDS[:3], RECORDS[3:]])
    for length in range(len(data)):
        with pytest.raises(errors.LshdError):
            read_all(rung, save(tmp_path, data[:length]))


@RUNG_NAMES
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_is_an_error_or_harmless(rung: str, flip: int, tmp_path: Path) -> None:
    """With the whole-file hash every change is seen; without it no change alters a row."""
    data = by_hand([RECORDS[:3], RECORDS[3:]])
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= flip
        path = save(tmp_path, bytes(damaged))
        try:
            rows = read_all(rung, path)
        except errors.LshdError:
            continue
        assert rung in ("r2", "r3"), f"byte {position} changed unseen"
        assert rows == ROWS


@RUNG_NAMES
def test_header_and_schema_are_guarded_on_every_rung(rung: str, tmp_path: Path) -> None:
    data = by_hand([RECORDS])
    for position in range(32 + len(SCHEMA)):
        damaged = bytearray(data)
        damaged[position] ^= 0x01
        with pytest.raises(errors.LshdError):
            read_all(rung, save(tmp_path, bytes(damaged)))


@RUNG_NAMES
@pytest.mark.parametrize("change", [-1, 1])
def test_trailer_and_index_must_agree_on_the_records(
    rung: str, change: int, tmp_path: Path
) -> None:
    path = save(tmp_path, by_hand([RECORDS], n_records_change=change))
    with pytest.raises(errors.StructureError, match=f"trailer {5 + change}, index 5"):
        read_all(rung, path)


@RUNG_NAMES
@pytest.mark.parametrize("change", [{"cut_stream": 4}, {"raw_len_change": 1}])
def test_a_block_must_be_as_long_as_it_says(
    rung: str, change: dict[str, int], tmp_path: Path
) -> None:
    """Every record can be had from the block, so only its end gives the damage away."""
    with pytest.raises((errors.StructureError, errors.DecodeError)):
        read_all(rung, save(tmp_path, by_hand([RECORDS], **change)))


def test_the_streaming_rung_sees_bytes_behind_the_stream(tmp_path: Path) -> None:
    with pytest.raises(errors.StructureError, match="block 0"):
        read_all("r3", save(tmp_path, by_hand([RECORDS], stream_tail=b"more")))


@pytest.mark.parametrize("rung", ["r1", "r2"])
def test_one_block_at_a_time_is_alive(
    rung: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(list[Any]):
        """A list that can be referred to weakly."""

    alive: list[weakref.ref[Watched]] = []
    decode = LshdFile.rows

    def rows(self: LshdFile, number: int, *, check_crc: bool) -> Watched:
        assert [ref() for ref in alive] == [None] * number
        decoded = Watched(decode(self, number, check_crc=check_crc))
        alive.append(weakref.ref(decoded))
        return decoded

    monkeypatch.setattr(LshdFile, "rows", rows)
    path = save(tmp_path, by_hand([RECORDS[:2], RECORDS[2:4], RECORDS[4:]]))
    assert read_all(rung, path) == ROWS
    assert len(alive) == 3


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_resealed_trailer_cannot_lead_a_reader_astray(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Trailer and index fields at will, all checksums right: a typed error or the true rows."""
    good = by_hand([RECORDS[:3], RECORDS[3:]])
    index_off, index_len, n_records = struct.unpack_from("<QIQ", good, len(good) - 64)
    near = st.integers(-2, 2)
    index = msgpack.unpackb(zlib.decompress(good[index_off : index_off + index_len]))
    cell = data.draw(st.tuples(st.integers(0, 1), st.integers(0, 2)))
    index[cell[0]][cell[1]] += data.draw(st.one_of(near, st.integers(-(2**62), 2**62)))
    packed = zlib.compress(msgpack.packb(index))
    body = good[:index_off] + packed
    tail = struct.pack(
        "<QIQ",
        max(index_off + data.draw(near), 0),
        max(len(packed) + data.draw(near), 0),
        max(n_records + data.draw(near), 0),
    )
    tail += hashlib.sha1(body).digest() + struct.pack("<I", 2)
    sealed = body + tail + struct.pack("<I", zlib.crc32(tail)) + bytes(12) + b"LSHE"
    path = tmp_path_factory.getbasetemp() / "resealed.lshd"
    path.write_bytes(sealed)
    for rung in RUNGS:
        try:
            assert read_all(rung, path) == ROWS
        except errors.LshdError:
            continue


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text(), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9))),
    target=st.integers(1, 300),
    batch_rows=st.integers(1, 20),
)
def test_any_rows_come_back(
    rows: list[tuple[str, list[int]]],
    target: int,
    batch_rows: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.lshd"
    path.write_bytes(written([record(*row) for row in rows], block_target_bytes=target))
    for rung in RUNGS:
        assert read_all(rung, path, batch_rows) == rows


def test_a_block_closes_at_its_target(tmp_path: Path) -> None:
    path = save(tmp_path, written([RECORDS[0]] * 10, block_target_bytes=3 * len(RECORDS[0])))
    file = LshdFile.open(path, verify_sha1=True)
    assert [entry.n_rec for entry in file.index] == [3, 3, 3, 1]
    file.close()


@pytest.mark.parametrize("target", [0, 1 << 32])
def test_block_targets_outside_the_format(target: int) -> None:
    with pytest.raises(ValueError, match=f"got {target}"):
        LshdWriter(io.BytesIO(), SCHEMA, block_target_bytes=target)


def test_a_record_that_fits_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstbyte.backends.legacy.writer.MAX_RAW_BYTES", 100)
    writer = LshdWriter(io.BytesIO(), SCHEMA, block_target_bytes=100)
    writer.write(bytes(60))
    with pytest.raises(errors.RecordTooLargeError, match="allowed 40 bytes, got 41"):
        writer.write(bytes(41))


@RUNG_NAMES
def test_readers_name_unknown_columns_and_bad_batches(rung: str, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([RECORDS]))
    make: type[LshdReader] = RUNGS[rung]
    with pytest.raises(ValueError, match=r"no column x in shard.lshd \(allowed: t, ids\)"):
        make(path, ["x"], 10)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        make(path, None, 0)
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "none.lshd", None, 10)


@RUNG_NAMES
def test_the_collector_is_on_again_after_reading(rung: str, tmp_path: Path) -> None:
    import gc

    path = save(tmp_path, by_hand([RECORDS]))
    assert gc.isenabled()
    read_all(rung, path)
    assert gc.isenabled()


@RUNG_NAMES
def test_closing_ends_the_pass_and_the_file(rung: str, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([RECORDS[:3], RECORDS[3:]]))
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    reader = RUNGS[rung](path, None, 1)
    next(reader)
    reader.close()
    reader.close()
    with pytest.raises(StopIteration):
        next(reader)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def peak_bytes(work: Callable[[], object]) -> int:
    """The most that Python and msgpack's buffers held at once while it ran, raised or not."""
    tracemalloc.start()
    try:
        with contextlib.suppress(errors.LshdError):
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(content_bytes: int) -> bytes:
    return msgpack.packb({"t": "", "ids": msgpack.ExtType(1, bytes(content_bytes))})


@RUNG_NAMES
def test_a_block_that_inflates_to_more_than_it_claims_is_left_alone(
    rung: str, tmp_path: Path
) -> None:
    size = 64 << 20
    path = save(tmp_path, by_hand([[bomb(size)]], raw_len_change=-size))
    with pytest.raises(errors.StructureError, match="block 0 length differs"):
        read_all(rung, path)
    assert peak_bytes(lambda: read_all(rung, path)) < 4 << 20


def resealed(data: bytes, index: bytes, n_blocks: int) -> bytes:
    """The file with other bytes for its index, and all checksums right."""
    index_off, _, n_records = struct.unpack_from("<QIQ", data, len(data) - 64)
    body = data[:index_off] + index
    tail = struct.pack("<QIQ", index_off, len(index), n_records)
    tail += hashlib.sha1(body).digest() + struct.pack("<I", n_blocks)
    return body + tail + struct.pack("<I", zlib.crc32(tail)) + bytes(12) + b"LSHE"


@RUNG_NAMES
@pytest.mark.parametrize("n_blocks", [1, 2**32 - 1])
def test_an_index_that_inflates_to_more_than_its_blocks_need_is_left_alone(
    rung: str, n_blocks: int, tmp_path: Path
) -> None:
    index = zlib.compress(msgpack.packb([[0, 1, 0]] * (1 << 20)))
    path = save(tmp_path, resealed(by_hand([RECORDS]), index, n_blocks))
    with pytest.raises(errors.StructureError):
        read_all(rung, path)
    assert peak_bytes(lambda: read_all(rung, path)) < 4 << 20


@RUNG_NAMES
@pytest.mark.parametrize("header", ["dd7fffffff", "df7fffffff", "db7fffffff", "c67fffffff"])
def test_an_array_that_claims_more_items_than_its_block_has_bytes(
    rung: str, header: str, tmp_path: Path
) -> None:
    """Arrays, maps, texts and bytes of two thousand million: refused before they are allocated."""
    path = save(tmp_path, by_hand([[bytes.fromhex("82a174") + bytes.fromhex(header)]]))
    with pytest.raises((errors.DecodeError, errors.StructureError)):
        read_all(rung, path)
    assert peak_bytes(lambda: read_all(rung, path)) < 4 << 20


ODD_RECORDS: dict[str, Any] = {
    "a number": 7,
    "nothing": None,
    "a list": ["a", []],
    "too few fields": {"t": "a"},
    "too many fields": {"t": "a", "ids": None, "more": 1},
}


@RUNG_NAMES
@pytest.mark.parametrize("odd", ODD_RECORDS)
def test_records_that_are_no_rows_of_the_schema(rung: str, odd: str, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([[*RECORDS, msgpack.packb(ODD_RECORDS[odd])]]))
    with pytest.raises(errors.StructureError, match="no map of the schema's 2 fields"):
        read_all(rung, path)


@RUNG_NAMES
def test_a_record_with_a_field_of_another_name(rung: str, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([[msgpack.packb({"text": "a", "ids": None})]]))
    with RUNGS[rung](path, None, 5) as reader:
        batch = next(reader)
        with pytest.raises(errors.StructureError, match="no field 't', which the schema names"):
            reader.first_value(batch, "t")
        with pytest.raises(errors.StructureError, match="no field 't', which the schema names"):
            reader.canonical(batch)


UNLIKE: dict[str, Any] = {
    "a number for a text": {"t": 7, "ids": None},
    "a text for a list": {"t": "a", "ids": "b"},
    "a map for a text": {"t": {"a": 1}, "ids": None},
    "a moment": {"t": msgpack.Timestamp(5), "ids": None},
    "texts in a list of integers": {"t": "a", "ids": ["x"]},
    "an integer that fits no 32 bits": {"t": "a", "ids": [2**40]},
}


@RUNG_NAMES
@pytest.mark.parametrize("unlike", UNLIKE)
def test_values_that_are_not_of_the_schemas_type(rung: str, unlike: str, tmp_path: Path) -> None:
    path = save(tmp_path, by_hand([[msgpack.packb(UNLIKE[unlike])]]))
    with RUNGS[rung](path, None, 5) as reader:
        batch = next(reader)
        with pytest.raises(errors.StructureError, match=r"^field '(t|ids)' is not "):
            reader.canonical(batch)


ODD_SCHEMAS = {
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "no fields": b"{}",
    "fields that are a number": b'{"fields": 3}',
    "a field without a type": b'{"fields": [["t"]]}',
    "a name that is a number": b'{"fields": [[1, "string"]]}',
    "one name twice": b'{"fields": [["t", "string"], ["t", "string"]]}',
    "nothing": b"null",
}


@RUNG_NAMES
@pytest.mark.parametrize("odd", ODD_SCHEMAS)
def test_schemas_that_are_none(rung: str, odd: str, tmp_path: Path) -> None:
    with pytest.raises(errors.DecodeError, match="schema"):
        read_all(rung, save(tmp_path, by_hand([RECORDS], schema=ODD_SCHEMAS[odd])))


ODD_TYPES = ["no such type", 5, {"list": None}, {"timestamp": "year", "tz": None}, {"struct": 1}]


@pytest.mark.parametrize("odd", ODD_TYPES, ids=str)
def test_types_that_are_none(odd: Any, tmp_path: Path) -> None:
    schema = json.dumps({"fields": [["t", odd], ["ids", {"list": "int32"}]]}).encode()
    with RUNGS["r1"](save(tmp_path, by_hand([RECORDS], schema=schema)), None, 5) as reader:
        batch = next(reader)
        with pytest.raises(errors.DecodeError, match="schema is not one of lshd"):
            reader.canonical(batch)


# msgpack's own maps, lists and scalars at will, in place of records.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary() | st.binary().map(lambda data: msgpack.ExtType(1, data)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    records=st.lists(
        st.one_of(ANYTHING, st.fixed_dictionaries({"t": ANYTHING, "ids": ANYTHING})).map(
            msgpack.packb
        ),
        min_size=1,
        max_size=3,
    ),
    flips=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), max_size=2),
)
def test_whatever_a_block_holds_ends_in_rows_or_a_typed_error(
    records: list[bytes],
    flips: list[tuple[int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    damaged = [bytearray(data) for data in records]
    for at, flip in flips:
        target = damaged[at % len(damaged)]
        target[at % len(target)] ^= flip
    path = tmp_path_factory.getbasetemp() / "anything.lshd"
    path.write_bytes(by_hand([[bytes(data) for data in damaged]]))
    for rung in RUNGS:
        with contextlib.suppress(errors.LshdError), RUNGS[rung](path, None, 2) as reader:
            for batch in reader:
                reader.first_value(batch, "t")
                assert reader.canonical(batch).num_rows == reader.rows(batch)
