"""Environments are built once for a recipe, by uv where it is there, and pip where it is not or fails."""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path

import pytest

from firstbyte.engine import environments
from firstbyte.engine.environments import (
    Environments,
    InstallError,
    Recipe,
    content_of,
    distribution,
    installed,
    version_differences,
    without,
)

RECORD = '#!/bin/sh\nprintf "%s\\n" "$(basename "$0") $*" >> "$LOG"\n'
UV = f"""{RECORD}
if [ "$1" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin"
fi
"""


class Tools:
    """A uv and a pip that install nothing and note what they were asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log = folder / "log"

    def put(self, name: str, script: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path / "tools")
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(made.log))

    def create(folder: Path, **options: object) -> None:
        made.put(str(folder / "bin" / "python"), RECORD)

    monkeypatch.setattr(environments.venv, "create", create)
    return made


def test_a_recipe_is_built_once(tools: Tools, tmp_path: Path) -> None:
    tools.put("uv", UV)
    said: list[str] = []
    kept = Environments(tmp_path / "cache", said.append)
    recipe = Recipe(["pyarrow==26"], ["numpy==2"], [tmp_path / "tools" / "crate"])
    first = kept.python(recipe, "base")
    assert kept.python(recipe, "head") == first
    assert said == ["installing base"]
    made, required, built = tools.calls
    assert made.startswith("uv venv --quiet --python=")
    folder = Path(first).parent.parent
    options = f"--link-mode=copy --compile-bytecode -c {folder / 'constraints.txt'}"
    assert required == f"uv pip install --quiet --python={first} {options} pyarrow==26"
    assert built.endswith(str(tmp_path / "tools" / "crate"))
    assert (folder / "constraints.txt").read_text() == "numpy==2\n"


def test_what_decides_the_content_decides_the_folder(tools: Tools, tmp_path: Path) -> None:
    tools.put("uv", UV)
    crate = tmp_path / "crate"
    crate.mkdir()
    (crate / "lib.rs").write_text("1")
    kept = Environments(tmp_path / "cache", lambda _: None)
    recipes = [Recipe(["a"]), Recipe(["b"]), Recipe(["a"], ["c"]), Recipe(["a"], projects=[crate])]
    before = [kept.python(recipe, "") for recipe in recipes]
    assert len(set(before)) == len(recipes)
    (crate / "lib.rs").write_text("2")
    after = [kept.python(recipe, "") for recipe in recipes]
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_without_uv_pip_installs(tools: Tools, tmp_path: Path) -> None:
    python = Environments(tmp_path / "cache", lambda _: None).python(Recipe(["a"]), "base")
    folder = Path(python).parent.parent
    (call,) = tools.calls
    assert call == (
        "python -m pip install --quiet --disable-pip-version-check "
        f"-c {folder / 'constraints.txt'} a"
    )


def test_where_uv_fails_pip_is_tried_and_it_is_said(tools: Tools, tmp_path: Path) -> None:
    tools.put("uv", "#!/bin/sh\necho no such index >&2\nexit 2\n")
    said: list[str] = []
    kept = Environments(tmp_path / "cache", said.append)
    first = kept.python(Recipe(["a"]), "base")
    assert [call.split()[0] for call in tools.calls] == ["python"]
    assert any("uv cannot install base, pip is tried instead" in line for line in said)
    assert any("no such index" in line for line in said)
    assert kept.python(Recipe(["a"]), "base") == first


def test_where_nothing_can_install_it_is_one_error(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(folder: Path, **options: object) -> None:
        tools.put(str(folder / "bin" / "python"), "#!/bin/sh\necho no matching a >&2\nexit 1\n")

    monkeypatch.setattr(environments.venv, "create", create)
    kept = Environments(tmp_path / "cache", lambda _: None)
    for _ in range(2):  # what failed is not taken for complete
        with pytest.raises(InstallError, match="failed: no matching a"):
            kept.python(Recipe(["a"]), "base")


def test_an_interpreter_is_asked_for_its_distributions() -> None:
    assert "pytest" in installed(sys.executable)
    with pytest.raises(InstallError, match="cannot run /no/such/python: No such file"):
        installed("/no/such/python")


def test_versions_that_differ_are_named() -> None:
    found = version_differences({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "3"})
    assert found == ["a 1 -> 2", "c absent -> 3"]


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("PyArrow==26.0.1", "pyarrow"),
        ("ruamel_yaml.clib[x] >= 1; python_version > '3'", "ruamel-yaml-clib"),
        ("arro3--io", "arro3-io"),
        ("./here", ""),
        ("-e .", ""),
        ("firstbyte_arrow @ file:///here", "firstbyte-arrow"),
    ],
)
def test_a_requirement_names_a_distribution(requirement: str, name: str) -> None:
    assert distribution(requirement) == name


def test_constraints_hold_but_for_what_was_asked_for() -> None:
    locked = ["# locked", "PyArrow==26.0.1", "numpy==2.4.6  # why", ""]
    assert without(locked, ["pyarrow[x] >= 25", "./here"]) == ["numpy==2.4.6"]


def test_bytecode_is_no_content(tmp_path: Path) -> None:
    """Workers that import from a source leave some there, and the source is what it was."""
    (tmp_path / "module.py").write_text("answer = 42\n")
    before = content_of(tmp_path)
    py_compile.compile(str(tmp_path / "module.py"))
    assert (tmp_path / "__pycache__").is_dir()
    assert content_of(tmp_path) == before
    (tmp_path / "module.py").write_text("answer = 43\n")
    assert content_of(tmp_path) != before
