"""What tests of several parts need: a tiny corpus, a cache of its own, the planted backends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines that run tests are shared: how long an example takes says nothing about the code.
settings.register_profile(
    "shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared_machine")

ROOT = Path(__file__).parent.parent
FAULTY = ROOT / "tests" / "integration" / "faulty"

WORK = float(os.environ.get("TESTS_WORK", "1"))
"""Share of the work that is done where an outcome could rest on its being long: 0.1 is what a host of ten
times the speed makes of it. Planted faults read it in `sound/work.py`."""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tiny_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two Parquet shards of 3000 and 2000 rows: `text` and `number`."""
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("tiny")
    for index, rows in enumerate((3000, 2000)):
        table = pyarrow.table(
            {
                "text": [f"shard {index}, row {row}: grüße" for row in range(rows)],
                "number": list(range(rows)),
            }
        )
        pyarrow.parquet.write_table(table, folder / f"{index}.parquet", row_group_size=1000)
    return folder


@pytest.fixture(scope="session")
def tiny_corpus(tiny_shards: Path) -> str:
    """The two shards as a corpus that commands and `resolve` take."""
    return f"files:{tiny_shards}/*.parquet"


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XDG_CACHE_HOME for the whole session: corpora are described once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process, too, keeps its cache there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return cache_home


@pytest.fixture(scope="session")
def cli_environ(cache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a command: own cache, planted backends, a folder for their notes."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "harness"),
        "XDG_CACHE_HOME": str(cache_home),
        "FIRSTBYTE_PLUGINS": str(FAULTY),
        "FAULTY_NOTES": str(tmp_path_factory.mktemp("notes")),
        "COLUMNS": "200",
    }


@pytest.fixture(scope="session")
def cli(cli_environ: dict[str, str]) -> Cli:
    """Runs `firstbyte` with these arguments to its end; never raises for an exit code."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "firstbyte", *arguments],
            env=cli_environ | environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
