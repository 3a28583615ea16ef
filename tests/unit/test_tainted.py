"""A reader that is WRONG in one cell has no figure in any other cell of that corpus, however it is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from render_fixtures import cell, record, show, view

from firstbyte.analysis.compare import compare
from firstbyte.model import Record, Status
from firstbyte.render.outputs import csv
from firstbyte.render.outputs import json as json_output
from firstbyte.render.request import Request
from firstbyte.render.scoreboard import scoreboard

LIAR = {"backend": "pyarrow", "variant": "dataset"}
LIE = "shard 7, column 'text', row 1782: expected 'foo ' (string), got 'foo' (string)"
CAUSE = f"WRONG in full_scan under clock: {LIE}"

WRONG = record(cell(**LIAR), {"wall_ns": 1.0}, status=Status.WRONG, reason=LIE)
FAST = record(
    cell("time_to_first_byte", start="cold", cache="warm", **LIAR), {"first_byte_ns": 2.0}
)
SMALL = record(cell(instrument="proc_memory", **LIAR), {"peak_rss_anon_bytes": 3.0})
CRASHED = record(cell("leak_scan", **LIAR), status=Status.CRASHED, reason="killed by SIGSEGV")
ELSEWHERE = record(cell(corpus="mt", **LIAR), {"wall_ns": 4.0})
OTHERS = [
    replace(one, cell=replace(one.cell, backend=backend, variant=variant))
    for one in (
        record(cell(), {"wall_ns": 10.0}),
        record(cell("time_to_first_byte", start="cold", cache="warm"), {"first_byte_ns": 20.0}),
        record(cell(instrument="proc_memory"), {"peak_rss_anon_bytes": 30.0}),
    )
    for backend, variant in (("pyarrow", "parquet_file"), ("unknown", "only"))
]
RUN = [FAST, WRONG, SMALL, CRASHED, ELSEWHERE, *OTHERS]


@pytest.mark.parametrize("found", [RUN, RUN[::-1]], ids=["in order", "the other way round"])
def test_every_cell_of_the_reader_is_wrong_and_says_where_it_was_seen(found: list[Record]) -> None:
    by_key = {one.cell.key: one for one in show(found).records}
    assert by_key[WRONG.cell.key].reason == LIE
    for tainted in (FAST, SMALL):
        shown = by_key[tainted.cell.key]
        assert (shown.status, shown.reason) == (Status.WRONG, CAUSE)
    assert by_key[CRASHED.cell.key].reason == "killed by SIGSEGV"
    for other in (ELSEWHERE, *OTHERS):
        assert by_key[other.cell.key].status is Status.OK


def test_a_cell_that_was_measured_again_and_right_taints_nothing() -> None:
    """The later record counts, as in a run that was resumed."""
    again = record(WRONG.cell, {"wall_ns": 5.0})
    assert all(one.ok for one in show([FAST, WRONG, SMALL, again]).records)
    assert not any(one.ok for one in show([again, FAST, WRONG, SMALL]).records)


def test_another_environment_is_another_reader() -> None:
    elsewhere = replace(FAST, cell=replace(FAST.cell, environment="older"))
    shown = {one.cell.environment: one for one in show([WRONG, elsewhere]).records}
    assert shown["older"].ok


def stars(found: Sequence[Record]) -> set[str]:
    seen = view(found)
    return {
        row.label
        for scenario in seen.scenarios()
        for table in seen.tables(scenario, "gettext")
        for row in table.rows
        for figure in row.figures
        if figure.best
    }


def test_no_star_goes_to_it() -> None:
    sound = [one for one in RUN if one is not WRONG]
    assert "pyarrow:dataset" in stars(sound), "it would have one"
    assert "pyarrow:dataset" not in stars(RUN)
    assert stars(RUN)


def test_nobody_is_compared_with_it() -> None:
    contests = scoreboard(view(RUN), "unknown").contests
    peers = [one.peer.cell for one in contests if one.corpus == "gettext" and one.peer]
    assert {peer.variant for peer in peers} == {"parquet_file"}
    rows, uncompared = compare(show(RUN), show(RUN))
    assert "dataset" not in {one.cell.variant for one in rows if one.cell.corpus == "gettext"}
    reasons = {one.key: one.reason for one in uncompared}
    assert reasons[FAST.cell.key] == f"WRONG before: {CAUSE}; WRONG after: {CAUSE}"


def test_exports_have_no_number_of_it() -> None:
    given = Request(view(RUN))
    document = json.loads(json_output.render(given))
    for one in document["records"]:
        numbers = [v for s in one["samples"] for v in s["values"].values() if v is not None]
        assert bool(numbers) == (one["status"] == "OK"), one
    import pandas as pd

    frame = pd.read_csv(io.StringIO(csv.render(given)))
    of_liar = frame[(frame["variant"] == "dataset") & (frame["corpus"] == "gettext")]
    assert len(of_liar) == 4
    assert of_liar["value"].isna().all()
