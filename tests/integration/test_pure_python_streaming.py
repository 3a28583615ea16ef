"""How much the pure Python decoder reads and holds, and what it does with damaged files."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from firstbyte.backends.pure_python.backend import create
from firstbyte.backends.pure_python.errors import CorruptParquetError
from firstbyte.backends.pure_python.source import Source

from firstbyte.api import Unsupported

ROWS = 20_000
PAGE_ROWS = 500


@pytest.fixture(scope="module")
def many_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pages of each column in each of two row groups: text, few words, a list."""
    path = tmp_path_factory.mktemp("pages") / "pages.parquet"
    table = pa.table(
        {
            "text": [f"sentence number {i} " * 5 for i in range(ROWS)],
            "word": [f"word {i % 9}" for i in range(ROWS)],
            "list": [[i] * (i % 3) for i in range(ROWS)],
        }
    )
    pq.write_table(
        table,
        path,
        compression="none",
        use_dictionary=["word"],
        row_group_size=ROWS // 2,
        max_rows_per_page=PAGE_ROWS,
        write_batch_size=PAGE_ROWS,
        write_page_index=True,
    )
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Every (offset, size) that the reader asks the file for."""
    seen: list[tuple[int, int]] = []
    plain = Source.read

    def noted(self: Source, offset: int, size: int) -> bytes:
        seen.append((offset, size))
        return plain(self, offset, size)

    monkeypatch.setattr(Source, "read", noted)
    return seen


def test_the_first_batch_reads_one_page_of_each_column(
    many_pages: Path, reads: list[tuple[int, int]]
) -> None:
    group = pq.ParquetFile(many_pages).metadata.row_group(0)
    text_page = group.column(0).total_compressed_size / (ROWS / 2 / PAGE_ROWS)
    with create().open(many_pages, batch_rows=10) as reader:
        footer_reads = len(reads)
        assert next(reader).columns["list"][:4] == [[], [1], [2, 2], []]
        pages = sum(size for _, size in reads[footer_reads:])
        # One header guess per page, of a dictionary page too; only text pages are larger than it.
        assert pages < text_page * 1.1 + 6 * 4096
        before = len(reads)
        for _ in range(PAGE_ROWS // 10 - 1 - 3):  # list pages may end a little earlier
            next(reader)
        assert len(reads) - before <= 2


def test_only_selected_columns_are_read(many_pages: Path, reads: list[tuple[int, int]]) -> None:
    chunk = pq.ParquetFile(many_pages).metadata.row_group(0).column(1)
    with create().open(many_pages, columns=["word"]) as reader:
        footer_reads = len(reads)
        batch = next(reader)
        assert list(batch.columns) == ["word"]
        assert reader.canonical(batch).schema.names == ["word"]
    first = chunk.dictionary_page_offset
    end = first + chunk.total_compressed_size
    assert all(first <= offset and offset + size <= end for offset, size in reads[footer_reads:])


def test_columns_come_in_file_order(many_pages: Path) -> None:
    with create().open(many_pages, columns=["list", "text"]) as reader:
        assert list(next(reader).columns) == ["text", "list"]


def test_a_scan_holds_pages_not_row_groups(many_pages: Path) -> None:
    with create().open(many_pages, batch_rows=100) as reader:
        next(reader)
        tracemalloc.start()
        try:
            rows = 100 + sum(batch.num_rows for batch in reader)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert rows == ROWS
    text_bytes = pq.ParquetFile(many_pages).metadata.row_group(0).column(0).total_compressed_size
    assert peak < text_bytes / 4


def test_closing_early_and_twice(many_pages: Path) -> None:
    reader = create().open(many_pages)
    next(reader)
    reader.close()
    reader.close()
    with pytest.raises(StopIteration):
        next(reader)


def count_rows(path: Path) -> int:
    with create().open(path) as reader:
        return sum(reader.rows(batch) for batch in reader)


def test_threads_and_processes(many_pages: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(count_rows, [many_pages] * 4)) == [ROWS] * 4
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert list(processes.map(count_rows, [many_pages] * 2)) == [ROWS] * 2


def test_the_reading_path_imports_neither_numpy_nor_pyarrow(many_pages: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from firstbyte.backends.pure_python.backend import create;"
        f"print(sum(b.num_rows for b in create().open(Path({str(many_pages)!r}))),"
        "[m for m in ('numpy', 'pyarrow', 'pandas', 'decimal') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{ROWS} []\n"


def test_versions_and_prepare(many_pages: Path, tmp_path: Path) -> None:
    backend = create()
    assert set(backend.versions()) == {"pure_python", "cramjam", sys.implementation.name}
    assert all(backend.versions().values())
    assert backend.prepare([many_pages], tmp_path) == [many_pages]
    assert list(tmp_path.iterdir()) == []


def damaged(data: bytes, draws: random.Random) -> bytes:
    """Bytes changed, a bit flipped, a stretch overwritten, or a stretch cut out; footer or pages."""
    out = bytearray(data)
    footer = len(out) - 8 - int.from_bytes(out[-8:-4], "little")
    low, high = (footer, len(out)) if draws.random() < 0.4 else (4, footer)
    place = draws.randrange(low, high)
    kind = draws.randrange(4)
    if kind == 0:
        for _ in range(draws.choice((1, 2, 5))):
            out[draws.randrange(low, high)] = draws.randrange(256)
    elif kind == 1:
        out[place] ^= 1 << draws.randrange(8)
    elif kind == 2:
        length = min(draws.randrange(1, 40), len(out) - place)
        out[place : place + length] = bytes([draws.choice((0, 127, 128, 255))]) * length
    else:
        del out[place : place + draws.randrange(1, 30)]
    return bytes(out)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_damage_gives_typed_errors_only(codec: str, version: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.parquet"
    count = range(120)
    stamps = pa.array([None if i % 9 == 1 else i for i in count], pa.timestamp("us"))
    columns = {
        "plain": pa.array([None if i % 7 == 1 else f"wört {i}" for i in count]),
        "dictionary": pa.array([f"{i % 5}" for i in count]),
        "delta": pa.array([i * i for i in count], pa.int32()),
        "lengths": pa.array(["x" * (i % 9) for i in count]),
        "fronts": pa.array([f"common {i}" for i in count]),
        "split": pa.array([i / 3 for i in count]),
        "flags": pa.array([i % 3 == 0 for i in count]),
        "nested": pa.array(
            [
                None if i % 6 == 1 else [{"a": i, "b": [None, "x"][: i % 3]}] * (i % 4)
                for i in count
            ],
            pa.list_(pa.struct([("a", pa.decimal128(20, 2)), ("b", pa.list_(pa.string()))])),
        ),
        "stamps": stamps,
    }
    encodings = {
        "plain": "PLAIN",
        "delta": "DELTA_BINARY_PACKED",
        "lengths": "DELTA_LENGTH_BYTE_ARRAY",
        "fronts": "DELTA_BYTE_ARRAY",
        "split": "BYTE_STREAM_SPLIT",
        "flags": "RLE",
    }
    pq.write_table(
        pa.table(columns),
        path,
        compression=codec,
        data_page_version=version,
        data_page_size=300,
        write_batch_size=20,
        use_dictionary=["dictionary", "nested.list.element.a"],
        column_encoding=encodings,
        store_schema=False,
    )
    data = path.read_bytes()
    draws = random.Random(f"{codec} {version}")
    ends: Counter[str] = Counter()
    files: set[str] = set()
    for _ in range(100):
        path.write_bytes(damaged(data, draws))
        try:
            assert count_rows(path) <= 130
            ends["read"] += 1
        except CorruptParquetError as error:
            ends["corrupt"] += 1
            files.add(error.file)
        except Unsupported:
            ends["unsupported"] += 1
    assert ends["corrupt"] > 30
    assert files == {str(path)}
    assert ends["read"] > 0
