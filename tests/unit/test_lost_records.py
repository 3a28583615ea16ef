"""A run that has fewer records than were planned is never shown as complete, and can be gone on with."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from pipeline_fixtures import run_of
from render_fixtures import records, run, view
from rich.console import Console

from firstbyte.commands.compare import command as compare
from firstbyte.engine import store
from firstbyte.engine.registry import discover
from firstbyte.engine.store import RECORDS_FILE, RUN_FILE, RunFolder
from firstbyte.render.html.report import render as render_html
from firstbyte.render.outputs import OUTPUTS
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView

SOME = records()[:13]
DONE = "2026-01-01T00:05:00+00:00"


def stored(results: Path, planned: int | None, run_id: str = "r", kept: int = 13) -> Path:
    folder = RunFolder.create(
        results, run_of(run_id, finished=DONE, planned_cells=planned, plan_fingerprint="p")
    )
    for record in SOME[:kept]:
        folder.append(record)
    return folder.path


@pytest.mark.parametrize(("planned", "finished"), [(168, ""), (13, DONE), (None, DONE)])
def test_finished_is_a_run_that_has_what_was_planned(
    tmp_path: Path, planned: int | None, finished: str
) -> None:
    path = stored(tmp_path, planned)
    assert store.load(path)[0].finished == finished
    assert store.load_run(path).finished == finished
    resumable = store.find_unfinished(tmp_path, "p", pytest.fail)
    assert resumable == (None if finished else path)


def test_a_cell_measured_twice_counts_once(tmp_path: Path) -> None:
    path = stored(tmp_path, 14)
    RunFolder(path).append(SOME[0])
    assert store.load_run(path).finished == ""


def test_a_run_of_the_first_schema_does_not_know(tmp_path: Path) -> None:
    path = stored(tmp_path, None)
    raw = json.loads((path / RUN_FILE).read_text(encoding="utf-8"))
    del raw["planned_cells"]
    (path / RUN_FILE).write_text(json.dumps(raw | {"schema": 1}), encoding="utf-8")
    lines = [json.loads(line) for line in (path / RECORDS_FILE).read_bytes().splitlines()]
    old = "".join(json.dumps(line | {"schema": 1}) + "\n" for line in lines)
    (path / RECORDS_FILE).write_text(old, encoding="utf-8")
    loaded, found = store.load(path)
    assert (loaded.planned_cells, loaded.finished, len(found)) == (None, DONE, 13)


def drawn(output: str, of: RunView) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(OUTPUTS.load(output).render(Request(of)))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_everything_that_shows_a_run_says_that_cells_are_missing() -> None:
    lost = view(SOME, run(planned_cells=168))
    assert "cells: 13 of 168 cells, 13 OK" in drawn("tables", lost)
    page = render_html(lost)
    assert "13 of 168 cells: 13 OK" in page
    assert "<b>not finished</b>" in page
    known = view(SOME, run(planned_cells=168), discover())
    for output in ("tables", "scoreboard"):
        assert drawn(output, known).startswith("Note: this run has 13 of 168 cells: ")
    part = replace(lost.shown, records=lost.records[:2])
    assert part.extent == "13 of 168 cells", "a chosen part is of the same run"


def test_a_whole_run_says_nothing_of_it() -> None:
    for planned in (13, None):
        whole = view(SOME, run(planned_cells=planned))
        assert not whole.shown.lacking
        assert "Note: this run has" not in drawn("tables", whole)
        assert "not finished" not in render_html(whole)


def test_compare_says_it(tmp_path: Path) -> None:
    stored(tmp_path, 168, "before")
    stored(tmp_path, 13, "later")
    found = CliRunner().invoke(compare, ["before", "later", "--results", str(tmp_path)])
    assert "run before has 13 of 168 cells" in found.output
    assert "run later has" not in found.output
