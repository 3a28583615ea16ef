"""The user's own files: described whatever their schema, and left as they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firstbyte.corpora.catalogue import find, resolve
from firstbyte.corpora.reference import Reading, Refusal, agree
from firstbyte.corpora.shards import describe
from firstbyte.corpora.verify import verify
from firstbyte.errors import CorpusError

AWKWARD = pa.table(
    {
        "ключ": pa.array([1, None, 3], pa.int16()),
        "a.b": pa.array(["", None, "é"]).dictionary_encode(),
        "nested": pa.array([[["x"], None, []], None, []], pa.list_(pa.list_(pa.string()))),
        "record": pa.array([{"x": 1, "y": [None]}, None, {"x": None, "y": None}]),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(3),
    }
)


def write(path: Path, *tables: pa.Table) -> Path:
    """One row group for each table; a table without rows makes a group without rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    return path


def agreeing(shards: Sequence[Path]) -> list[Reading]:
    """A witness that reads what Arrow C++ reads."""
    readings = [describe(path, pq.read_schema(path).names[0]).reading for path in shards]
    return [replace(reading, decoder="another") for reading in readings]


def test_any_schema_and_groups_without_rows(tmp_path: Path) -> None:
    empty = AWKWARD.slice(0, 0)
    write(tmp_path / "data/1.parquet", AWKWARD, empty, AWKWARD)
    write(tmp_path / "data/0.parquet", empty)
    before = {path: (path.read_bytes(), path.stat()) for path in (tmp_path / "data").iterdir()}
    spec = f"files:{tmp_path}/data/*.parquet"
    manifest = resolve(spec, tmp_path / "cache", witnesses=lambda: [agreeing])
    assert [path.name for path in manifest.paths] == ["0.parquet", "1.parquet"]
    assert [shard.rows for shard in manifest.shards] == [0, 6]
    assert manifest.columns == tuple(AWKWARD.column_names)
    assert manifest.text_column == "a.b"
    assert [shard.first_value for shard in manifest.shards] == [None, ""]
    assert verify(manifest) == []
    for path, (content, stat) in before.items():
        assert path.read_bytes() == content
        assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["0.parquet", "1.parquet"]


def test_read_only_files_in_a_read_only_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "data/1.parquet", AWKWARD)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert resolve(f"files:{path}", tmp_path / "cache").rows == 3
    finally:
        path.parent.chmod(0o755)


def test_a_description_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "1.parquet", AWKWARD)
    spec, cache = f"files:{tmp_path}/*.parquet", tmp_path / "cache"
    assert find(spec, cache) is None
    first = resolve(spec, cache)
    os.utime(first.folder / "manifest.json", (1, 1))
    assert resolve(spec, cache) == first
    assert (first.folder / "manifest.json").stat().st_mtime == 1
    write(path, AWKWARD, AWKWARD)
    # What was recorded still finds the change; asking for the corpus again describes it anew.
    recorded = find(spec, cache)
    assert recorded == first
    assert "size differs" in verify(recorded)[0]
    assert resolve(spec, cache).rows == 6
    write(tmp_path / "2.parquet", AWKWARD)
    assert resolve(spec, cache).rows == 9


def test_no_match_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(CorpusError, match=r"no file matches '.*/\*\.parquet' \(from /") as caught:
        resolve(f"files:{tmp_path}/*.parquet", tmp_path / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 not parquet PAR1", b"a,b\n1,2\n" * 99])
def test_a_file_that_is_not_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "1.parquet", AWKWARD)
    (tmp_path / "2.parquet").write_bytes(content)
    with pytest.raises(CorpusError, match=r"2\.parquet cannot be read as Parquet: ") as caught:
        resolve(f"files:{tmp_path}/*.parquet", tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert find(f"files:{tmp_path}/*.parquet", tmp_path / "cache") is None


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "1.parquet", pa.table({"text": [f"{i}" for i in range(999)]}))
    content = bytearray(path.read_bytes())
    content[8:40] = b"\xff" * 32
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"1\.parquet cannot be read as Parquet: "):
        resolve(f"files:{path}", tmp_path / "cache")


def test_one_witness_alone_judges_no_content(tmp_path: Path) -> None:
    path = write(tmp_path / "1.parquet", AWKWARD)
    manifest = resolve(f"files:{path}", tmp_path / "cache")
    (shard,) = manifest.shards
    assert (shard.rows, shard.first_value, set(shard.digests.values())) == (3, None, {None})
    assert manifest.witnesses == ("arrow-cpp",)
    (caveat,) = manifest.caveats
    assert "no two of arrow-cpp agree" in caveat


def test_witnesses_that_refuse_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "1.parquet", AWKWARD)
    witnesses = [lambda _: Refusal("fussy", "no maps"), agreeing]
    manifest = resolve(f"files:{path}", tmp_path / "cache", witnesses=lambda: witnesses)
    assert manifest.refusals == ("fussy: no maps",)
    assert manifest.witnesses == ("arrow-cpp", "another")
    assert None not in manifest.shards[0].digests.values()


def test_a_file_whose_rows_nobody_knows_is_refused(tmp_path: Path) -> None:
    facts = describe(write(tmp_path / "1.parquet", AWKWARD), "a.b")
    said = agree(AWKWARD.column_names, 6, [facts.reading, Reading("another", 4, {})])
    with pytest.raises(CorpusError, match="nobody knows how many rows it has") as caught:
        facts.entry("1.parquet", "a.b", said)
    assert "rows: 6 by the footer; 3 by arrow-cpp; 4 by another" in str(caught.value)


def test_files_that_differ_in_nullability_alone_are_one_corpus(tmp_path: Path) -> None:
    inner = pa.list_(pa.field("element", pa.int64(), nullable=False))
    strict = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", inner)])
    loose = pa.schema([pa.field("a", pa.int64()), pa.field("b", pa.list_(pa.int64()))])
    for name, schema in (("1", strict), ("2", loose)):
        write(tmp_path / f"{name}.parquet", pa.table({"a": [1], "b": [[2]]}, schema=schema))
    assert resolve(f"files:{tmp_path}/*.parquet", tmp_path / "cache").rows == 2


def test_files_of_different_schemas_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", pa.table({"a": [1]}))
    write(tmp_path / "2.parquet", pa.table({"a": ["x"]}))
    with pytest.raises(CorpusError, match="expected a: int64, got a: string; narrow the pattern"):
        resolve(f"files:{tmp_path}/*.parquet", tmp_path / "cache")


def test_repeated_column_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.parquet"
    pq.write_table(pa.table({"a": [1], "b": [2]}).rename_columns(["a", "a"]), path)
    with pytest.raises(CorpusError, match="column names repeat: a"):
        resolve(f"files:{path}", tmp_path / "cache")
