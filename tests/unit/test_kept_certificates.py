"""A host's certificate is found wherever it is kept: checked here or published, in project or checkout."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstbyte.contracts import Document
from firstbyte.engine.fingerprint import host
from firstbyte.errors import HarnessError
from firstbyte.selfcheck import keeping
from firstbyte.selfcheck.gate import certificate as gate
from firstbyte.selfcheck.of_host import of_host

HERE: dict[str, Any] = {"host": "aaaa", "machine": "x86_64"}
ELSEWHERE = {**HERE, "host": "bbbb"}


@dataclass(frozen=True, slots=True)
class Checked:
    made: str
    host: dict[str, Any]
    schema: int = 1


CHECKED = Document(Checked, 1, HarnessError)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """All the files in which the certificate `x` may lie."""
    project, checkout = tmp_path / "project", tmp_path / "checkout"
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(project / "results"))
    monkeypatch.setattr(keeping, "checkout", lambda: checkout)
    files = [
        folder / "results" / kept
        for folder in (project, checkout)
        for kept in ("selfcheck/x.json", "published/selfcheck-x.json")
    ]
    for file in files:
        file.parent.mkdir(parents=True)
    return files


def write(path: Path, day: int, of: dict[str, Any]) -> None:
    path.write_text(json.dumps({"made": f"2026-01-{day:02}", "host": of, "schema": 1}))


def found() -> str:
    one = keeping.find("x", CHECKED, HERE)
    return one.certificate.made if one.certificate else one.instead


@pytest.mark.parametrize("place", range(4))
def test_it_is_found_in_every_place(places: list[Path], place: int) -> None:
    assert found() == ""
    write(places[place], 1, HERE)
    assert found() == "2026-01-01"


@pytest.mark.parametrize("days", list(itertools.permutations((1, 2, 3, 4))))
def test_the_newest_of_this_host_counts(places: list[Path], days: tuple[int, ...]) -> None:
    for path, day in zip(places, days, strict=True):
        write(path, day, ELSEWHERE if day == 4 else HERE)
    assert found() == "2026-01-03"


def test_what_is_there_instead_is_said_and_hides_no_other(places: list[Path]) -> None:
    write(places[3], 4, ELSEWHERE)
    assert found() == "there is one of another host: host was bbbb, is aaaa"
    places[0].write_text("{")
    assert found().startswith(f"cannot read {places[0]}: no JSON")
    write(places[1], 1, HERE)
    assert found() == "2026-01-01"


def test_what_this_project_published_is_found_on_its_host() -> None:
    published = Path(__file__).parents[2] / "results" / "published" / "selfcheck-gate.json"
    made = gate.DOCUMENT.read(published)
    _, memory, said = of_host({**host(), **made.host})
    assert said == f"gate: {made.summary}"
    assert memory.startswith("memory self-check of ")
