"""The built wheel in an environment that knows no checkout: one package, which runs in an empty folder.

The environment lies inside a repository of the user's, as one often does, and writes nothing to itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import FAULTY, ROOT

CORPUS = "mt:size=1MB"
SCAN = ("-s", "full_scan", "-i", "clock", "-c", CORPUS)


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder to work in, inside a project of somebody else."""

    folder: Path
    site: Path
    cache: Path

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the installed `firstbyte`; never raises for an exit code."""
        return subprocess.run(
            [str(self.site.parents[2] / "bin" / "firstbyte"), *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "XDG_CACHE_HOME": str(self.cache),
                "COLUMNS": "200",
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
        )


def build(kind: str, project: Path, into: Path) -> Path:
    """The project's wheel or sdist, made without a network and without an environment of its own."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)], project)
    (made,) = into.iterdir()
    return made


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    project = tmp_path_factory.mktemp("project")
    (project / "file").touch()
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("add", "file"), (*who, "commit", "-q", "-m", "theirs")):
        _run(["git", *words], project)
    _run([sys.executable, "-m", "venv", ".venv"], project)
    pip = [str(project / ".venv" / "bin" / "pip"), "--disable-pip-version-check", "install"]
    _run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], project)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = project / ".venv" / "lib" / version / "site-packages"
    # The libraries of this environment, but not its own `firstbyte`: a line like this one adds a folder
    # behind the others, and the .pth files in it are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("platlib") + "\n")
    return Installed(project, site, tmp_path_factory.mktemp("wheel-cache"))


@pytest.fixture
def installed(environment: Installed, request: pytest.FixtureRequest) -> Installed:
    """A folder for each test, as they come in any order."""
    folder = environment.folder / request.node.name
    folder.mkdir()
    return replace(environment, folder=folder)


def names(archive: Path) -> list[str]:
    with ZipFile(archive) as opened:
        return sorted(opened.namelist())


def test_the_wheel_puts_one_package_into_site_packages(wheel: Path) -> None:
    found = names(wheel)
    (information,) = {name.partition("/")[0] for name in found} - {"firstbyte"}
    assert information.endswith(".dist-info")
    for ours in ("backends", "scenarios"):
        own = {path.name for path in (ROOT / ours).iterdir() if not path.name.startswith("_")}
        packed = {name.split("/")[2] for name in found if name.startswith(f"firstbyte/{ours}/")}
        assert own == packed - {"__init__.py"}


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    kinds = {Path(name).suffix for name in names(wheel) if name.startswith("firstbyte/")}
    # The C file is what self-checks compile; Markdown tells what a backend is.
    assert kinds == {".py", ".toml", ".md", ".c", ".j2", ".css"}
    folders = {part for name in names(wheel) for part in Path(name).parts[:-1]}
    assert not folders & {"tests", "crates", "fuzz", "harness", "target", "__pycache__"}


def test_a_second_crate_stays_out_of_it_but_for_its_backend(wheel: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    for name in ("harness", "backends", "scenarios"):
        unbuilt = shutil.ignore_patterns("target", "__pycache__")
        shutil.copytree(ROOT / name, project / name, ignore=unbuilt)
    second = project / "backends" / "second"
    for name in (
        *("pyproject.toml", "Cargo.toml", "Cargo.lock", "rustfmt.toml", "deny.toml", "src/lib.rs"),
        *("crates/core/Cargo.toml", "crates/core/src/lib.rs", "python/second_package/__init__.py"),
        *("fuzz/Cargo.toml", "target/release/second.d", "backend.py", "backend.toml"),
    ):
        path = second / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "built").mkdir()
    added = set(names(build("wheel", project, tmp_path / "built"))) - set(names(wheel))
    own = {f"firstbyte/backends/second/backend.{kind}" for kind in ("py", "toml")}
    assert added == own


def test_an_sdist_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    for name in ("sdist", "unpacked", "wheel"):
        (tmp_path / name).mkdir()
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (project,) = (tmp_path / "unpacked").iterdir()
    assert names(build("wheel", project, tmp_path / "wheel")) == names(wheel)


def test_a_run_in_an_empty_folder_stays_in_it(installed: Installed) -> None:
    before = sorted(installed.site.rglob("*"))
    for cheap in (["list"], ["doctor"], ["corpus", "list"], ["cases", "--list"]):
        done = installed(*cheap)
        assert (done.returncode, done.stderr) == (0, ""), (cheap, done.stderr)
    assert list(installed.folder.iterdir()) == [], "looking writes nothing"

    done = installed("run", "-b", "pyarrow:buffered", *SCAN)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (installed.folder / "results").iterdir()
    (page,) = (installed.folder / "reports").iterdir()
    about = json.loads((run / "run.json").read_text())
    assert about["git"] == {}, "the repository around is the user's"
    assert about["versions"]["firstbyte"]

    shown = installed("show", "latest")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "pyarrow:buffered" in shown.stdout
    assert "not a git checkout" in shown.stdout
    page.unlink()
    assert installed("report", "latest").stdout.split() == [str(page)]
    assert page.exists()
    assert {path.name for path in installed.folder.iterdir()} == {"results", "reports"}
    assert sorted(installed.site.rglob("*")) == before


def test_a_plug_in_folder_goes_with_it(installed: Installed) -> None:
    roots = {"FIRSTBYTE_PLUGINS": str(FAULTY)}
    done = installed("run", "-b", "sound", *SCAN, "--results", "plugged", **roots)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_self_check_has_its_faults_with_it(installed: Installed) -> None:
    """They are compiled on the way: in the cache, since where they lie may belong to somebody else."""
    roots = {"FIRSTBYTE_PLUGINS": str(installed.site / "firstbyte" / "selfcheck" / "planted")}
    done = installed("run", "-b", "planted:malloc_leak", *SCAN, "--results", "planted", **roots)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(installed.site.rglob("*.so"))
    assert list(installed.cache.rglob("libplanted-*.so"))


def test_what_needs_a_checkout_says_so(installed: Installed) -> None:
    done = installed("gate", "--base", "HEAD", "-c", CORPUS)
    assert (done.returncode, done.stderr.count("\n")) == (15, 1), done.stderr
    assert "nothing to compare: working tree has no backends" in done.stderr
