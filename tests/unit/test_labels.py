"""Labels of figures: whose they are, at which settings, and which of them rank anybody."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from render_fixtures import cell, record, view
from rich.console import Console

from firstbyte.api import Metric
from firstbyte.engine.registry import discover
from firstbyte.model import Record
from firstbyte.render.headline import HeadlineSpec, headline
from firstbyte.render.headline_table import markdown
from firstbyte.render.html.report import render as render_html
from firstbyte.render.outputs import OUTPUTS
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView

KNOWN = discover()


def seen(found: list[Record]) -> RunView:
    return view(found, known=KNOWN)


def drawn(output: str, given: Request) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(OUTPUTS.load(output).render(given))
    return console.file.getvalue()  # type: ignore[attr-defined]


def calibration() -> list[Record]:
    """Two backends through the scenario that certifies memray."""
    values = {"taken_rss_anon_bytes": 90e6, "leaked_heap_bytes": 90.2e6, "peak_heap_bytes": 95e6}
    return [
        record(
            cell("visibility", backend, variant, instrument="heap"),
            {name: value * factor for name, value in values.items()},
            spread=0.0,
        )
        for backend, variant, factor in (
            ("pyarrow", "dataset", 1.0),
            ("pyarrow", "parquet_file", 0.99),
        )
    ]


def fixed() -> list[Record]:
    """Two variants of which every cell has the same parameters."""
    return [
        record(
            cell("concurrent_reads", variant=variant, mode="threads", readers=8),
            {"rows_per_s": 1e6 * (1 + place)},
        )
        for place, variant in enumerate(("dataset", "parquet_file"))
    ]


def test_what_certifies_an_instrument_ranks_no_backend() -> None:
    of = seen(calibration())
    for table in of.tables("visibility", "gettext", of.metrics("visibility")):
        assert table.columns, "the figures are shown"
        assert not any(figure.best for row in table.rows for figure in row.figures)
        assert all(column.title.endswith("(calibration)") for column in table.columns)
    page = render_html(of)
    assert "is better" not in page
    assert "leaked heap (calibration)" in page
    assert "leaked heap (calibration)" in " ".join(drawn("tables", Request(of)).split())
    assert "ahead" not in drawn("scoreboard", Request(of)).splitlines()[0]
    assert "**" not in markdown(headline(of, HeadlineSpec()), of)


def test_a_calibration_that_ranks_is_refused() -> None:
    with pytest.raises(ValueError, match="ranks nobody"):
        Metric("x_bytes", "", better="higher", calibration=True)


def test_what_ranks_nobody_is_never_the_best() -> None:
    names = [
        (scenario.name, metric)
        for scenario in KNOWN.scenarios.values()
        for metric in scenario.metrics
        if metric.calibration
    ]
    assert {"visibility", "responsiveness"} <= {name for name, _ in names}
    assert all(not metric.better for _, metric in names)


@pytest.mark.parametrize("output", ["tables", "scoreboard"])
def test_parameters_that_do_not_vary_are_said(output: str) -> None:
    text = " ".join(drawn(output, Request(seen(fixed()))).split())
    assert "mode=threads, readers=8" in text


def test_the_report_says_them_of_tables_and_drawings() -> None:
    page = render_html(seen(fixed()))
    assert "<h4>concurrent_reads, mode=threads, readers=8</h4>" in page
    assert "<h3>Corpus gettext, mode=threads, readers=8</h3>" in page
    assert "every sample, mode=threads, readers=8" in page


def test_the_headline_says_them_whatever_its_headings() -> None:
    of = seen(fixed())
    assert (
        "Measured at: rows per second, mode=threads, readers=8: mode=threads readers=8"
        in markdown(headline(of, HeadlineSpec()), of)
    )


def test_a_varying_parameter_stays_in_the_column() -> None:
    one, other = fixed()
    varied = replace(other.cell, params={"mode": "threads", "readers": 4})
    shown = seen([one, replace(other, cell=varied)])
    (table, *_) = shown.tables("concurrent_reads", "gettext")
    assert table.settings == ("mode=threads",)
    assert {column.varying for column in table.columns} == {("readers=8",), ("readers=4",)}
