"""The legacy backend from Parquet to digests: types, idempotence, refusal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from firstbyte.backends.legacy.backend import create
from firstbyte.backends.legacy.convert import convert_all
from hypothesis import given, settings
from hypothesis import strategies as st

from firstbyte.api import BuildRefusedError, Unsupported
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.engine.registry import read_backend

INFO = read_backend(ROOT / "backends" / "legacy", "firstbyte.backends.legacy")
VARIANTS = pytest.mark.parametrize("variant", [v.name for v in INFO.variants])


def backend_of(variant: str, **options: Any) -> Any:
    return create(**INFO.variant(variant).options, **options)


def carried(rows: int = 1200) -> pa.Table:
    """One column for every kind of type that rows can carry."""
    some = range(rows)
    whole = pa.array([None if i % 9 == 0 else i % 100 for i in some])
    columns: dict[str, Any] = {
        f"{kind}": whole.cast(kind)
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32())
    }
    texts = ["", "é" * 40, None, "日本"]
    columns |= {
        "текст": pa.array([texts[i % 4] for i in some]),
        "large": pa.array([texts[i % 4] for i in some], pa.large_string()),
        "uint64": pa.array([2**64 - 1 - i for i in some], pa.uint64()),
        "int64 edge": pa.array([-(2**63) + i for i in some], pa.int64()),
        "float32": pa.array(
            [[0.1, float("nan"), None, -0.0, float("inf"), 1e-45][i % 6] for i in some],
            pa.float32(),
        ),
        "float64": pa.array([0.1 * i for i in some]),
        "bool": pa.array([[True, None, False][i % 3] for i in some]),
        "null": pa.nulls(rows),
        "binary": pa.array([[b"", b"\x00\xff", None][i % 3] for i in some]),
        "fixed": pa.array([b"abcd"] * rows, pa.binary(4)),
        "lang": pa.array([["en", None, "de"][i % 3] for i in some]).dictionary_encode(),
        "ids": pa.array(
            [[[-1, 2**31 - 1], [], None, list(range(i % 20))][i % 4] for i in some],
            pa.list_(pa.int32()),
        ),
        "ids with nulls": pa.array([[i, None] for i in some], pa.list_(pa.int32())),
        "pair": pa.array([[i, -i] for i in some], pa.list_(pa.int32(), 2)),
        "float lists": pa.array([[0.1], None, [None]] * (rows // 3), pa.list_(pa.float32())),
        "nested": pa.array(
            [[[i], None, []] if i % 2 else None for i in some], pa.list_(pa.list_(pa.int32()))
        ),
        "struct": pa.array(
            [
                None if i % 7 == 0 else {"f": 0.1, "d": 0.1, "ids": [i], "w": [{"s": texts[i % 4]}]}
                for i in some
            ],
            pa.struct(
                {
                    "f": pa.float32(),
                    "d": pa.float64(),
                    "ids": pa.list_(pa.int32()),
                    "w": pa.list_(pa.struct({"s": pa.string()})),
                }
            ),
        ),
        "date32": whole.cast(pa.int32()).cast(pa.date32()),
        "time": whole.cast(pa.int64()).cast(pa.time64("us")),
        "time32": whole.cast(pa.int32()).cast(pa.time32("ms")),
        "instant": whole.cast(pa.int64()).cast(pa.timestamp("us", "Europe/Berlin")),
        "naive": whole.cast(pa.int64()).cast(pa.timestamp("ns")),
        "duration": whole.cast(pa.int64()).cast(pa.duration("ms")),
        "stamps": pa.array([[i, None] for i in some], pa.list_(pa.int64())).cast(
            pa.list_(pa.timestamp("ms"))
        ),
    }
    return pa.table(columns)


def expected(table: pa.Table) -> dict[str, str]:
    digests = ColumnDigests(table.column_names)
    for batch in table.to_batches():
        digests.update(batch)
    return digests.hexdigests()


def delivered(backend: Any, shard: Path, **options: Any) -> dict[str, str]:
    digests = None
    with backend.open(shard, **options) as reader:
        for batch in reader:
            canonical = reader.canonical(batch)
            assert canonical.num_rows == reader.rows(batch)
            digests = digests or ColumnDigests(canonical.schema.names)
            digests.update(canonical)
    assert digests is not None
    return digests.hexdigests()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "shard.parquet"
    table = carried()
    with pq.ParquetWriter(path, table.schema) as writer:
        for start, length in [(0, 0), (0, 500), (500, 0), (500, 700)]:
            writer.write_table(table.slice(start, length), row_group_size=max(length, 1))
    return path


@VARIANTS
@pytest.mark.parametrize("target", [20_000, 64 << 20])
def test_every_type_arrives_unchanged(
    variant: str, target: int, parquet: Path, tmp_path: Path
) -> None:
    backend = backend_of(variant, block_target_bytes=target)
    (shard,) = backend.prepare([parquet], tmp_path)
    assert delivered(backend, shard, batch_rows=300) == expected(carried())


@VARIANTS
def test_projection_is_made_by_the_consumer(variant: str, parquet: Path, tmp_path: Path) -> None:
    backend = backend_of(variant)
    (shard,) = backend.prepare([parquet], tmp_path)
    columns = ["текст", "ids", "struct"]
    assert delivered(backend, shard, columns=columns) == expected(carried().select(columns))


@VARIANTS
def test_first_values_are_ordinary_objects(variant: str, tmp_path: Path) -> None:
    row = {"t": "é", "ids": [1, -2], "s": {"a": None}, "n": None}
    source = tmp_path / "one.parquet"
    schema = pa.schema(
        {
            "t": pa.string(),
            "ids": pa.list_(pa.int32()),
            "s": pa.struct({"a": pa.int8()}),
            "n": pa.int64(),
        }
    )
    pq.write_table(pa.Table.from_pylist([row], schema), source)
    backend = backend_of(variant)
    with backend.open(*backend.prepare([source], tmp_path)) as reader:
        batch = next(reader)
        assert {name: reader.first_value(batch, name) for name in row} == row
        assert type(reader.first_value(batch, "ids")) is list


@VARIANTS
def test_readers_in_threads_do_not_disturb_each_other(
    variant: str, parquet: Path, tmp_path: Path
) -> None:
    backend = backend_of(variant, block_target_bytes=50_000)
    (shard,) = backend.prepare([parquet], tmp_path)
    results: dict[int, dict[str, str]] = {}

    def read(index: int) -> None:
        results[index] = delivered(backend, shard, batch_rows=400 + index)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(3), expected(carried()))


@pytest.mark.parametrize(
    ("column", "named"),
    [
        (pa.array([Decimal("1.5")]), "decimal128"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32())), "map<"),
        (pa.array([[Decimal("1.5")]]), "decimal128"),
        (pa.array([1.5], pa.float16()), "halffloat"),
    ],
)
def test_types_that_rows_cannot_carry_are_named(column: Any, named: str, tmp_path: Path) -> None:
    source = tmp_path / "other.parquet"
    pq.write_table(pa.table({"цена": column}), source)
    with pytest.raises(Unsupported, match=f"column 'цена': .*{named}"):
        backend_of("r1").prepare([source], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_prepare_skips_what_is_current_and_mends_what_is_not(parquet: Path, tmp_path: Path) -> None:
    def prepare(**options: Any) -> tuple[int, bytes]:
        (shard,) = backend_of("r1", **options).prepare([parquet], tmp_path)
        return shard.stat().st_ino, shard.read_bytes()

    first = prepare()
    assert prepare() == first
    shard = tmp_path / "shard.lshd"
    shard.write_bytes(first[1][:-1])
    assert prepare()[1] == first[1]
    assert prepare(block_target_bytes=20_000)[1] != first[1]
    assert prepare()[1] == first[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard.lshd", "shard.lshd.json"]


def test_prepare_notices_another_source(parquet: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        pq.write_table(pa.table({"n": [number]}), folder / "same.parquet")
    sources = [folder / "same.parquet" for folder in folders]
    for source in sources:
        os.utime(source, ns=(1, 1))
    assert sources[0].stat().st_size == sources[1].stat().st_size
    backend = backend_of("r1")

    def values(shards: list[Path]) -> list[object]:
        found = []
        for shard in backend.prepare(shards, tmp_path / "out"):
            with backend.open(shard) as reader:
                found.append(reader.first_value(next(reader), "n"))
        return found

    assert values(sources) == [0, 1]
    assert values(sources[1:]) == [1]
    pq.write_table(pa.table({"n": [17]}), sources[1])
    assert values(sources) == [0, 17]


def test_a_failed_conversion_leaves_nothing(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(self: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("firstbyte.backends.legacy.writer.LshdWriter.finish", disk_full)
    with pytest.raises(OSError, match="no space left"):
        backend_of("r1").prepare([parquet], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_source_gives_the_same_bytes(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bytes_in(folder: str) -> bytes:
        (shard,) = backend_of("r1").prepare([parquet], tmp_path / folder)
        return shard.read_bytes()

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    plain = bytes_in("one")
    assert bytes_in("two") == plain
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1500000000")
    dated = bytes_in("three")
    assert int.from_bytes(dated[16:24], "little") == 1_500_000_000
    assert int.from_bytes(plain[16:24], "little") == 0


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "s": st.none() | st.text(),
                "f": st.none() | st.floats(width=32),
                "u": st.none() | st.integers(0, 2**64 - 1),
                "b": st.none() | st.binary(),
                "ids": st.none()
                | st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=5),
                "m": st.none() | st.fixed_dictionaries({"x": st.none() | st.floats(width=32)}),
            }
        ),
        min_size=1,
        max_size=30,
    ),
    target=st.integers(1, 500),
)
def test_any_rows_come_back(
    rows: list[dict[str, Any]], target: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema = pa.schema(
        {
            "s": pa.string(),
            "f": pa.float32(),
            "u": pa.uint64(),
            "b": pa.binary(),
            "ids": pa.list_(pa.int32()),
            "m": pa.struct({"x": pa.float32()}),
        }
    )
    table = pa.Table.from_pylist(rows, schema)
    folder = tmp_path_factory.mktemp("any")
    pq.write_table(table, folder / "any.parquet")
    (shard,) = convert_all(
        [folder / "any.parquet"], folder, block_target_bytes=target, created_unix=0
    )
    for variant in ("r0", "r1", "r2", "r3"):
        assert delivered(backend_of(variant), shard, batch_rows=7) == expected(table)


def test_opening_imports_neither_pyarrow_nor_numpy() -> None:
    code = (
        "import sys; from firstbyte.backends.legacy.backend import create; create(reader='r1').versions();"
        "sys.exit(bool({'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_slow_msgpack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgpack.fallback

    monkeypatch.setattr("msgpack.Unpacker", msgpack.fallback.Unpacker)
    with pytest.raises(BuildRefusedError, match="pure python fallback"):
        backend_of("r1").versions()


def test_unknown_readers_are_named() -> None:
    with pytest.raises(ValueError, match=r"unknown reader 'r9' \(allowed: r0, r1, r2, r3\)"):
        create(reader="r9")


def test_the_folder_describes_the_ladder() -> None:
    raw = tomllib.loads((ROOT / "backends/legacy/backend.toml").read_text(encoding="utf-8"))
    assert [v["name"] for v in raw["variants"]] == ["r0", "r1", "r2", "r3"]
    assert [v["name"] for v in raw["variants"] if v.get("default")] == ["r1"]
    assert [v["name"] for v in raw["variants"] if v.get("best")] == ["r3"]
