"""Records to frames: only OK cells give figures, and each metric comes from one instrument."""

from __future__ import annotations

from dataclasses import replace

import pytest
from render_fixtures import cell, record, records, show, view

from firstbyte.analysis import frames
from firstbyte.model import Record, Sample, Status
from firstbyte.visibility.shown import ShownRecord


def shown(found: list[Record]) -> tuple[ShownRecord, ...]:
    return show(found).records


def test_one_row_per_sample_and_metric() -> None:
    frame = frames.samples(
        shown([record(cell(mode="a"), {"wall_ns": 10.0, "cpu_ns": 5.0}, spread=0.0)])
    )
    assert len(frame) == 10 * 2
    assert set(frame["params"]) == {"mode=a"}
    assert sorted(frame["process"].unique()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_only_ok_cells_give_figures_and_all_give_a_status(status: Status) -> None:
    bad = replace(record(cell(), {"wall_ns": 1.0}, series={"x_bytes": [1.0]}), status=status)
    assert frames.samples(shown([bad])).empty
    assert frames.series(shown([bad])).empty
    assert list(frames.statuses(shown([bad]))["status"]) == [str(status)]


def test_the_summary_counts_samples_and_processes() -> None:
    values = (
        Sample({"a_ns": 1.0}, process=0),
        Sample({"a_ns": 2.0}, process=0),
        Sample({"a_ns": 9.0}, process=1),
    )
    row = frames.summary(frames.samples(shown([replace(record(cell()), samples=values)]))).iloc[0]
    assert (row["median"], row["min"], row["max"], row["n"], row["processes"]) == (2, 1, 9, 3, 2)


def test_times_come_from_the_clock_even_where_the_clock_failed() -> None:
    found = [
        record(cell(), status=Status.TIMEOUT, reason="60 s"),
        record(cell(instrument="proc_memory"), {"wall_ns": 9.0, "peak_rss_anon_bytes": 5.0}),
    ]
    kept = frames.reportable(frames.samples(shown(found)))
    assert set(kept["metric"]) == {"peak_rss_anon_bytes"}


def test_a_metric_is_reported_from_one_instrument_for_all_backends() -> None:
    found = [
        record(cell(backend="a", instrument="proc_memory"), {"peak_rss_anon_bytes": 1.0}),
        record(cell(backend="a", instrument="heap"), {"peak_rss_anon_bytes": 2.0}),
        record(cell(backend="b", instrument="heap"), {"peak_rss_anon_bytes": 3.0}),
    ]
    kept = frames.reportable(frames.samples(shown(found)))
    assert set(kept["instrument"]) == {"proc_memory"}


def test_efficiency_is_made_from_the_cells_beside_it() -> None:
    summary = view(records()).summary
    rows = summary[summary["metric"] == "efficiency_ratio"]
    chosen = rows[(rows["backend"] == "arrow_rs") & (rows["params"].str.startswith("mode=threads"))]
    found = dict(zip(chosen["params"], chosen["median"], strict=True))
    assert found["mode=threads,readers=1"] == 1.0
    assert found["mode=threads,readers=2"] == pytest.approx(1.0)
    assert found["mode=threads,readers=8"] == pytest.approx(0.25)


def test_no_efficiency_without_a_single_reader_beside_it() -> None:
    found = [
        record(
            cell("concurrent_reads", mode="threads", readers=1), status=Status.CRASHED, reason="x"
        ),
        record(cell("concurrent_reads", mode="threads", readers=2), {"rows_per_s": 5.0}),
        record(cell("concurrent_reads", mode="processes", readers=1), {"rows_per_s": 5.0}),
    ]
    summary = view(found).summary
    rows = summary[summary["metric"] == "efficiency_ratio"]
    assert list(rows["params"]) == ["mode=processes,readers=1"]
