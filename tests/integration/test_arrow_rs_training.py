"""What training asks of firstbyte_arrow: shards, shuffles, resumes, random access, predicates, threads."""

from __future__ import annotations

import json
import os
import pickle
import random
import threading
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from firstbyte.worker.kernel import living_threads

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 5_300


@pytest.fixture(scope="module")
def table() -> pa.Table:
    words = random.Random(7)
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "text": [f"{i} " + "x" * words.randrange(60) for i in range(ROWS)],
            "maybe": [None if i % 3 == 0 else i / 2 for i in range(ROWS)],
            "tags": [[f"t{j}" for j in range(i % 4)] for i in range(ROWS)],
            "label": [("cat", "dog", None)[i % 3] for i in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def dataset(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("arrow_rs") / "shard.parquet"
    pq.write_table(table, path, row_group_size=1_000, data_page_size=2_048, compression="zstd")
    return firstbyte_arrow.open(path)


def ids(batches: Iterable[Any]) -> list[int]:
    return [value for batch in batches for value in batch.column("id")]


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [64, 300, 1_000, 10_000])
def test_threads_change_neither_rows_nor_batches(
    dataset: Any, table: pa.Table, threads: int, batch_size: int
) -> None:
    batches = [pa.record_batch(b) for b in dataset.scan(threads=threads, batch_size=batch_size)]
    assert {b.num_rows for b in batches[:-1]} <= {batch_size}
    assert pa.Table.from_batches(batches).equals(table)


def test_tiny_budget_still_delivers_everything(dataset: Any, table: pa.Table) -> None:
    assert pa.table(dataset.scan(threads=3, memory_budget=1)).equals(table)


def test_budget_bounds_what_threads_hold(tmp_path: Path) -> None:
    rows = 40_000
    path = tmp_path / "wide.parquet"
    text = pa.array([f"{i:0100d}" for i in range(rows)])
    pq.write_table(
        pa.table({"text": text}),
        path,
        row_group_size=2_000,
        use_dictionary=False,
        data_page_size=32_768,
    )
    budget = 1 << 20
    with firstbyte_arrow.open(path).scan(threads=4, memory_budget=budget, batch_size=100) as reader:
        assert sum(batch.num_rows for batch in reader if reader.most_bytes > 0) == rows
    with firstbyte_arrow.open(path).scan(threads=4, memory_budget=budget, batch_size=100) as reader:
        next(reader)
        for _ in range(300):
            next(reader)
        # The head's pages and a batch per thread come on top: far less than this.
        assert reader.most_bytes < budget + (1 << 19)


@pytest.mark.parametrize("threads", [0, 2])
def test_shards_share_the_rows_equally(dataset: Any, threads: int) -> None:
    parts = [ids(dataset.scan(shard=(rank, 3), threads=threads)) for rank in range(3)]
    assert {len(part) for part in parts} <= {ROWS // 3, ROWS // 3 + 1}
    assert [row for part in parts for row in part] == list(range(ROWS))


def test_seed_and_epoch_decide_the_order(dataset: Any) -> None:
    def order(**options: Any) -> list[int]:
        return ids(dataset.scan(columns=["id"], **options))

    first = order(seed=1)
    assert first == order(seed=1, threads=2)
    assert first != order(seed=1, epoch=1)
    assert sorted(first) == list(range(ROWS))
    shuffled = order(seed=1, shuffle_rows=2_000)
    assert shuffled == order(seed=1, shuffle_rows=2_000, threads=2)
    assert sorted(shuffled) == list(range(ROWS))
    neighbours = sum(b - a == 1 for a, b in pairwise(shuffled))
    assert neighbours < 30


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threads": 2},
        {"seed": 3, "shuffle_rows": 700},
        {"shard": (1, 2), "seed": 3},
        {"where": [("label", "==", "cat")]},
        {"where": [("label", "==", "cat")], "seed": 5, "shuffle_rows": 500},
    ],
)
def test_resume_goes_on_with_exactly_the_next_row(dataset: Any, options: dict[str, Any]) -> None:
    whole = ids(dataset.scan(batch_size=128, **options))
    for stop in (0, 1, 2, 9, 10**6):
        with dataset.scan(batch_size=128, **options) as reader:
            before = ids(batch for _, batch in zip(range(stop), reader, strict=False))
            position = json.loads(json.dumps(reader.position))
        assert pickle.loads(pickle.dumps(position)) == position
        after = ids(dataset.scan(batch_size=128, resume=position, **options))
        assert before + after == whole


