"""The libraries that read Parquet: every variant gives every row of awkward files, in order."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from firstbyte.api import Unsupported
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.engine.registry import Variant, read_backend

BACKENDS = ("pyarrow", "polars", "datafusion", "arro3", "duckdb")


def variants() -> list[Any]:
    found = []
    for name in BACKENDS:
        info = read_backend(ROOT / "backends" / name, f"firstbyte.backends.{name}")
        found += [
            pytest.param((info.module, v), id=f"{name}-{v.name}")
            for v in info.variants
            if not info.unavailable
        ]
    return found


@pytest.fixture(params=variants())
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    # Set first and then taken away, so that monkeypatch also undoes what `create` sets.
    monkeypatch.setenv("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")
    monkeypatch.delenv("POLARS_ROW_GROUP_PREFETCH_SIZE")
    module, variant = request.param
    assert isinstance(variant, Variant)
    return importlib.import_module(module).create(**variant.options)


def awkward(rows: int = 5000) -> pa.Table:
    """Nulls, empty strings, nested lists, structs, dictionaries and odd column names."""
    return pa.table(
        {
            "текст": pa.array([None if i % 7 == 0 else "é" * (i % 5) for i in range(rows)]),
            "Upper.Dotted": pa.array(range(rows), pa.int32()),
            'quo"te $1^': pa.array([float(i) for i in range(rows)], pa.float32()),
            "^.*$": pa.array(range(rows), pa.uint64()),
            "lists": pa.array(
                [None if i % 5 == 0 else [[i], [], None, [None, i]] for i in range(rows)],
                pa.list_(pa.list_(pa.int32())),
            ),
            "struct": pa.array(
                [None if i % 11 == 0 else {"a": i, "b": ["", None]} for i in range(rows)],
                pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
            ),
            "lang": pa.array([["en", "de", None][i % 3] for i in range(rows)]).dictionary_encode(),
            "bytes": pa.array([b"\x00\xff" * (i % 3) for i in range(rows)]),
            "flag": pa.array([i % 2 == 0 for i in range(rows)]),
            "when": pa.array(range(rows), pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several row groups, empty ones between and around them, and a name that looks like a glob."""
    path = tmp_path_factory.mktemp("year=2024 %20") / "a[0-9]*? #é.parquet"
    table = awkward()
    with pq.ParquetWriter(path, table.schema) as writer:
        for start, length in [(0, 0), (0, 1500), (1500, 0), (1500, 3500), (5000, 0)]:
            writer.write_table(table.slice(start, length), row_group_size=max(length, 1))
        writer.write_batch(pa.RecordBatch.from_pylist([], table.schema))
    return path


def expected(table: pa.Table) -> dict[str, str]:
    digests = ColumnDigests(table.column_names)
    for batch in table.to_batches():
        digests.update(batch)
    return digests.hexdigests()


def delivered(backend: Any, shard: Path, names: list[str], **options: Any) -> dict[str, str]:
    digests = ColumnDigests(names)
    rows = 0
    with backend.open(shard, **options) as reader:
        for batch in reader:
            rows += reader.rows(batch)
            assert reader.rows(batch) > 0
            digests.update(reader.canonical(batch))
    assert digests.rows == rows
    return digests.hexdigests()


@pytest.mark.parametrize("batch_rows", [1, 1024, 100_000])
def test_every_row_arrives_in_order(backend: Any, shard: Path, batch_rows: int) -> None:
    table = awkward()
    if batch_rows == 1:
        shard = shard.with_name("small.parquet")
        table = awkward(20)
        pq.write_table(table, shard, row_group_size=7)
    got = delivered(backend, shard, table.column_names, batch_rows=batch_rows)
    assert got == expected(table)


def test_order_survives_a_file_worth_splitting(backend: Any, tmp_path: Path) -> None:
    """Engines that split a file over the cores only do so from about a megabyte on."""
    rows = 60_000
    noise = random.Random(1)
    table = pa.table(
        {"n": pa.array(range(rows)), "text": [noise.randbytes(20).hex() for _ in range(rows)]}
    )
    path = tmp_path / "large.parquet"
    pq.write_table(table, path, row_group_size=3_000)
    assert path.stat().st_size > 2 << 20
    assert delivered(backend, path, table.column_names) == expected(table)


