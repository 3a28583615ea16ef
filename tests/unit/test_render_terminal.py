"""The tables at the end of a run and the progress during it."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace

import pytest
from render_fixtures import cell, certify_all, record, records, run, view
from rich.console import Console

from firstbyte.model import Record, Status
from firstbyte.render.outputs import tables
from firstbyte.render.progress import Progress
from firstbyte.render.request import Request
from firstbyte.visibility import shown


@pytest.fixture(autouse=True)
def memray_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    certify_all(monkeypatch)


def draw(found: list[Record], width: int = 140, **changes: object) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(tables.render(Request(view(found, run(**changes)), report="reports/r.html")))
    return console.file.getvalue()  # type: ignore[attr-defined]


def line(text: str, start: str) -> str:
    return next(row for row in text.splitlines() if row.startswith(start))


def test_notes_come_first_and_the_report_last() -> None:
    lines = draw(records()).strip().splitlines()
    assert "gettext corpus could not be fetched" in lines[0]
    assert lines[-1].strip() == "report: reports/r.html"


def test_how_it_was_obtained_is_complete() -> None:
    text = draw(records())
    for part in (
        "firstbyte run --corpus 'files:a b/*.parquet'",
        "Example CPU",
        "2025-01-01",
        "pyarrow: 1.2.3",
        "rows: 573,000",
        "0123abc",
    ):
        assert part in text


def test_the_best_ok_cell_is_marked_and_nothing_else() -> None:
    text = draw([r for r in records() if r.cell.scenario == "full_scan"])
    assert "*0.400" in line(text, "arrow_rs:sync")
    assert "*1,432" in line(text, "arrow_rs:sync"), "a rate is best when highest"
    assert "*" not in line(text, "pyarrow:dataset")


def test_a_wrong_cell_is_named_but_never_ranked() -> None:
    """The fixture's WRONG backend claims 1 ns and 1e15 rows/s: it must win nothing."""
    text = draw([r for r in records() if r.cell.scenario == "full_scan"])
    wrong = line(text, "pure_python:default")
    assert wrong.split()[1:] == ["WRONG", "WRONG", "WRONG", "WRONG", "not", "run"]
    assert "digest mismatch, expected 3f2a, got 77b0" in text


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_no_status_but_ok_contributes_a_figure(status: Status) -> None:
    good = record(cell(backend="a", variant="x"), {"wall_ns": 5e9})
    bad = replace(
        record(cell(backend="b", variant="x"), {"wall_ns": 1e9}, reason="why"), status=status
    )
    text = draw([good, bad])
    assert str(status) in line(text, "b:x")
    assert "*" not in line(text, "a:x"), "alone among OK cells: nothing to rank"
    assert "1.00" not in line(text, "b:x")


def test_times_taken_under_another_instrument_are_not_shown() -> None:
    text = draw(
        [
            record(cell(backend="a", variant="x"), {"wall_ns": 5e9}, spread=0.0),
            record(
                cell(backend="a", variant="x", instrument="heap"), {"wall_ns": 99e9}, spread=0.0
            ),
        ]
    )
    assert "5.00" in text
    assert "99.0" not in text


def test_a_withheld_figure_says_so_with_its_reason() -> None:
    text = draw(records())
    assert line(text[text.index("full_scan") :], "polars:default").endswith("withheld")
    assert "jemalloc hides its allocations" in text


def figures(text: str) -> Counter[str]:
    """Every figure of the tables; the prose of the fixture has no numbers of its own."""
    tables = text[text.index("time_to_first_byte") : text.index("Figures are medians")]
    words = [re.sub(r"\W*$", "", word.lstrip("*")) for word in tables.split()]
    return Counter(word for word in words if re.fullmatch(r"[0-9.,]+", word))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_shortens_no_figure(width: int) -> None:
    wide = figures(draw(records(), 300))
    assert len(wide) > 50
    narrow = draw(records(), width)
    wide.pop("11", None)  # of "signal 11"
    assert wide - figures(narrow) == Counter()
    assert "\u2026" not in narrow


def test_labels_cannot_inject_markup() -> None:
    text = draw([record(cell(backend="[red]x[/red]", variant="[/]"), {"wall_ns": 1.0})])
    assert "[red]x[/red]:[/]" in text


def test_a_run_without_records_says_so() -> None:
    assert "nothing has been measured yet" in draw([])


def test_a_scenario_that_the_catalogue_does_not_know_is_shown_without_marks() -> None:
    text = draw(
        [
            record(cell("elsewhere", "a", "x"), {"odd_ns": 5.0}),
            record(cell("elsewhere", "b", "x"), {"odd_ns": 6.0}),
        ]
    )
    assert "odd" in text
    assert "*" not in line(text, "a:x")


def test_the_later_record_of_a_cell_counts() -> None:
    of = cell(backend="a", variant="x")
    found = view([record(of, status=Status.TIMEOUT, reason="60 s"), record(of, {"wall_ns": 1.0})])
    assert found.counts() == {Status.OK: 1}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_prints_one_plain_line_per_cell_off_a_terminal() -> None:
    found = records()[:3]
    found[1] = replace(found[1], status=Status.TIMEOUT, reason="took more than 60 s")
    console = Console(file=io.StringIO(), width=80)
    clock = Clock()
    with Progress([(r.cell, 10.0) for r in found], console, clock) as progress:
        for one in found:
            progress.started(one.cell)
            clock.now += 20.0
            progress.finished(one)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 3
    assert lines[0].startswith("[1/3] OK")
    assert lines[0].endswith("about 40 s left)"), "twice as slow as planned: 2 x 20 s left"
    assert "took more than 60 s" in lines[1]
    assert lines[2].endswith("about 0 s left)")


def test_progress_counts_down_within_a_cell_but_not_below_what_is_left() -> None:
    found = records()[:2]
    clock = Clock()
    progress = Progress([(r.cell, 10.0) for r in found], Console(file=io.StringIO()), clock)
    assert progress.remaining_s == 20.0
    progress.started(found[0].cell)
    clock.now = 4.0
    assert progress.remaining_s == 16.0
    clock.now = 400.0
    assert progress.remaining_s == 10.0


def test_progress_on_a_terminal_shows_cell_counts_and_failures() -> None:
    found = records()[:2]
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    progress = Progress([(r.cell, 1.0) for r in found], console, Clock())
    with progress:
        progress.started(found[0].cell)
        progress.finished(replace(found[0], status=Status.CRASHED, reason="signal 11"))
        progress.started(found[1].cell)
    console.print(progress)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "CRASHED" in text
    assert "1/2 cells" in text
    assert "1 failed" in text
    assert str(found[1].cell.key) in text


def test_without_a_certificate_no_heap_figure_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "certificates", lambda found, known: {})
    found = view(records())
    assert "peak_heap_bytes" not in set(found.summary["metric"])
    assert any("no scenario here certifies it" in one.reason for one in found.problems())
