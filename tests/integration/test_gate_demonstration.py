"""The scripted demonstration: a change on a branch is caught by the gate; reverted, it passes.

A small repository of its own, with one backend, real worker processes, the real command line. What is
planted is large, so that the machine's noise has no say: the gate's power at small effects is the
matter of its self-check.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import WORK

PROJECT = Path(__file__).resolve().parents[2]
BACKEND_TOML = """
name = "tiny"
language = "Python"
format = "pickle"
summary = "rows in a pickle"
module = "backend.py"
capabilities = ["scan", "reopen"]
[[variants]]
name = "plain"
default = true
"""
BACKEND = """
import os
import pickle
from pathlib import Path

TIMES = 1
PASSES = 3
HOARD_BYTES = 10_000_000
CRASH = False


class Reader:
    def __init__(self, path, batch_rows):
        for _ in range(TIMES):
            self._hoard = bytearray(b"x") * HOARD_BYTES
            self._rows, self._schema = pickle.loads(path.read_bytes())
            for _ in range(PASSES):
                sum(len(repr(row)) for row in self._rows)
        self._at, self._batch_rows = 0, batch_rows

    def __iter__(self):
        return self

    def __next__(self):
        if CRASH:
            os.abort()
        batch = self._rows[self._at : self._at + self._batch_rows]
        self._at += len(batch)
        if not batch:
            raise StopIteration
        return batch

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._rows = self._hoard = None

    def rows(self, batch):
        return len(batch)

    def first_value(self, batch, column):
        return batch[0][self._schema.names.index(column)]

    def canonical(self, batch):
        import pyarrow

        columns = zip(*batch, strict=True)
        return pyarrow.record_batch(
            [pyarrow.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)],
            schema=self._schema,
        )


class Backend:
    def versions(self):
        return {"tiny": "1"}

    def prepare(self, shards, directory):
        import pyarrow.parquet

        paths = []
        for shard in shards:
            table = pyarrow.parquet.read_table(shard)
            rows = list(zip(*(c.to_pylist() for c in table.columns), strict=True))
            path = Path(directory) / f"{Path(shard).stem}.pickle"
            path.write_bytes(pickle.dumps((rows, table.schema.remove_metadata())))
            paths.append(path)
        return paths

    def open(self, shard, *, columns=None, batch_rows=1024):
        return Reader(shard, batch_rows)


def create():
    return Backend()
