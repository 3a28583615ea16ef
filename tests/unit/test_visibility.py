"""Visibility certificates on accounts whose truth is known, and what is shown without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from render_fixtures import cell, record, run, scenario, show

from firstbyte.api import Account, Metric
from firstbyte.engine.registry import Catalogue, discover
from firstbyte.model import Record, Status
from firstbyte.scenarios import visibility
from firstbyte.visibility.certificates import certificates
from firstbyte.visibility.rule import Sight, certify
from firstbyte.visibility.shown import Withheld

MB = 1e6
SEEN = {"taken_rss_anon_bytes": 50e6, "leaked_heap_bytes": 49e6}
HIDDEN = {"taken_rss_anon_bytes": 50e6, "leaked_heap_bytes": 1e6}
LITTLE = {"taken_rss_anon_bytes": 5e6, "leaked_heap_bytes": 5e6}


def ledgers(taken: float, **accounted: float) -> Account:
    return Account(taken, accounted)


@pytest.mark.parametrize(
    ("accounted", "expected"),
    [
        (100 * MB, Sight.SEEN),
        (76 * MB, Sight.SEEN),
        (74 * MB, Sight.PARTIAL),
        (1 * MB, Sight.HIDDEN),
        (126 * MB, Sight.OVERCOUNTED),
    ],
)
def test_an_instrument_is_believed_only_where_it_accounts_for_what_was_taken(accounted, expected):
    assert certify("heap", ledgers(100 * MB, heap=accounted)).verdict is expected


def test_the_counter_that_shows_the_memory_is_named():
    account = ledgers(100 * MB, heap=1 * MB, mimalloc_live_bytes=60 * MB)
    found = certify("heap", account, ("jemalloc",))
    assert "hidden by mimalloc (60% by its own counter)" in found.reason
    assert "jemalloc" not in found.reason


def test_without_a_counter_the_names_in_the_libraries_are_quoted():
    account = ledgers(100 * MB, heap=1 * MB, glibc_live_bytes=2 * MB)
    assert "inside the library (jemalloc)" in certify("heap", account, ("jemalloc",)).reason
    assert "nothing here can ask" in certify("heap", ledgers(100 * MB, heap=1 * MB)).reason


def test_work_that_took_little_certifies_nothing():
    found = certify("heap", ledgers(5 * MB, heap=5 * MB))
    assert found.verdict is Sight.UNDECIDED
    assert "5.0 MB" in found.reason


def test_a_ledger_that_was_not_there_is_undecided():
    assert certify("heap", ledgers(100 * MB)).verdict is Sight.UNDECIDED


def heap(backend: str, of: str, values: dict[str, float], **where: Any) -> Record:
    return record(cell(of, backend, "v", "heap", **where), values, spread=0.0)


def values(found: list[Record], number: int = 0, known: Catalogue | None = None) -> dict[str, Any]:
    """What is shown of the first sample of that record."""
    return dict(show(found, known=known or discover()).records[number].samples[0].values)


def test_figures_are_shown_only_with_a_certificate():
    figures = {"peak_heap_bytes": 5.0, "wall_ns": 7.0}
    shown = show(
        [
            heap("seen", "full_scan", figures),
            heap("hidden", "full_scan", figures),
            heap("unknown", "full_scan", figures),
            heap("seen", "visibility", SEEN),
            heap("hidden", "visibility", HIDDEN | {"peak_heap_bytes": 3.0}),
        ],
        known=discover(),
    )
    first, second, third, fourth, fifth = (one.samples[0].values for one in shown.records)
    assert first == figures
    assert second["wall_ns"] == third["wall_ns"] == 7.0
    assert isinstance(second["peak_heap_bytes"], Withheld)
    assert isinstance(third["peak_heap_bytes"], Withheld)
    assert fourth == SEEN
    assert {name: fifth[name] for name in HIDDEN} == HIDDEN, "evidence is shown"
    assert isinstance(fifth["peak_heap_bytes"], Withheld), "and what is none is not"
    assert len(shown.withheld) == 2
    assert "hidden:v: heap figures are withheld: heap accounts for 2% of 50 MB" in shown.withheld[0]
    assert "no good record of `visibility`" in shown.withheld[1]


def test_a_part_of_a_run_keeps_what_the_whole_certified():
    figures = {"peak_heap_bytes": 5.0}
    whole = show([heap("a", "full_scan", figures), heap("a", "visibility", SEEN)], known=discover())
    part = whole.only(lambda of: of.scenario == "full_scan")
    assert [one.cell.scenario for one in part.records] == ["full_scan"]
    assert part.records[0].samples[0].values == figures


def test_a_certificate_is_of_one_environment():
    other = heap("a", "full_scan", {"peak_heap_bytes": 5.0})
    other = replace(other, cell=replace(other.cell, environment="older"))
    found = values([other, heap("a", "visibility", SEEN)])
    assert isinstance(found["peak_heap_bytes"], Withheld)


@pytest.mark.parametrize(
    ("several", "verdict"),
    [
        ((SEEN, HIDDEN), Sight.HIDDEN),
        ((HIDDEN, SEEN), Sight.HIDDEN),
        ((SEEN, LITTLE), Sight.SEEN),
        ((LITTLE, SEEN), Sight.SEEN),
        ((LITTLE,), Sight.UNDECIDED),
    ],
)
def test_one_work_that_the_instrument_did_not_see_outweighs_others(several, verdict):
    found = [
        heap("a", "visibility", figures, corpus=f"c{number}")
        for number, figures in enumerate(several)
    ]
    (made,) = certificates(found, discover()).values()
    assert made.verdict is verdict


def test_a_failed_or_incomplete_certifying_record_certifies_nothing():
    figures = heap("a", "full_scan", {"peak_heap_bytes": 5.0})
    failed = replace(heap("a", "visibility", SEEN), status=Status.TIMEOUT, reason="60 s")
    partial = heap("a", "visibility", {"leaked_heap_bytes": 1.0})
    assert isinstance(values([figures, failed])["peak_heap_bytes"], Withheld)
    found = values([figures, partial])["peak_heap_bytes"]
    assert isinstance(found, Withheld)
    assert "'taken_rss_anon_bytes'" in found.reason


def test_what_a_scenario_derives_from_a_withheld_figure_is_withheld():
    deriving = scenario("deriving", (Metric("wall_ns", ""),))
    deriving.module.derive = lambda params, given: {
        "heap_per_row_bytes": given["peak_heap_bytes"] / 10,
        "rows_count": 10.0,
    }
    tolerant = scenario("tolerant", ())
    tolerant.module.derive = lambda params, given: {
        "heap_ratio": given.get("peak_heap_bytes", 0.0) / 2,
        "wall_s": given["wall_ns"] / 1e9,
    }
    known = replace(discover(), scenarios={"deriving": deriving, "tolerant": tolerant})
    given = {"wall_ns": 2e9, "peak_heap_bytes": 50.0}
    found = values([heap("a", "deriving", given | {"heap_per_row_bytes": 5.0})], known=known)
    assert isinstance(found["heap_per_row_bytes"], Withheld)
    assert found["wall_ns"] == 2e9
    ratio = {"heap_ratio": 25.0, "wall_s": 2.0}
    found = values([heap("a", "tolerant", given | ratio)], known=known)
    assert isinstance(found["heap_ratio"], Withheld)
    assert found["wall_s"] == 2.0, "derived from what is shown"


def test_a_scenario_declares_its_own_figures_that_need_a_certificate():
    own = scenario("own", (Metric("heap_rows_ratio", "", needs_certificate=True),))
    known = replace(discover(), scenarios={"own": own})
    found = values([heap("a", "own", {"heap_rows_ratio": 5.0})], known=known)
    assert found["heap_rows_ratio"] == Withheld(
        "heap figures are withheld: no scenario here certifies it"
    )


def test_figures_of_an_instrument_that_is_not_known_here_are_withheld():
    odd = record(cell("full_scan", "a", "v", "odd"), {"wall_ns": 5.0}, series={"x_bytes": [1.0]})
    (shown,) = show([odd], known=discover()).records
    assert set(shown.withheld) == {"wall_ns", "x_bytes"}
    assert "there is no such instrument here" in shown.remark


def test_series_are_withheld_like_figures():
    given = record(cell(backend="a", instrument="heap"), {}, series={"peak_heap_bytes": [1.0]})
    sample = show([given], known=discover()).records[0].samples[0]
    assert isinstance(sample.series["peak_heap_bytes"], Withheld)


def test_what_a_worker_said_cannot_colour_or_move_anything():
    given = record(cell(), status=Status.ERROR, reason="\x1b[31mred\x07\n", stderr="a\nb\x1b[2J")
    (found,) = show([given]).records
    assert found.reason == r"\x1b[31mred\x07\n"
    assert found.stderr_tail == "a\nb" + r"\x1b[2J"


def test_names_of_a_run_from_elsewhere_cannot_either():
    given = record(cell("\x1b[2Js", "b\x07", mode="\x1b"), {"x\x1b_ns": 1.0}, spread=0.0)
    of = run(notes=("\x1b[1mnote",), host={"\x1b": {"deep": ["\x1b[0m"]}})
    shown = show([given], of)
    assert shown.run.notes == (r"\x1b[1mnote",)
    assert shown.run.host == {r"\x1b": {"deep": [r"\x1b[0m"]}}
    (found,) = shown.records
    assert str(found.cell.key).isprintable()
    assert list(found.samples[0].values) == [r"x\x1b_ns"]


class Held:
    """A reader of three batches that notes whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return bytes(10)

    def close(self) -> None:
        self.closed = True


def test_readers_stay_open_while_their_batches_are_held(tmp_path: Path) -> None:
    """What a reader itself holds is part of what the work takes."""
    reader = Held()
    backend = SimpleNamespace(open=lambda *_, **__: reader)
    shard = SimpleNamespace(path=tmp_path)
    bench = SimpleNamespace(backend=backend, shards=[shard], columns=None, batch_rows=1)
    asked = SimpleNamespace(resident_bytes=lambda: 0)
    kept: list[object] = []
    assert visibility._hold(bench, asked, kept, None, count=2) == 2
    assert kept == [visibility.Held(reader), bytes(10), bytes(10)]
    assert not reader.closed
    visibility._release(kept)
    assert (kept, reader.closed) == ([], True)