@pytest.mark.parametrize(
    "columns", [["Upper.Dotted"], ["текст", "struct"], ['quo"te $1^', "^.*$", "lang"]]
)
def test_projection_keeps_names_and_file_order(
    backend: Any, shard: Path, columns: list[str]
) -> None:
    if type(backend).__name__ == "Arro3Backend":
        with pytest.raises(Unsupported, match="projection"):
            backend.open(shard, columns=columns)
        return
    assert delivered(backend, shard, columns, columns=columns) == expected(
        awkward().select(columns)
    )


def test_first_values_are_ordinary_objects(backend: Any, shard: Path, tmp_path: Path) -> None:
    table = awkward().slice(1)
    path = tmp_path / "from_one.parquet"
    pq.write_table(table, path)
    want = table.slice(0, 1).to_pylist()[0]
    with backend.open(path) as reader:
        batch = next(reader)
        for name in ("текст", "Upper.Dotted", "lists", "struct", "lang", "bytes", "flag"):
            value = reader.first_value(batch, name)
            assert value == want[name]
            assert type(value) is type(want[name])


def test_a_file_without_rows_ends_at_once(backend: Any, tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    pq.write_table(awkward(0), path)
    with backend.open(path) as reader:
        assert list(reader) == []


def test_no_more_batches_after_close(backend: Any, shard: Path) -> None:
    reader = backend.open(shard, batch_rows=16)
    next(reader)
    reader.close()
    reader.close()
    with pytest.raises(StopIteration):
        next(reader)


def test_readers_in_threads_do_not_disturb_each_other(backend: Any, shard: Path) -> None:
    table = awkward()
    results: dict[int, dict[str, str]] = {}

    def read(index: int) -> None:
        results[index] = delivered(backend, shard, table.column_names, batch_rows=200 + index)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), expected(table))


def test_a_damaged_file_is_an_exception(backend: Any, shard: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    path.write_bytes(shard.read_bytes()[:-100])
    # A panic in arro3 is a BaseException.
    with (
        pytest.raises(BaseException, match=r"(?i)parquet|magic|footer"),
        backend.open(path) as reader,
    ):
        list(reader)


def test_versions_name_the_library(backend: Any) -> None:
    versions = backend.versions()
    assert versions
    assert all(isinstance(v, str) and v for v in versions.values())


def test_prepare_returns_the_shards(backend: Any, shard: Path, tmp_path: Path) -> None:
    assert backend.prepare([shard], tmp_path) == [shard]
    assert list(tmp_path.iterdir()) == []


def test_pyarrow_counts_its_pool() -> None:
    from firstbyte.backends.pyarrow.backend import create

    backend = create(reader="parquet_file")
    (name,) = backend.allocator_bytes()
    before = backend.allocator_bytes()[name]
    buffer = pa.allocate_buffer(1 << 20)
    assert backend.allocator_bytes()[name] - before == buffer.size
    assert backend.allocator_peak_bytes()[name] >= before + buffer.size
    backend.trim()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reader": "table"}, "allowed: dataset, parquet_file"),
        ({"reader": "parquet_file", "bufer": 1}, "bufer"),
    ],
)
def test_pyarrow_names_what_it_does_not_know(options: dict[str, Any], message: str) -> None:
    from firstbyte.backends.pyarrow.backend import create

    with pytest.raises(ValueError, match=message):
        create(**options)


def test_pyarrow_refuses_a_debug_build(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from firstbyte.backends.pyarrow import backend as module

    from firstbyte.api import BuildRefusedError

    monkeypatch.setattr(
        module.pyarrow, "cpp_build_info", SimpleNamespace(build_type="debug", version="0")
    )
    with pytest.raises(BuildRefusedError, match="debug build"):
        module.create(reader="parquet_file").versions()


def test_parquet_file_variants_do_not_import_the_dataset_api() -> None:
    code = (
        "import sys; from firstbyte.backends.pyarrow.backend import create; create(reader='parquet_file');"
        "sys.exit('pyarrow.dataset' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
