"""The table of one backend against others inside a document: what is asked for, met, missed and refused."""

from __future__ import annotations

import pytest
from render_fixtures import cell, record, view
from test_scoreboard import catalogue, scan

from firstbyte.errors import HarnessError
from firstbyte.model import Record
from firstbyte.render.blocks import check, update
from firstbyte.render.tables import RunView

SPEC = """
subject: ours
row: Wall time | full_scan | wall_ns | | <= 0.4
row: Rate | full_scan | rows_per_s | | >= 1
floor: CPU time | full_scan | cpu_ns | <= 1.2
"""


def document(spec: str = SPEC) -> str:
    return f"# Crate\n\n<!-- against:begin{spec}-->\nold\n<!-- against:end -->\n\nthe rest\n"


def measured() -> list[Record]:
    scans = [
        scan("ours", "plain", wall_ns=4e9, rows_per_s=100.0, cpu_ns=3e9),
        scan("ours", "ahead", wall_ns=2e9, rows_per_s=300.0, cpu_ns=4e9),
        scan("swift", "one", wall_ns=8e9, rows_per_s=150.0, cpu_ns=2.2e9),
        scan("slow", "one", wall_ns=9e9, rows_per_s=400.0, cpu_ns=9e9),
    ]
    floor = record(cell("codec_floor", "ours", "plain", corpus="mt"), {"cpu_ns": 2e9}, spread=0.0)
    return [*scans, floor]


def shown(records: list[Record]) -> RunView:
    return view(records, known=catalogue())


def test_the_best_of_each_side_is_named_with_ratio_and_goal() -> None:
    text = update(document(), shown(measured()))
    assert "| Wall time, s | mt | 2.00 ahead | 8.00 swift:one | 0.250 | <= 0.4 |" in text
    assert "| Rate, rows/s | mt | 300 ahead | 400 slow:one | 0.750 | missed: >= 1 |" in text
    assert (
        "| CPU time, over codec_floor (2.00 s) | mt | 1.50 plain | 1.10 swift:one | 1.50 | missed: <= 1.2 |"
        in text
    )
    assert text.startswith("# Crate\n")
    assert text.endswith("<!-- against:end -->\n\nthe rest\n")
    assert update(text, shown(measured())) == text


def test_a_changed_digit_is_found() -> None:
    made = update(document(), shown(measured()))
    check(made, shown(measured()))
    with pytest.raises(HarnessError, match="not those of run"):
        check(made.replace("0.250", "0.240"), shown(measured()))


def test_a_figure_that_no_other_has_is_no_goal_that_was_met() -> None:
    text = update(document(), shown([one for one in measured() if one.cell.backend == "ours"]))
    assert "| Wall time, s | mt | 2.00 ahead | - | - | missed: <= 0.4 |" in text


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("\nsubject: ours\n", "needs a line 'subject: BACKEND' and rows"),
        ("\nrow: A | full_scan | wall_ns\n", "needs a line 'subject: BACKEND' and rows"),
        ("\nsubject: ours\nline: A\n", "table against others 'line'"),
        ("\nsubject: ours\nrow: A | full_scan\n", "must be HEADING"),
        ("\nsubject: ours\nrow: A | full_scan | wall_ns | | < 1\n", "'<= NUMBER' or '>= NUMBER'"),
        ("\nsubject: ours\nrow: A | full_scan | wal_ns\n", "has no figure for 'A'"),
        ("\nsubject: us\nrow: A | full_scan | wall_ns\n", "no backend in the run 'us'"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(spec: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        update(document(spec), shown(measured()))


def test_a_table_of_another_run_is_left_as_it_is() -> None:
    of_other = document(f"\nrun: another{SPEC}")
    both = update(document(f"\nrun: run-1{SPEC}") + of_other, shown(measured()))
    assert both.endswith(of_other)
    assert "swift:one" in both
    with pytest.raises(HarnessError, match="are of other runs: another, and none of run-1"):
        update(of_other, shown(measured()))


def test_markers_of_an_unknown_table_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"generated table 'aganst'.*did you mean 'against'"):
        update("<!-- aganst:begin --><!-- aganst:end -->", shown(measured()))