def test_resume_refuses_another_plan(dataset: Any) -> None:
    position = dataset.scan(seed=1).position
    with pytest.raises(ValueError, match="other options"):
        dataset.scan(seed=2, resume=position)
    with pytest.raises(ValueError, match="version 9"):
        dataset.scan(seed=1, resume={**position, "version": 9})


def test_take_gives_rows_in_the_order_asked_for(dataset: Any, table: pa.Table) -> None:
    wanted = [5_299, 0, 17, 17, 2_500, 2_501, 999, 1_000]
    assert pa.table(pa.record_batch(dataset.take(wanted))).equals(
        table.take(wanted).combine_chunks()
    )
    assert dataset.take([], columns=["id"]).num_rows == 0
    with pytest.raises(ValueError, match=f"no row {ROWS}"):
        dataset.take([ROWS])


@pytest.mark.parametrize(
    ("strings", "expected"),
    [("view", pa.string_view()), ("dictionary", pa.dictionary(pa.int32(), pa.string()))],
)
@pytest.mark.parametrize("threads", [0, 2])
def test_strings_arrive_as_asked(
    dataset: Any, table: pa.Table, strings: str, expected: pa.DataType, threads: int
) -> None:
    got = pa.table(dataset.scan(columns=["text", "label"], strings=strings, threads=threads))
    assert got.schema.field("text").type == expected
    assert got["text"].to_pylist() == table["text"].to_pylist()
    assert got["label"].to_pylist() == table["label"].to_pylist()
    assert next(dataset.scan(strings=strings)).value("text", 0) == table["text"][0].as_py()


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize(("column", "value"), [("id", 1_500), ("maybe", 700.5), ("label", "cat")])
def test_predicates_agree_with_pyarrow(
    dataset: Any, table: pa.Table, column: str, operator: str, value: Any
) -> None:
    compare = {
        "==": pc.equal,
        "!=": pc.not_equal,
        "<": pc.less,
        "<=": pc.less_equal,
        ">": pc.greater,
        ">=": pc.greater_equal,
    }[operator]
    expected = table.filter(compare(table[column], value))["id"].to_pylist()
    assert ids(dataset.scan(columns=["id"], where=[(column, operator, value)])) == expected


def test_predicates_do_not_read_what_cannot_match(dataset: Any, tmp_path: Path) -> None:
    """Row groups that are excluded may even be unreadable."""
    content = bytearray(dataset.path.read_bytes())
    first_group = pq.ParquetFile(dataset.path).metadata.row_group(0)
    start = first_group.column(0).dictionary_page_offset or first_group.column(0).data_page_offset
    content[start : start + 64] = b"\xff" * 64
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(content)
    dataset = firstbyte_arrow.open(broken)
    assert ids(dataset.scan(where=[("id", ">=", 1_000)])) == list(range(1_000, ROWS))
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        ids(dataset.scan(where=[("id", ">=", 999)]))


def test_predicate_of_another_type_is_refused(dataset: Any) -> None:
    with pytest.raises(ValueError, match="cannot compare column 'id'"):
        dataset.scan(where=[("id", "==", "seven")])
    with pytest.raises(ValueError, match="no operator '=~'"):
        dataset.scan(where=[("id", "=~", 1)])


def test_threads_end_with_the_reader(dataset: Any) -> None:
    def of_the_crate() -> int:
        return living_threads("firstbyte-")

    reader = dataset.scan(threads=3, memory_budget=1)
    assert of_the_crate() == 0
    next(reader)
    assert of_the_crate() > 0
    reader.close()
    assert of_the_crate() == 0
    for _ in range(20):
        next(dataset.scan(threads=2))
    assert of_the_crate() == 0


def test_abandoned_threaded_readers_give_everything_back(dataset: Any) -> None:
    def abandon() -> tuple[int, int]:
        next(dataset.scan(threads=2))
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return firstbyte_arrow.memory().live_bytes, descriptors

    abandon()
    assert len({abandon() for _ in range(30)}) == 1


