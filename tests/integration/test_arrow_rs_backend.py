"""The harness backend over firstbyte_arrow keeps the Backend protocol."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

from firstbyte.backends.arrow_rs import backend as arrow_rs  # noqa: E402  needs the distribution

from firstbyte.api import BuildRefusedError  # noqa: E402


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"text": ["one", "two", "three"], "id": [1, 2, 3]}), path)
    return path


def test_reads_through_the_protocol(shard: Path, tmp_path: Path) -> None:
    backend = arrow_rs.create()
    assert list(backend.prepare([shard], tmp_path)) == [shard]
    with backend.open(shard, columns=["text"], batch_rows=2) as reader:
        batch = next(reader)
        assert reader.rows(batch) == 2
        assert reader.first_value(batch, "text") == "one"
        assert reader.canonical(batch).to_pydict() == {"text": ["one", "two"]}
        assert [reader.rows(batch) for batch in reader] == [1]


def test_versions_name_the_libraries() -> None:
    versions = arrow_rs.create().versions()
    assert {"firstbyte_arrow", "parquet", "arrow-array"} <= set(versions)


def test_debug_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firstbyte_arrow, "build_profile", "debug")
    with pytest.raises(BuildRefusedError, match="debug"):
        arrow_rs.create().versions()


def test_allocator_counts_what_a_batch_holds(shard: Path) -> None:
    backend = arrow_rs.create()
    before = backend.allocator_bytes()["firstbyte_arrow"]
    batch = next(backend.open(shard))
    assert backend.allocator_bytes()["firstbyte_arrow"] > before
    assert batch.num_rows == 3
    backend.reset_peak()
    live = backend.allocator_bytes()["firstbyte_arrow"]
    assert backend.allocator_peak_bytes()["firstbyte_arrow"] >= live
