"""The first batch comes from the first blocks of pages with checksums and with other writers' levels, too."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crafted import (
    BIT_PACKED,
    BYTE_ARRAY,
    INT64,
    OPTIONAL,
    PLAIN,
    PLAIN_DICTIONARY,
    REQUIRED,
    RLE,
    UTF8,
    Long,
    flat_file,
    leaf,
    page,
    plain,
    runs,
    sized,
    structure,
    varint,
)

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 100_000
VALUES = [random.Random(1).getrandbits(62) for _ in range(ROWS)]
PACKED = struct.pack(f"<{ROWS}q", *VALUES)
ZSTD = 6


def one_page(body: bytes, levels: int, repetition: int, *, checksum: bool, broken: bool) -> bytes:
    """A large page; `broken` in its last compressed bytes."""
    stored = bytearray(pa.Codec("zstd").compress(body, asbytes=True))
    crc = zlib.crc32(stored)
    if broken:
        stored[-9] ^= 0xFF
    signed = crc - (1 << 32) if crc >> 31 else crc
    overrides = {4: signed} if checksum else {}
    data = page(body, ROWS, levels=levels, stored=bytes(stored), overrides=overrides)
    return flat_file(leaf("c", INT64, repetition), [data], ROWS, overrides={4: ZSTD})


LAYOUTS: dict[str, tuple[bytes, int, int]] = {
    "levels in runs": (sized(runs((1, ROWS))), RLE, OPTIONAL),
    "levels packed as of old": (b"\xff" * ((ROWS + 7) // 8), BIT_PACKED, OPTIONAL),
    "no levels, called packed": (b"", BIT_PACKED, REQUIRED),
    "no levels": (b"", RLE, REQUIRED),
}


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_first_batch_needs_no_whole_page(layout: str, checksum: bool, tmp_path: Path) -> None:
    levels, encoding, repetition = LAYOUTS[layout]
    path = tmp_path / "page.parquet"

    def write(broken: bool) -> Any:
        body = levels + PACKED
        path.write_bytes(one_page(body, encoding, repetition, checksum=checksum, broken=broken))
        return firstbyte_arrow.open(path)

    whole = [value for batch in write(broken=False).scan() for value in batch.column("c")]
    assert whole == VALUES
    reader = write(broken=True).scan()
    assert list(next(reader).column("c")) == VALUES[:1024]
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        # Before any row of a second batch.
        next(reader)


def test_a_checksum_is_held_against_the_page_that_was_begun(tmp_path: Path) -> None:
    """The bytes decompress; only their checksum says that they are not what was written."""
    stored = pa.Codec("zstd").compress(PACKED, asbytes=True)
    data = page(PACKED, ROWS, stored=stored, overrides={4: 12345})
    path = tmp_path / "page.parquet"
    path.write_bytes(flat_file(leaf("c", INT64), [data], ROWS, overrides={4: ZSTD}))
    reader = firstbyte_arrow.open(path).scan()
    assert list(next(reader).column("c")) == VALUES[:1024]
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="checksum"):
        next(reader)


def test_checksums_cost_the_first_batch_no_memory(tmp_path: Path) -> None:
    words = [f"{value:019d}" for value in VALUES]
    table = pa.table({"id": VALUES, "word": words, "list": [[value] for value in VALUES]})
    peaks = []
    for checksum in (False, True):
        path = tmp_path / f"{checksum}.parquet"
        options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False}
        pq.write_table(table, path, write_page_checksum=checksum, **options)
        dataset = firstbyte_arrow.open(path)
        firstbyte_arrow.reset_peak()
        before = firstbyte_arrow.memory().live_bytes
        batch = next(dataset.scan())
        peaks.append(firstbyte_arrow.memory().peak_bytes - before)
        assert pa.table(pa.record_batch(batch)).equals(table.slice(0, 1024).combine_chunks())
    assert peaks[1] <= peaks[0] + 65_536


CODECS = {"none": 0, "snappy": 1, "gzip": 2, "zstd": ZSTD, "lz4_raw": 7}


def packed_file(
    column: Any, body: bytes, rows: int, codec: str, *, broken: bool = False, dictionary: Any = None
) -> bytes:
    """One page with a checksum, or, where it is broken, the checksum of another."""

    def compressed(body: bytes) -> bytes:
        return body if codec == "none" else pa.Codec(codec).compress(body, asbytes=True)

    stored = compressed(body)
    crc = zlib.crc32(stored) ^ broken
    overrides = {4: crc - (1 << 32) if crc >> 31 else crc}
    encoding, first = PLAIN, b""
    if dictionary is not None:
        entries, count = dictionary
        encoding, packed = PLAIN_DICTIONARY, compressed(entries)
        header = {1: 2, 2: len(entries), 3: len(packed), 7: {1: count, 2: PLAIN}}
        first = structure(header) + packed
    data = page(body, rows, encoding=encoding, stored=stored, overrides=overrides)
    more = {4: CODECS[codec], 6: Long(1 << 40)}
    return flat_file(column, [data], rows, dictionary=first, overrides=more)


WORDS = [f"{value % 9_973} of {value:019d}, once more" for value in VALUES]


def big_page(kind: str, codec: str, *, broken: bool = False) -> tuple[bytes, list[Any], int]:
    """A file of one page with its values, and how large the page is."""
    levels = sized(runs((1, ROWS)))
    options: dict[str, Any] = {"broken": broken}
    values: list[Any] = VALUES
    column = leaf("c", INT64, OPTIONAL)
    match kind:
        case "numbers":
            body = levels + PACKED
        case "text":
            values, column = WORDS, leaf("c", BYTE_ARRAY, OPTIONAL, converted=UTF8)
            body = levels + plain([word.encode() for word in WORDS])
        case _:
            # Indices of 17 bits into a dictionary of all values, in their order.
            values, column = WORDS, leaf("c", BYTE_ARRAY, OPTIONAL, converted=UTF8)
            options["dictionary"] = plain([word.encode() for word in WORDS]), ROWS
            bits = sum(at << 17 * at for at in range(8)), 17
            packed = b"".join(
                (bits[0] + sum(start << 17 * at for at in range(8))).to_bytes(bits[1], "little")
                for start in range(0, ROWS, 8)
            )
            body = levels + bytes([17]) + varint(ROWS // 8 << 1 | 1) + packed
    return packed_file(column, body, ROWS, codec, **options), values, len(body)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", ["numbers", "text", "a dictionary"])
def test_the_first_rows_of_a_page_of_any_size_take_little(
    kind: str, codec: str, tmp_path: Path
) -> None:
    """As of writers whose chunks are a single page."""
    path = tmp_path / "page.parquet"
    data, values, page_bytes = big_page(kind, codec)
    path.write_bytes(data)
    dataset = firstbyte_arrow.open(path)
    before = firstbyte_arrow.memory().live_bytes
    firstbyte_arrow.reset_peak()
    reader = dataset.scan()
    assert list(next(reader).column("c")) == values[:1024]
    if codec != "zstd":
        # A page of zstd has its memory at once, of which it touches what it writes to.
        assert firstbyte_arrow.memory().peak_bytes - before < 640 << 10
    firstbyte_arrow.reset_peak()
    assert [value for batch in reader for value in batch.column("c")] == values[1024:]
    if kind != "a dictionary":
        # The page once, and its compressed bytes where the codec wants them all.
        most = (1.5 if codec == "zstd" else 2.5) * page_bytes
        assert firstbyte_arrow.memory().peak_bytes - before < most


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", ["numbers", "text", "a dictionary"])
def test_checksums_of_pages_of_any_codec_are_checked_before_a_second_batch(
    kind: str, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / "page.parquet"
    data, values, _ = big_page(kind, codec, broken=True)
    path.write_bytes(data)
    reader = firstbyte_arrow.open(path).scan()
    assert list(next(reader).column("c")) == values[:1024]
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="checksum"):
        next(reader)
