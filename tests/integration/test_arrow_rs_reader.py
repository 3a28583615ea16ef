"""firstbyte_arrow against pyarrow: the same rows, through every door, and clean errors."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")


@pytest.fixture
def table() -> pa.Table:
    rows = 2_500
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "text": [f"row {i} " + "é" * (i % 7) for i in range(rows)],
            "maybe": [None if i % 3 == 0 else i / 2 for i in range(rows)],
            "tags": [[f"t{j}" for j in range(i % 4)] for i in range(rows)],
        }
    )


@pytest.fixture
def shard(tmp_path: Path, table: pa.Table) -> Path:
    path = tmp_path / "shard.parquet"
    pq.write_table(table, path, row_group_size=1_000, compression="zstd")
    return path


def test_rows_equal_pyarrows(shard: Path, table: pa.Table) -> None:
    with firstbyte_arrow.open(shard).scan(batch_size=300) as reader:
        batches = [pa.record_batch(batch) for batch in reader]
    assert pa.Table.from_batches(batches).equals(table)


def test_stream_and_schema_capsules(shard: Path, table: pa.Table) -> None:
    dataset = firstbyte_arrow.open(shard)
    assert pa.schema(dataset.schema).equals(table.schema)
    assert pa.table(dataset.scan(columns=["text"])).equals(table.select(["text"]))


def test_values_are_plain_objects(shard: Path) -> None:
    batch = next(firstbyte_arrow.open(shard).scan())
    assert batch.value("text", 1) == "row 1 é"
    assert batch.value("maybe", 0) is None
    assert batch.value("tags", 3) == ["t0", "t1", "t2"]
    assert batch.column("id")[-1] == batch.num_rows - 1
    with pytest.raises(KeyError, match="nope"):
        batch.value("nope", 0)
    with pytest.raises(IndexError):
        batch.value("id", batch.num_rows)


def test_columns_come_in_file_order(shard: Path) -> None:
    assert firstbyte_arrow.open(shard).scan(columns=["text", "id"]).schema.names == ["id", "text"]


def test_row_groups_come_as_asked(shard: Path) -> None:
    with firstbyte_arrow.open(shard).scan(row_groups=[2, 0], columns=["id"]) as reader:
        ids = pa.table(reader)["id"].to_pylist()
    assert ids == [*range(2_000, 2_500), *range(1_000)]


def test_bad_arguments_name_what_is_allowed(shard: Path) -> None:
    dataset = firstbyte_arrow.open(shard)
    with pytest.raises(
        ValueError, match=r"no column 'txt' \(the file has: id, text, maybe, tags\)"
    ):
        dataset.scan(columns=["txt"])
    with pytest.raises(ValueError, match="no row group 3"):
        dataset.scan(row_groups=[3])
    with pytest.raises(ValueError, match="batch_size"):
        dataset.scan(batch_size=0)


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        firstbyte_arrow.open(tmp_path / "none.parquet")
    assert isinstance(caught.value, firstbyte_arrow.StoreError)
    assert caught.value.file == str(tmp_path / "none.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1"])
def test_not_parquet_is_a_corrupt_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.parquet"
    path.write_bytes(content)
    with pytest.raises(firstbyte_arrow.CorruptFileError):
        firstbyte_arrow.open(path)


def test_closed_reader_says_so(shard: Path) -> None:
    reader = firstbyte_arrow.open(shard).scan()
    next(reader)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        next(reader)


def test_dataset_pickles_by_path(shard: Path) -> None:
    copy = pickle.loads(pickle.dumps(firstbyte_arrow.open(shard)))
    assert copy.num_rows == 2_500
    assert copy.row_groups == [1_000, 1_000, 500]


def test_live_bytes_return_to_the_same_value(shard: Path) -> None:
    def abandon() -> int:
        dataset = firstbyte_arrow.open(shard)
        next(dataset.scan())
        list(dataset.scan())
        del dataset
        return firstbyte_arrow.memory().live_bytes

    abandon()
    assert len({abandon() for _ in range(20)}) == 1


def test_import_takes_no_other_library() -> None:
    code = (
        "import sys, firstbyte_arrow;"
        "bad = {'pyarrow', 'numpy', 'polars'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
