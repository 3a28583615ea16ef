"""The user's own files are judged by what independent readers agree on, real ones, in workers."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Cli
from parquet_bytes import ints, leaf, page, parquet

from firstbyte.engine.witnesses import resolve

pytestmark = pytest.mark.usefixtures("own_cache")


def test_rows_that_arrow_loses_behind_an_empty_page_are_there(tmp_path: Path) -> None:
    """Spark writes such pages; Arrow C++ ends there, without an error."""
    path = parquet(tmp_path / "e.parquet", {"a": page(b"", 0) + page(ints(*range(6)), 6)}, rows=6)
    assert pq.read_table(path).num_rows == 0
    manifest = resolve(f"files:{path}")
    (shard,) = manifest.shards
    assert shard.rows == 6
    assert shard.digests["a"] is not None
    assert any("rows: 6 by the footer" in doubt for doubt in shard.doubts)
    assert "0 by arrow-cpp" in " ".join(shard.doubts)


def test_the_reader_that_loses_them_is_wrong_and_the_others_are_not(
    tmp_path: Path, cli: Cli
) -> None:
    path = parquet(tmp_path / "e.parquet", {"a": page(b"", 0) + page(ints(*range(6)), 6)}, rows=6)
    chosen = ["-b", "pyarrow:buffered", "-b", "pure_python", "-b", "duckdb:single"]
    ran = cli(
        *("run", "-c", f"files:{path}", "-s", "full_scan", "-i", "clock", *chosen),
        *("--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")),
    )
    assert ran.returncode == 1, ran.stderr
    shown = ran.stdout.splitlines()
    wrong = " ".join(line for line in shown if "WRONG" in line)
    assert "pyarrow:buffered" in wrong
    assert "pure_python" not in wrong
    assert "duckdb" not in wrong


def int96(*days: int) -> bytes:
    return b"".join(struct.pack("<qi", 0, 2440588 + day) for day in days)


def test_int96_that_nanoseconds_cannot_hold_is_not_wrapped(tmp_path: Path) -> None:
    """The year 9999 is 8,029 years after 1970: Arrow's default wraps it to 1816."""
    days = 2_932_896
    path = parquet(
        tmp_path / "i.parquet",
        {"t": page(int96(0, days), 2)},
        rows=2,
        schema=[leaf("t", 3)],
        edit=lambda footer: footer[4][0][1][0][3].update({1: 3}),
    )
    manifest = resolve(f"files:{path}")
    right = tmp_path / "right.parquet"
    stamps = pa.array([0, days * 86_400_000_000], pa.timestamp("us"))
    pq.write_table(pa.table({"t": stamps}), right)
    assert manifest.shards[0].digests == resolve(f"files:{right}").shards[0].digests
    assert manifest.shards[0].digests["t"] is not None


def test_int96_within_nanoseconds_keeps_them(tmp_path: Path) -> None:
    stamps = pa.array([1, 123_456_789], pa.timestamp("ns"))
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    pq.write_table(pa.table({"t": stamps}), old, use_deprecated_int96_timestamps=True)
    pq.write_table(pa.table({"t": stamps}), new)
    first, second = (resolve(f"files:{path}").shards[0].digests for path in (old, new))
    assert first == second
    assert first["t"] is not None


def test_uuids_are_the_same_in_every_reader(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "u.parquet"
    values = pa.array([uuid.UUID(int=number).bytes for number in range(9)], pa.binary(16))
    pq.write_table(pa.table({"u": pa.ExtensionArray.from_storage(pa.uuid(), values)}), path)
    ran = cli(
        *("run", "-c", f"files:{path}", "-s", "full_scan", "-i", "clock", "-b", "duckdb:single"),
        *("--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
