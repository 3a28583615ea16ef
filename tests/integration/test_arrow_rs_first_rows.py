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
from crafted import BIT_PACKED, INT64, OPTIONAL, REQUIRED, RLE, flat_file, leaf, page, runs, sized

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