def run_in_child(action: Any) -> str:
    """What `action` returns in a forked child."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = str(action())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    return answer


def test_fork_with_a_live_threaded_reader(dataset: Any) -> None:
    reader = dataset.scan(threads=2, memory_budget=1)
    first = next(reader)

    def use_in_child() -> int:
        with pytest.raises(firstbyte_arrow.ForkedReaderError, match="open the file again"):
            next(reader)
        return sum(batch.num_rows for batch in dataset.scan(threads=2))

    assert run_in_child(use_in_child) == str(ROWS)
    assert first.num_rows + sum(batch.num_rows for batch in reader) == ROWS


def test_reader_without_threads_survives_fork(dataset: Any) -> None:
    reader = dataset.scan()
    first = next(reader).num_rows
    assert run_in_child(lambda: first + sum(batch.num_rows for batch in reader)) == str(ROWS)
    assert first + sum(batch.num_rows for batch in reader) == ROWS


def test_one_dataset_from_many_threads(dataset: Any) -> None:
    results: list[int] = []

    def read() -> None:
        results.append(sum(batch.num_rows for batch in dataset.scan()))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [ROWS] * 4


def test_file_truncated_while_it_is_read(dataset: Any, tmp_path: Path) -> None:
    path = tmp_path / "shrinks.parquet"
    path.write_bytes(dataset.path.read_bytes())
    reader = firstbyte_arrow.open(path).scan(batch_size=100)
    next(reader)
    os.truncate(path, 2_000)
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="ends early") as caught:
        list(reader)
    error = caught.value
    assert (error.file, error.row_group is None, error.offset is None) == (str(path), False, False)
    assert error.column in {"id", "text", "maybe", "tags", "label"}


def test_page_limit_names_the_option(dataset: Any) -> None:
    with pytest.raises(firstbyte_arrow.LimitError, match="max_page_bytes=100"):
        list(dataset.scan(max_page_bytes=100))


def test_batch_limit_names_the_option(dataset: Any, table: pa.Table) -> None:
    options = {"columns": ["tags"], "max_batch_bytes": 20_000}
    with pytest.raises(firstbyte_arrow.LimitError, match="max_batch_bytes=20000") as caught:
        list(dataset.scan(batch_size=ROWS, **options))
    assert caught.value.column == "tags"
    got = pa.table(dataset.scan(batch_size=100, **options))
    assert got.equals(table.select(["tags"]))


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_codec_and_page_version(
    table: pa.Table, tmp_path: Path, codec: str, version: str
) -> None:
    path = tmp_path / "codec.parquet"
    pq.write_table(
        table,
        path,
        compression=codec,
        data_page_version=version,
        data_page_size=4_096,
        write_page_checksum=True,
    )
    assert pa.table(firstbyte_arrow.open(path).scan(batch_size=500)).equals(table)


@pytest.mark.parametrize("strings", ["utf8", "view", "dictionary"])
@pytest.mark.parametrize("threads", [0, 2])
def test_dictionary_given_up_half_way(
    table: pa.Table, tmp_path: Path, strings: str, threads: int
) -> None:
    """Writers begin with a dictionary and go on with plain pages when it grows too large."""
    path = tmp_path / "fallback.parquet"
    pq.write_table(
        table, path, data_page_size=1_024, dictionary_pagesize_limit=8_192, compression="zstd"
    )
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert {"PLAIN", "RLE_DICTIONARY"} <= set(chunk.encodings)
    dataset = firstbyte_arrow.open(path)
    for batch_size in (1, 37, 512, 5_000, 10_000):
        got = pa.table(dataset.scan(strings=strings, threads=threads, batch_size=batch_size))
        assert got.to_pydict() == table.to_pydict()
    assert pa.table(pa.record_batch(dataset.take([5, 3_000, 1]))).to_pydict() == (
        table.take([5, 3_000, 1]).to_pydict()
    )


@pytest.mark.parametrize(
    ("column", "encoding"),
    [
        ("id", "DELTA_BINARY_PACKED"),
        ("id", "BYTE_STREAM_SPLIT"),
        ("text", "DELTA_LENGTH_BYTE_ARRAY"),
        ("text", "DELTA_BYTE_ARRAY"),
        ("label", "DELTA_BYTE_ARRAY"),
        ("maybe", "BYTE_STREAM_SPLIT"),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_encoding(
    table: pa.Table, tmp_path: Path, column: str, encoding: str, version: str
) -> None:
    path = tmp_path / "encoding.parquet"
    pq.write_table(
        table.select([column]),
        path,
        use_dictionary=False,
        column_encoding={column: encoding},
        data_page_size=4_096,
        data_page_version=version,
    )
    got = pa.table(firstbyte_arrow.open(path).scan(batch_size=500))
    assert got.equals(table.select([column]))


def test_wrong_checksum_is_noticed(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "sum.parquet"
    pq.write_table(
        table.select(["id"]),
        path,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    content = bytearray(path.read_bytes())
    at = content.index((1_234).to_bytes(8, "little"))
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(firstbyte_arrow.CorruptFileError, match="checksum"):
        list(firstbyte_arrow.open(path).scan())
