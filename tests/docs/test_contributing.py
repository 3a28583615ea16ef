"""Somebody follows CONTRIBUTING to the letter: what it shows is put where it says, and works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from firstbyte.engine import store
from firstbyte.model import Record, Status

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([\w./]+)` (?:[^\n]+\n)+\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A paragraph that begins with a path, and the block behind it."""
INSTRUMENTS = "harness/firstbyte/worker/instruments"


def shown() -> dict[str, str]:
    """Path in the checkout -> content, of every file that the page shows whole."""
    return dict(FILE.findall(PAGE))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A plug-in root with all of them."""
    for path, content in shown().items():
        made = tmp_path / path.replace(INSTRUMENTS, "instruments")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(content, encoding="utf-8")
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
    ]


def test_the_backend_reads_what_is_there(cli: Cli, root: Path, tiny_corpus: str) -> None:
    """Every way of reading whose rows are held against the corpus."""
    scenarios = ("full_scan", "time_to_first_byte", "concurrent_reads")
    chosen = [word for name in scenarios for word in ("-s", name)]
    found = records(cli, root, "-b", "mine", "-i", "clock", "-c", tiny_corpus, *chosen)
    assert {record.cell.scenario for record in found} == set(scenarios)
    assert {record.cell.params.get("mode") for record in found} == {None, "threads", "processes"}


def test_the_scenario_runs_with_any_backend(cli: Cli, root: Path, tiny_corpus: str) -> None:
    backends = ("-b", "mine", "-b", "pyarrow:buffered")
    found = records(cli, root, *backends, "-s", "second_scan", "-c", tiny_corpus)
    assert [record.cell.backend for record in found] == ["mine", "pyarrow"]
    for record in found:
        assert record.samples[0].values["second_scan_ns"] > 0


def test_a_scenario_that_names_the_instrument_has_its_figures(
    cli: Cli, root: Path, tiny_corpus: str
) -> None:
    (shows,) = re.findall(r'INSTRUMENTS`, as in `(\("clock", "page_faults"\))`', PAGE)
    scenario = root / "scenarios" / "second_scan.py"
    changed = scenario.read_text().replace('INSTRUMENTS = ("clock",)', f"INSTRUMENTS = {shows}")
    scenario.write_text(changed)
    found = records(cli, root, "-b", "mine", "-s", "second_scan", "-c", tiny_corpus)
    by_instrument = {record.cell.instrument: record.samples[0].values for record in found}
    assert set(by_instrument) == {"clock", "page_faults"}
    assert by_instrument["page_faults"].keys() == {"minor_faults_count", "major_faults_count"}
    assert by_instrument["page_faults"]["minor_faults_count"] > 0


def test_no_test_takes_the_names_that_the_page_gives_away() -> None:
    """A backend or a scenario of a name that a test uses as well would break that test."""
    given = re.compile(r"""["'](mine|second_scan|page_faults)["']""")
    taken = [
        path.name
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and given.search(path.read_text(encoding="utf-8"))
    ]
    assert taken == []
