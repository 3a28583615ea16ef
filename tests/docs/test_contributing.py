"""Somebody follows CONTRIBUTING to the letter: what it shows is put where it says, and works."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT, Cli

from firstbyte.engine import store
from firstbyte.model import Record, Status

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([\w./]+)` (?:[^\n]+\n)+\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A paragraph that begins with a path, and the block behind it."""
INSTRUMENTS = "harness/firstbyte/worker/instruments"
OUTPUTS = "harness/firstbyte/render/outputs"
GIVEN_AWAY = ("mine", "second_scan", "page_faults", "what_failed")
"""Names on the page: those who follow it in this checkout have plug-ins of these names."""


def shown() -> dict[str, str]:
    """Path in the checkout -> content, of every file that the page shows whole."""
    return dict(FILE.findall(PAGE))


def renamed(text: str) -> str:
    """The text with names that nobody else has."""
    return re.sub(rf"\b({'|'.join(GIVEN_AWAY)})\b", r"followed_\1", text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A plug-in root with all that can lie in one."""
    for path, content in shown().items():
        if path.startswith(OUTPUTS):
            continue
        made = tmp_path / renamed(path.replace(INSTRUMENTS, "instruments"))
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(renamed(content), encoding="utf-8")
    return tmp_path


def records(cli: Cli, root: Path, *arguments: str) -> list[Record]:
    """What `firstbyte run` with these arguments gives, the plug-in root being known."""
    results = root / "results"
    folders = ("--results", str(results), "--reports", str(root / "reports"))
    done = cli("run", *arguments, *folders, FIRSTBYTE_PLUGINS=str(root))
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = store.run_folders(results)
    _, found = store.load(folder)
    assert {record.status for record in found} == {Status.OK}
    return found


def test_the_page_shows_one_of_each() -> None:
    assert list(shown()) == [
        "backends/mine/backend.toml",
        "backends/mine/backend.py",
        "scenarios/second_scan.py",
        f"{INSTRUMENTS}/page_faults.py",
        f"{OUTPUTS}/what_failed.py",
    ]
    assert all(any(name in path for path in shown()) for name in GIVEN_AWAY)


def test_the_backend_reads_what_is_there(cli: Cli, root: Path, tiny_corpus: str) -> None:
    """Every way of reading whose rows are held against the corpus."""
    scenarios = ("full_scan", "time_to_first_byte", "concurrent_reads")
    chosen = [word for name in scenarios for word in ("-s", name)]
    found = records(cli, root, "-b", "followed_mine", "-i", "clock", "-c", tiny_corpus, *chosen)
    assert {record.cell.scenario for record in found} == set(scenarios)
    assert {record.cell.params.get("mode") for record in found} == {None, "threads", "processes"}


def test_the_scenario_runs_with_any_backend(cli: Cli, root: Path, tiny_corpus: str) -> None:
    backends = ("-b", "followed_mine", "-b", "pyarrow:buffered")
    found = records(cli, root, *backends, "-s", "followed_second_scan", "-c", tiny_corpus)
    assert [record.cell.backend for record in found] == ["followed_mine", "pyarrow"]
    for record in found:
        assert record.samples[0].values["second_scan_ns"] > 0


def test_a_scenario_that_names_the_instrument_has_its_figures(
    cli: Cli, root: Path, tiny_corpus: str
) -> None:
    (shows,) = re.findall(r'INSTRUMENTS`, as in `(\("clock", "page_faults"\))`', PAGE)
    scenario = root / "scenarios" / "followed_second_scan.py"
    alone, both = 'INSTRUMENTS = ("clock",)', f"INSTRUMENTS = {renamed(shows)}"
    scenario.write_text(scenario.read_text().replace(alone, both))
    names = ("-b", "followed_mine", "-s", "followed_second_scan")
    found = records(cli, root, *names, "-c", tiny_corpus)
    by_instrument = {record.cell.instrument: record.samples[0].values for record in found}
    assert set(by_instrument) == {"clock", "followed_page_faults"}
    faults = by_instrument["followed_page_faults"]
    assert faults.keys() == {"minor_faults_count", "major_faults_count"}


def test_the_output_says_what_did_not_end_well(tmp_path: Path) -> None:
    path = tmp_path / "followed_what_failed.py"
    path.write_text(shown()[f"{OUTPUTS}/what_failed.py"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    output = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(output)
    assert output.__doc__
    cell = SimpleNamespace(key="scan/mine")
    bad = SimpleNamespace(ok=False, cell=cell, status=Status.WRONG, reason="a row too many")
    given = SimpleNamespace(view=SimpleNamespace(records=[SimpleNamespace(ok=True), bad]))
    assert output.render(given) == (
        "1 of 2 cells did not end well\nscan/mine: WRONG: a row too many\n"
    )


def test_no_test_takes_the_names_that_the_page_gives_away() -> None:
    """A backend or a scenario of a name that a test uses as well would break that test."""
    given = re.compile(rf"""["']({"|".join(GIVEN_AWAY)})["']""")
    taken = [
        path.name
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and given.search(path.read_text(encoding="utf-8"))
    ]
    assert taken == []
