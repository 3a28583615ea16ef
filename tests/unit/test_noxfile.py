"""Sessions find the crates of backends/ by themselves: a second one is built and checked like the first."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT

BUILT_BY = {"first": "maturin", "second": "maturin", "third": "hatchling.build"}
FLOOR = {"first": "", "second": "[workspace.metadata.coverage]\nleast_lines_percent = 70.5\n"}


class RecordingSession:
    """A session that writes down what it is to run, and where."""

    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.posargs: list[str] = []
        self.ran: list[tuple[str, tuple[str, ...]]] = []
        self.warned: list[str] = []

    def run(self, *words: str, **_: Any) -> None:
        self.ran.append((Path.cwd().name, words))

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def chdir(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        return contextlib.chdir(folder)

    def of_cargo(self) -> Iterator[tuple[str, str]]:
        """Where cargo was run, and for what."""
        for where, (program, *rest) in self.ran:
            if program == "cargo":
                yield where, " ".join(rest)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "backends" / "pure").mkdir(parents=True)
    for name, builder in BUILT_BY.items():
        folder = tmp_path / "backends" / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            f'[build-system]\nbuild-backend = "{builder}"\n[project]\nname = "{name}_package"\n'
        )
        (folder / "Cargo.toml").write_text(f"[workspace]\n{FLOOR.get(name, '')}")
    return tmp_path


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs that there are."""
    there = {"cargo", "cargo-nextest", "cargo-llvm-cov", "uv"}
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setenv("LLVM_COV", "llvm-cov")
    return there


@pytest.fixture(scope="module")
def sessions() -> ModuleType:
    """The noxfile, read once: nox registers each session."""
    spec = importlib.util.spec_from_file_location("sessions", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def noxfile(
    sessions: ModuleType, project: Path, tools: set[str], monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The sessions of the project, in whose environment there is an interpreter already."""
    monkeypatch.setattr(sessions, "ROOT", project)
    monkeypatch.setattr(sessions, "CONSTRAINTS", project / "constraints.txt")
    monkeypatch.setattr(sessions, "UV", "uv")
    scripts = project / ".nox" / "firstbyte" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "python").touch()
    return sessions


def test_every_crate_is_checked(noxfile: ModuleType) -> None:
    session = RecordingSession()
    noxfile.rust(session)
    asked = [(where, words.split()[0]) for where, words in session.of_cargo()]
    assert asked == [
        (where, words) for where in ("first", "second") for words in ("fmt", "clippy", "nextest")
    ]


def test_every_crate_is_built_and_what_has_not_changed_is_not_built_again(
    noxfile: ModuleType, project: Path
) -> None:
    def built() -> list[str]:
        session = RecordingSession()
        noxfile.bench(session)
        return [
            name
            for name in BUILT_BY
            for _, words in session.ran
            if str(project / "backends" / name) in words
        ]

    assert built() == ["first", "second"]
    assert built() == []
    (project / "backends" / "second" / "src").mkdir()
    (project / "backends" / "second" / "src" / "lib.rs").write_text("// changed")
    assert built() == ["second"]


def test_uv_is_told_to_build_each_crate_anew(noxfile: ModuleType) -> None:
    session = RecordingSession()
    noxfile.bench(session)
    again = [
        words[words.index("--reinstall-package") + 1]
        for _, words in session.ran
        if "--reinstall-package" in words
    ]
    assert again == ["first_package", "second_package"]


def test_each_crate_has_a_floor_of_its_own(noxfile: ModuleType) -> None:
    session = RecordingSession()
    noxfile.coverage(session)
    covered = [(where, words.split()[-1]) for where, words in session.of_cargo()]
    assert covered == [("first", "0"), ("second", "70.5")]
    assert session.warned == []


@pytest.mark.parametrize("lacking", ["cargo-llvm-cov", "llvm-cov"])
def test_coverage_that_cannot_be_had_is_one_line(
    noxfile: ModuleType, tools: set[str], monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "llvm-cov":
        monkeypatch.setattr(noxfile, "rust_libraries", lambda: Path("/nowhere/lib"))
        monkeypatch.delenv("LLVM_COV")
    tools.discard(lacking)
    session = RecordingSession()
    noxfile.coverage(session)
    assert list(session.of_cargo()) == []
    (line,) = session.warned
    assert "first, second" in line
    assert "rustup component add llvm-tools" in line


def test_without_rust_all_crates_are_named_in_one_line(
    noxfile: ModuleType, tools: set[str]
) -> None:
    tools.discard("cargo")
    session = RecordingSession()
    noxfile.bench(session)
    (line,) = session.warned
    assert line.startswith("no Rust toolchain: first, second")
