"""A corpus without rows: what needs rows says so, and no figure is made of nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Cli

from firstbyte.corpora.catalogue import resolve
from firstbyte.leaks.corpus import leak_corpus

NEEDING = ("accumulation", "visibility", "leak_scan", "endurance", "responsiveness")
SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64())])


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("nothing")
    pq.write_table(SCHEMA.empty_table(), folder / "a.parquet")
    return f"files:{folder}/*.parquet"


def test_scenarios_that_need_rows_are_skipped_and_the_others_run(
    cli: Cli, nothing: str, tmp_path: Path
) -> None:
    chosen = [f"--scenario={name}" for name in (*NEEDING, "full_scan")]
    found = cli(
        *("run", "--full", "-b", "sound", "-c", nothing, *chosen),
        *("--results", str(tmp_path), "--reports", str(tmp_path / "r")),
    )
    (folder,) = (path for path in tmp_path.iterdir() if (path / "run.json").exists())
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert {one["cell"]["scenario"] for one in records} == {*NEEDING, "full_scan"}
    for one in records:
        name = one["cell"]["scenario"]
        if name in NEEDING:
            reason = f"the corpus has no rows, and {name} needs some"
            assert (one["status"], one["reason"], one["samples"]) == ("SKIPPED", reason, [])
        elif one["cell"]["instrument"] == "clock":
            assert one["status"] == "OK", one["reason"]
    assert "Too many open files" not in found.stdout


def test_a_leak_check_of_nothing_is_refused_in_one_line(
    cli: Cli, nothing: str, tmp_path: Path
) -> None:
    found = cli("leaks", "-b", "sound", "-c", nothing, "--results", str(tmp_path))
    (line,) = found.stderr.splitlines()
    assert "has no rows, and a leak shows only where some are read" in line
    assert found.returncode > 0
    assert not list(tmp_path.iterdir())


def test_a_leak_check_reads_the_first_shard_with_rows(own_cache: Path, tmp_path: Path) -> None:
    pq.write_table(SCHEMA.empty_table(), tmp_path / "a.parquet")
    rows = pa.table({"text": ["x"] * 300, "number": range(300)}, SCHEMA)
    pq.write_table(rows, tmp_path / "b.parquet")
    assert leak_corpus(resolve(f"files:{tmp_path}/*.parquet"), own_cache).shards[0].rows == 300
