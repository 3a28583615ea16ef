"""The HTML report: self-contained, escaped, deterministic, and strict about what it draws."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from render_fixtures import HOSTILE, catalogue, cell, certify_all, record, records, run, view

from firstbyte.api import Metric
from firstbyte.model import Record, Status
from firstbyte.render.html.figures import Drawing, colours, drawings
from firstbyte.render.html.report import render

MADE_BY = "firstbyte report run-1 --output 'r --> <b>.html'"


class Page(HTMLParser):
    """Tags, ids and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.fixture(autouse=True)
def memray_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    certify_all(monkeypatch)


def fewer() -> list[Record]:
    """Every scenario, with fewer settings: a drawing takes its time."""
    kept = {"cache": "warm", "mode": "threads"}
    return [
        one
        for one in records()
        if all(one.cell.params.get(name, value) == value for name, value in kept.items())
    ]


@pytest.fixture(scope="module")
def text() -> str:
    return render(view(fewer()), MADE_BY)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_same_run_gives_the_same_bytes() -> None:
    leaks = [one for one in records() if one.cell.scenario == "leak_scan"]
    first, second = (render(view(leaks), MADE_BY) for _ in range(2))
    assert "<svg" in first
    assert first == second


def test_nothing_is_loaded_and_nothing_runs(page: Page, text: str) -> None:
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_ids_are_unique_and_every_reference_has_its_target(page: Page, text: str) -> None:
    assert len(page.ids) == len(set(page.ids))
    referenced = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", text))
    assert referenced <= set(page.ids)


def test_the_head_holds_the_commands_and_they_are_visible(page: Page) -> None:
    shown = " ".join(page.texts)
    assert MADE_BY in shown
    assert "firstbyte run --corpus 'files:a b/*.parquet'" in shown
    assert page.comments[0].startswith(" made by: firstbyte report run-1")
    assert "--&gt;" in page.comments[0], "a command cannot end the comment that holds it"


def test_sections_notes_and_reasons_are_there(page: Page) -> None:
    shown = " ".join(page.texts)
    for part in (
        "the gettext corpus could not be fetched",
        "What time_to_first_byte asks.",
        "digest mismatch, expected 3f2a, got 77b0",
        "signal 11 (SIGSEGV)",
        "jemalloc hides its allocations",
        "cannot open twice",
        "Example CPU",
        "573,000",
        "What this does not show",
        "withheld",
    ):
        assert part in shown


def test_hostile_labels_are_shown_and_not_obeyed() -> None:
    hostile = [
        record(
            cell(HOSTILE, HOSTILE, HOSTILE, corpus=f"{HOSTILE}$x^2$", mode=HOSTILE),
            {"odd_ns": 5.0, f"{HOSTILE}_ns": 6.0},
            series={HOSTILE: [1.0, 2.0]},
        ),
        record(
            cell(HOSTILE, "-->", "--><script>"),
            status=Status.ERROR,
            reason=HOSTILE,
            stderr=f"</pre>{HOSTILE}",
        ),
        record(cell(HOSTILE, "-->", "clock"), {"odd_ns": 5.0}, reason=HOSTILE),
    ]
    of = run(
        argv=(HOSTILE,),
        notes=(HOSTILE,),
        host={HOSTILE: HOSTILE},
        corpora={HOSTILE: {HOSTILE: HOSTILE}},
    )
    found = render(view(hostile, of), HOSTILE)
    page = Page(found)
    assert "script" not in page.tags
    assert "<script" not in found
    assert HOSTILE in " ".join(page.texts)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Drawing]]:
    found = view(fewer())
    return {scenario: drawings(found, scenario, "gettext") for scenario in found.scenarios()}


def test_drawings_are_well_formed_and_carry_no_comment(drawn: dict[str, list[Drawing]]) -> None:
    for drawing in (one for several in drawn.values() for one in several):
        ElementTree.fromstring(drawing.svg)
        assert "<!--" not in drawing.svg
        assert "dc:date" not in drawing.svg


def test_each_kind_of_data_gets_its_drawing(drawn: dict[str, list[Drawing]]) -> None:
    titles = {scenario: [d.title for d in several] for scenario, several in drawn.items()}
    assert "first byte, by part: start=cold, cache=warm" in titles["time_to_first_byte"]
    assert "peak RssAnon, by part" in titles["full_scan"]
    assert "RssAnon after every repetition" in titles["leak_scan"]
    assert "rows per second by readers, mode=threads" in titles["concurrent_reads"]


def test_what_only_an_instrument_declares_is_not_drawn_by_readers() -> None:
    found = [
        record(cell("concurrent_reads", readers=readers), {"rows_per_s": 5.0, "cpu_ns": 7.0})
        for readers in (1, 2, 4)
    ]
    known = catalogue()
    asked = known.scenarios["concurrent_reads"]
    asked.metrics = (*asked.own_metrics, Metric("cpu_ns", "of the instrument"))  # type: ignore[misc]
    titles = [one.title for one in drawings(view(found, known=known), asked.name, "gettext")]
    assert "rows per second by readers" in titles
    assert "cpu by readers" not in titles


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_a_cell_that_is_not_ok_changes_no_drawing_but_is_named(status: Status) -> None:
    good = [
        record(cell(backend="a", variant="x"), {"wall_ns": 5e9}),
        record(cell(backend="b", variant="x"), {"wall_ns": 6e9}),
    ]
    bad = replace(
        record(cell(backend="b", variant="y"), {"wall_ns": 1.0}, series={"s_bytes": [1.0, 9.0]}),
        status=status,
        reason="why",
    )
    without = drawings(view(good), "full_scan", "gettext")
    drawn = drawings(view([*good, bad]), "full_scan", "gettext")
    assert [d.svg for d in drawn] == [d.svg for d in without]
    assert drawn[0].missing == (f"b:y ({status})",)


def test_parts_that_exceed_their_total_are_not_drawn() -> None:
    total = {"peak_rss_anon_bytes": 100.0, "base_rss_anon_bytes": 90.0}
    found = [
        record(
            cell(backend="a", instrument="proc_memory"),
            total | {"peak_rss_anon_above_base_bytes": 10.0},
        ),
        record(
            cell(backend="b", instrument="proc_memory"),
            total | {"peak_rss_anon_above_base_bytes": 60.0},
        ),
    ]
    drawn = drawings(view(found), "full_scan", "gettext")
    part = next(d for d in drawn if "by part" in d.title)
    assert part.missing == ("b:parquet_file (its parts do not add up to its total)",)


def test_a_backend_keeps_its_colour_whatever_else_failed() -> None:
    palette = colours(view(records()))
    assert len(set(palette.values())) == len(palette)


def test_an_empty_and_an_all_failed_run_are_rendered() -> None:
    assert "nothing has been measured yet" in render(view([]), MADE_BY)
    failed = record(cell(), status=Status.OUT_OF_MEMORY, reason="over its limit of 2 GB")
    found = render(view([failed], run(finished="")), MADE_BY)
    assert "over its limit of 2 GB" in found
    assert "not finished" in found