"""
POLICY = """
[tool.firstbyte.gate]
corpus = "mt:size=SIZE,shards=1"
scenarios = ["full_scan"]
""".replace("SIZE", f"{round(50_000 * WORK)}B")


def git(repo: Path, *words: str) -> None:
    name = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "-C", str(repo), *name, *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    backend = folder / "backends" / "tiny"
    backend.mkdir(parents=True)
    (backend / "backend.toml").write_text(BACKEND_TOML)
    (backend / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(POLICY)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "base")
    return folder


def firstbyte(
    repo: Path, cache: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "harness"),
        "XDG_CACHE_HOME": str(cache),
        "COLUMNS": "200",
    }
    environ.pop("FIRSTBYTE_PLUGINS", None)
    environ |= more
    command = [sys.executable, "-m", "firstbyte", *words]
    return subprocess.run(
        command, cwd=repo, env=environ, capture_output=True, text=True, check=False
    )


def gate(repo: Path, cache: Path, *words: str) -> tuple[int, dict[str, object], str]:
    done = firstbyte(
        repo, cache, "gate", "--base", "main", "--reuse-environment", "-b", "tiny", *words,
        "--json", "gate.json", "--markdown", "gate.md", "--junit", "gate.xml",
    )  # fmt: skip
    assert (repo / "gate.json").exists(), done.stderr
    return done.returncode, json.loads((repo / "gate.json").read_text()), done.stdout


def plant(repo: Path, old: str, new: str) -> None:
    path = repo / "backends" / "tiny" / "backend.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_slower_branch_is_caught_and_reverted_it_passes(repo: Path, cache: Path) -> None:
    git(repo, "checkout", "-q", "-b", "slower")
    # All that it does, so that it is as much slower on any host.
    plant(repo, "TIMES = 1", "TIMES = 4")
    git(repo, "commit", "-q", "-a", "-m", "slower")
    code, result, shown = gate(repo, cache, "-m", "cpu_ns")
    assert code == 10, shown
    assert result["outcome"] == "REGRESSED"
    (verdict,) = result["verdicts"]  # type: ignore[misc]
    assert verdict["metric"] == "cpu_ns"
    assert verdict["finding"]["low"] > 0.5
    assert "REGRESSED" in shown
    assert "Gate: REGRESSED" in (repo / "gate.md").read_text()
    assert ElementTree.parse(repo / "gate.xml").getroot().get("failures") == "1"
    git(repo, "revert", "--no-edit", "HEAD")
    code, result, shown = gate(repo, cache, "-m", "cpu_ns", "--tolerance", "50%")
    assert code == 0, shown
    assert "working tree against main" in shown


def test_more_memory_is_caught(repo: Path, cache: Path) -> None:
    plant(repo, "HOARD_BYTES = 10_000_000", "HOARD_BYTES = 100_000_000")
    code, result, shown = gate(repo, cache, "-m", "total_allocated_bytes")
    assert code == 10, shown
    (verdict,) = result["verdicts"]  # type: ignore[misc]
    assert verdict["metric"] == "total_allocated_bytes"
    assert verdict["finding"]["change"] > 0.3


KEPT = {
    "retained_bytes": "KEPT.append(bytes(b'x') * 2_000_000) if not KEPT else None",
    "left_descriptors_per_scan": "KEPT.append(os.open(os.devnull, os.O_RDONLY))",
    "left_threads_per_scan": (
        "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    ),
}


@pytest.mark.alone
def test_what_a_reader_keeps_is_caught_by_its_names(repo: Path, cache: Path) -> None:
    plant(repo, "CRASH = False", "CRASH = False\nKEPT = []")
    plant(repo, "import os\n", "import os\nimport threading\n")
    lines = "".join(f"        {line}\n" for line in KEPT.values())
    plant(repo, "        self._at, self", f"{lines}        self._at, self")
    asked = [word for metric in KEPT for word in ("-m", metric)]
    code, result, shown = gate(repo, cache, "-s", "leak_scan", *asked)
    assert code == 10, shown
    found = {one["metric"]: one["finding"]["outcome"] for one in result["verdicts"]}  # type: ignore[attr-defined]
    assert found == dict.fromkeys(KEPT, "REGRESSED")
    assert shown.startswith("REGRESSED: 3 of 3 figures became worse, most of all ")


@pytest.mark.alone
def test_a_peak_that_no_allocator_tells_of_is_caught(repo: Path, cache: Path) -> None:
    """In a mapping of its own, of which neither memray nor an allocator of the backend knows."""
    plant(repo, "import os\n", "import mmap\nimport os\n")
    plant(
        repo,
        "        self._at, self",
        "        self._map = mmap.mmap(-1, 50_000_000)\n"
        "        self._map.write(b'x' * 50_000_000)\n"
        "        self._at, self",
    )
    code, result, shown = gate(repo, cache, "-m", "peak_rss_bytes")
    assert code == 10, shown
    (verdict,) = result["verdicts"]  # type: ignore[misc]
    assert verdict["finding"]["change"] > 0.5
    git(repo, "checkout", "-q", ".")
    code, result, shown = gate(repo, cache, "-m", "peak_rss_bytes")
    assert code == 0, shown
    assert result["not_gated"] == []


def test_a_plug_in_that_both_sides_share_is_named(repo: Path, cache: Path, tmp_path: Path) -> None:
    """The commonest mistake with a reader of one's own: its changes are on both sides."""
    shared = tmp_path / "plugins" / "backends" / "shared"
    shared.parent.mkdir(parents=True)
    shutil.copytree(repo / "backends" / "tiny", shared)
    toml = (shared / "backend.toml").read_text().replace('"tiny"', '"shared"')
    (shared / "backend.toml").write_text(toml)
    done = firstbyte(
        repo, cache, "gate", "--base", "main", "--reuse-environment", "-b", "shared", "-m", "cpu_ns",
        FIRSTBYTE_PLUGINS=str(tmp_path / "plugins"),
    )  # fmt: skip
    second = done.stdout.splitlines()[1:4]
    assert any(line.startswith("changes of shared itself: not gated") for line in second), done


def test_a_crash_fails_at_once_and_a_waiver_covers_it_until_its_date(
    repo: Path, cache: Path
) -> None:
    plant(repo, "CRASH = False", "CRASH = True")
    code, _, shown = gate(repo, cache, "-m", "cpu_ns")
    assert code == 10
    assert "head is CRASHED: killed by SIGABRT" in shown
    waiver = '[[tool.firstbyte.gate.waivers]]\nbackend = "tiny"\nreason = "known"\nexpires = {}\n'
    (repo / "pyproject.toml").write_text(POLICY + waiver.format("2999-01-01"))
    code, _result, shown = gate(repo, cache, "-m", "cpu_ns")
    assert code == 0
    assert "waived: known, until 2999-01-01" in shown
    (repo / "pyproject.toml").write_text(POLICY + waiver.format("2020-01-01"))
    done = firstbyte(repo, cache, "gate", "--base", "main", "--reuse-environment")
    assert done.returncode == 14
    assert "expired on 2020-01-01" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_gated_is_one_clear_line(repo: Path, cache: Path) -> None:
    for words, code, message in (
        (["gate"], 2, "say what to compare with"),
        (["gate", "--base", "nope"], 15, "no revision 'nope'"),
        (["gate", "--base", "main", "-m", "cpu_n"], 2, "did you mean 'cpu_ns'"),
        (["gate", "--base", "main", "--tolerance", "x"], 13, "not a positive fraction"),
        (["gate", "--base", "main", "--budget", "x"], 2, "not a span of time"),
        (["gate", "--base", "main", "-b", "tinny"], 2, "did you mean 'tiny'"),
        (["gate", "--memory-only", "-m", "cpu_ns", "--baseline", "x.json"], 16, "no baseline"),
    ):
        done = firstbyte(repo, cache, *words)
        assert done.returncode == code, (words, done.stderr)
        assert message in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
