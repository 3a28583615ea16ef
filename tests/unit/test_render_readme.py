"""README's headline: what is asked for, what is refused, and that nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from render_fixtures import HOSTILE, cell, record, records, view

from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.model import Status
from firstbyte.render.blocks import check, headline_of, update
from firstbyte.render.headline import headline, parse
from firstbyte.render.outputs import picture
from firstbyte.render.request import Request

SPEC = """
corpus: gettext
baseline: legacy:r1
column: First byte | time_to_first_byte | first_byte_ns | start=cold cache=warm
column: Rows per second | full_scan | rows_per_s
column: Peak RssAnon | full_scan | peak_rss_anon_bytes
"""
README = f"# Title\n\n<!-- headline:begin{SPEC}-->\nold\n<!-- headline:end -->\n\nthe rest\n"


def rows(text: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def test_absolute_values_come_first_and_ratios_last() -> None:
    table = rows(update(README, view(records())))
    assert table["backend:variant"] == [
        "First byte (ms)",
        "Rows per second (k rows/s)",
        "Peak RssAnon (MB)",
        "First byte, ratio",
        "Rows per second, ratio",
        "Peak RssAnon, ratio",
    ]
    assert table["legacy:r1"] == ["272", "59.7", "530", "1.00", "1.00", "1.00"]
    assert table["arrow_rs:sync"] == ["**88.0**", "**1,432**", "**70.0**", "3.09", "24.0", "7.57"]
    assert {"legacy:r0", "polars:default", "pyarrow:dataset"} <= table.keys()


def test_a_failed_cell_shows_its_status_has_no_ratio_and_its_reason_stands_below() -> None:
    text = update(README, view(records()))
    assert rows(text)["pure_python:default"] == ["CRASHED", "WRONG", "WRONG", "-", "-", "-"]
    assert "digest mismatch" in text
    assert "signal 11" in text
    assert "cannot open twice" not in text, "that cell is not in the table"


def test_a_failed_baseline_gives_no_ratio_at_all() -> None:
    found = [
        replace(one, status=Status.TIMEOUT, reason="60 s") if one.cell.variant == "r1" else one
        for one in records()
    ]
    lines = headline(view(found), parse(SPEC)).lines
    assert {ratio for line in lines for ratio in line.ratios} == {None}


def test_the_rest_of_readme_is_left_alone_and_updating_twice_changes_nothing() -> None:
    once = update(README, view(records()))
    assert once.startswith(f"# Title\n\n<!-- headline:begin{SPEC}-->\n")
    assert once.endswith("<!-- headline:end -->\n\nthe rest\n")
    assert "\nold\n" not in once
    assert update(once, view(records())) == once


def test_how_it_was_obtained_stands_below() -> None:
    text = update(README, view(records()))
    for part in ("firstbyte run", "2025-01-01", "Example CPU", "rows: 573,000", "pyarrow: 1.2.3"):
        assert part in text


def test_check_finds_a_changed_digit() -> None:
    good = update(README, view(records()))
    check(good, view(records()))
    with pytest.raises(HarnessError, match="not those of run run-1"):
        check(good.replace("| 272 |", "| 271 |"), view(records()))


@pytest.mark.parametrize(
    "readme",
    [
        "nothing",
        "<!-- headline:begin -->",
        "<!-- headline:end --><!-- headline:begin -->",
        "<!-- headline:begin --><!-- headline:begin --><!-- headline:end -->",
    ],
)
def test_missing_or_doubled_markers_are_refused(readme: str) -> None:
    with pytest.raises(HarnessError, match="needs one"):
        update(readme, view(records()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour: red", "headline setting 'colour'.*did you mean 'column'"),
        ("column: First byte", "HEADING | SCENARIO"),
        ("column: A | nowhere | a_ns", "scenario in the run 'nowhere'"),
        ("column: A | full_scan | wal_ns", "did you mean 'wall_ns'"),
        ("column: A | time_to_first_byte | first_byte_ns | start=warm", "setting of"),
        ("baseline: legacy:r9", "baseline in the run 'legacy:r9'"),
        ("corpus: mt", "corpus of the run 'mt'"),
    ],
)
def test_what_the_run_lacks_is_named_with_what_it_has(line: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message.replace("|", r"\|")):
        headline(view(records()), parse(line))


def test_without_a_specification_every_headline_metric_is_a_column() -> None:
    found = headline(view(records()), parse(""))
    assert "first byte, cache=warm, start=cold" in found.headings
    assert found.lines[0].ratios == ()


def test_labels_cannot_break_the_table() -> None:
    hostile = [record(cell("s", f"{HOSTILE}|a", "x`*"), {"a_ns": 1.0})]
    text = update(README.replace(SPEC, " "), view(hostile))
    assert "<script" not in text.replace("\\<script", "")
    line = next(row for row in text.splitlines() if "alert" in row)
    assert line.replace("\\|", "").count("|") == 3


def test_the_picture_is_a_standalone_svg_of_a_time_and_a_memory() -> None:
    found = view(records())
    spec = headline_of(README)
    svg = picture.render(Request(found, headline=spec))
    ElementTree.fromstring(svg)
    assert picture.render(Request(found, headline=spec)) == svg
    only = replace(spec, columns=spec.columns[:1])
    with pytest.raises(HarnessError, match="two headline columns"):
        picture.render(Request(found, headline=only))


def test_an_empty_run_has_no_headline() -> None:
    with pytest.raises(HarnessError, match="no records"):
        update(README, view([]))
    assert issubclass(UnknownNameError, HarnessError)
