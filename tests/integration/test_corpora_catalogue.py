"""Corpora as a user meets them: built once, whole or not at all, and checked from the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from firstbyte.corpora import cache, catalogue, gettext, synthetic
from firstbyte.corpora.gettext import WHEELS
from firstbyte.corpora.layout import Layout
from firstbyte.corpora.progress import silent
from firstbyte.errors import CorpusError

PROJECT = Path(__file__).parents[2]
SMALL = "mt:size=300kB,shards=2,row_group_rows=100"


def start(
    cache_home: Path, *words: str, program: tuple[str, ...] = ("-m", "firstbyte")
) -> subprocess.Popen[str]:
    environment = os.environ | {"XDG_CACHE_HOME": str(cache_home), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, *program, "corpus", *words],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def firstbyte(cache_home: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a corpus command."""
    process = start(cache_home, *words)
    out, err = process.communicate()
    return process.returncode, out, err


def test_build_list_and_verify(tmp_path: Path) -> None:
    code, out, err = firstbyte(tmp_path, "build", SMALL, "--codec", "snappy")
    assert (code, err) == (0, "")
    spec = "mt:size=300kB,shards=2,row_group_rows=100,codec=snappy"
    assert out.startswith(f"{spec}: 534 rows in 2 shards, ")
    code, out, _ = firstbyte(tmp_path, "list")
    assert code == 0
    assert spec in out
    assert "gettext" in out
    assert firstbyte(tmp_path, "verify") == (0, f"{spec}: 534 rows as recorded\n", "")
    assert firstbyte(tmp_path, "verify", SMALL, "--codec", "snappy")[0] == 0


def test_verify_finds_a_flipped_byte(tmp_path: Path) -> None:
    firstbyte(tmp_path, "build", SMALL)
    firstbyte(tmp_path, "build", SMALL, "--seed", "1")
    manifest = catalogue.find(SMALL, tmp_path / "firstbyte")
    assert manifest is not None
    path = manifest.paths[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    code, out, err = firstbyte(tmp_path, "verify")
    assert code == 3
    assert f"{SMALL}: shard-00001.parquet: sha256 differs, expected " in out
    assert "mt:size=300kB,seed=1,shards=2,row_group_rows=100: 534 rows as recorded" in out
    assert err.startswith("firstbyte: verification found ")
    assert firstbyte(tmp_path, "verify", SMALL, "--seed", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("build", "mtt"), 2, "no corpus 'mtt'; did you mean 'mt'?"),
        (("build", "mt", "--size", "big"), 3, "size=big is not allowed for mt; give a size"),
        (("build", "files:/no/such/*.parquet"), 3, "no file matches '/no/such/*.parquet'"),
        (("verify", "mt:seed=5"), 3, "`firstbyte corpus build 'mt:seed=5'` builds it"),
        (("verify", "--seed", "5"), 2, "options need a SPEC"),
    ],
)
def test_mistakes_are_one_clear_line(
    tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    ended, out, err = firstbyte(tmp_path, *words)
    assert (ended, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code, _, err = firstbyte(tmp_path, "build", "gettext")
    assert code == 3
    assert err.startswith("firstbyte: cannot fetch django==")
    assert err.count("\n") == 1
    assert catalogue.folders(tmp_path / "firstbyte") == []


def test_concurrent_builders_build_once(tmp_path: Path) -> None:
    builders = [start(tmp_path, "build", SMALL) for _ in range(4)]
    outputs = {builder.communicate() for builder in builders}
    assert [builder.returncode for builder in builders] == [0] * 4
    assert len(outputs) == 1
    (folder,) = catalogue.folders(tmp_path / "firstbyte")
    assert firstbyte(tmp_path, "verify")[0] == 0
    corpora = sorted(path.name for path in folder.parent.iterdir())
    assert corpora == [".locks", folder.name]


KILLED = """
import os
import signal

import pyarrow.parquet
from firstbyte.__main__ import main


def die(writer):
    os.kill(os.getpid(), signal.SIGKILL)


pyarrow.parquet.ParquetWriter.close = die
main()
"""
"""A command that is killed when its first shard is written and has no footer yet."""


def test_a_killed_builder_leaves_nothing_that_counts(tmp_path: Path) -> None:
    builder = start(tmp_path, "build", SMALL, program=("-c", KILLED))
    builder.communicate()
    assert builder.returncode == -signal.SIGKILL
    corpora = tmp_path / "firstbyte/corpora"
    assert catalogue.folders(tmp_path / "firstbyte") == []
    assert catalogue.find(SMALL, tmp_path / "firstbyte") is None
    # The lock went with its holder, and the leftovers go with the next builder of that corpus.
    (leftover,) = corpora.glob(".mt-*.partial")
    assert list(leftover.glob("*.parquet"))
    folder = corpora / leftover.name.removeprefix(".").removesuffix(".partial")
    with cache.locked(corpora, folder.name, pytest.fail), cache.appearing(folder) as partial:
        assert list(partial.iterdir()) == []
        (partial / "whole").touch()
    assert not leftover.exists()
    assert (folder / "whole").exists()


def test_a_failing_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> list[Path]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic, "build", full_disk)
    with pytest.raises(CorpusError, match=r"cannot make the corpus .* No space left on device"):
        catalogue.resolve(SMALL, tmp_path)
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == [".locks"]


def test_a_corpus_that_does_not_fit_is_refused_before_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"GB are free at .*, 1000000\.0 GB are needed"):
        catalogue.resolve("mt:size=1000TB", tmp_path)


def test_a_shard_that_has_gone_is_not_passed_over(tmp_path: Path) -> None:
    catalogue.resolve(SMALL, tmp_path).paths[1].unlink()
    with pytest.raises(CorpusError, match=r"shard-00001\.parquet .* is missing or damaged; remove"):
        catalogue.resolve(SMALL, tmp_path)


def test_what_is_available_can_be_resolved(tmp_path: Path) -> None:
    kinds = {kind.name: kind for kind in catalogue.available()}
    assert list(kinds) == ["gettext", "mt", "llm", "files"]
    options = kinds["llm"].options | {"size": "1MB"}
    spec = "llm:" + ",".join(f"{name}={value}" for name, value in options.items())
    assert catalogue.resolve(spec, tmp_path).spec == "llm:size=1MB"


def test_real_catalogues_of_a_real_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = next(wheel for wheel in WHEELS if wheel.package == "wtforms")
    try:
        gettext.fetch(wheel, tmp_path / "wheels")
    except CorpusError as error:
        if "cannot fetch" in str(error):
            pytest.skip(str(error))
        raise
    monkeypatch.setattr(gettext, "WHEELS", (wheel,))
    layout = Layout(2, 500, 1 << 20, "zstd:3")
    folder = tmp_path / "out"
    folder.mkdir()
    files = gettext.build(folder, tmp_path / "wheels", layout, silent)
    rows = [row for file in files for row in pq.read_table(file.path).to_pylist()]
    assert len(rows) == 1217
    assert {
        "source": "Invalid email address.",
        "target": "Ungültige E-Mail-Adresse.",
        "source_lang": "en",
        "target_lang": "de",
        "package": "wtforms",
        "catalog": "wtforms/wtforms",
    } in rows
    assert len({row["target_lang"] for row in rows}) > 25
    assert all(row["source"] and row["target"] for row in rows)
