"""Where things are kept, as a project and its environment say; what nobody reads is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firstbyte import places, variables
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.plugins import PACKAGE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in variables.KNOWN:
        monkeypatch.delenv(name, raising=False)
    below = tmp_path / "some" / "folder"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path


def settings(project: Path, text: str) -> Path:
    path = project / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_project_decides(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(project, "[tool.firstbyte]\nresults = 'kept'\n[tool.firstbyte.gate]\ncorpus = 'mt'")
    (project / "some" / "pyproject.toml").write_text("[project]\nname = 'another'")
    assert places.results() == project / "kept"
    assert places.reports() == project / "reports"
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(project / "elsewhere"))
    assert places.results() == project / "elsewhere"


def test_files_of_others_are_none_of_ours(project: Path) -> None:
    (project / "some" / "pyproject.toml").write_text("this is = = no TOML")
    (project / "some" / "folder" / "pyproject.toml").write_bytes(b"\xff\xfe")
    settings(project, "[tool.firstbyte]")
    assert places.project() == project


WRONG = {
    "a key that nobody reads": (
        "[tool.firstbyte]\nresult = 'x'",
        "tool.firstbyte: unknown key 'result'; did you mean 'results'? (allowed: gate, reports, resul",
    ),
    "a number": (
        "[tool.firstbyte]\nresults = 5",
        "tool.firstbyte: results: expected a text, got 5",
    ),
    "nothing": ("[tool.firstbyte]\nreports = ''", "reports must be the path of a folder, got ''"),
    "no table": ("[tool]\nfirstbyte = 1", "tool.firstbyte: expected a table, got 1"),
    "no TOML": ("[tool.firstbyte]\nresults = ", "tool.firstbyte: Invalid value"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_setting_is_one_line(project: Path, kind: str) -> None:
    text, reason = WRONG[kind]
    path = settings(project, text)
    with pytest.raises(HarnessError) as caught:
        places.results()
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_variable_is_refused() -> None:
    variables.check(["PATH", "FIRSTBYTE_RESULTS", "_FIRSTBYTE_COMPLETE"])
    with pytest.raises(UnknownNameError, match="'FIRSTBYTE_RESULT'; did you mean 'FIRSTBYTE_RESUL"):
        variables.check(["PATH", "FIRSTBYTE_RESULT"])


def test_every_variable_that_is_read_is_known() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    found = {name for text in sources for name in re.findall(r"\bFIRSTBYTE_[A-Z_]+\b", text)}
    assert {"FIRSTBYTE_PLUGINS", "FIRSTBYTE_CAPTURES"} <= found <= set(variables.KNOWN)
