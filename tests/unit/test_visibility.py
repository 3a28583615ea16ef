"""Visibility certificates on accounts whose truth is known."""

from __future__ import annotations

import pytest

from firstbyte.engine.registry import Catalogue
from firstbyte.model import Cell, Limits, Record, Sample, Status
from firstbyte.visibility.rule import Sight, certify
from firstbyte.visibility.withholding import withhold

MB = 1e6


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
def test_memray_is_believed_only_where_it_accounts_for_what_was_taken(accounted, expected):
    found = certify(100 * MB, {"heap_bytes": accounted})
    assert found.sight("heap_bytes") is expected
    assert found.heap_certified is (expected is Sight.SEEN)


def test_the_counter_that_shows_the_memory_is_named():
    found = certify(100 * MB, {"heap_bytes": 1 * MB, "mimalloc_live_bytes": 60 * MB}, ("jemalloc",))
    assert "hidden by mimalloc (60% by its own counter)" in found.reason
    assert "jemalloc" not in found.reason


def test_without_a_counter_the_names_in_the_libraries_are_quoted():
    found = certify(100 * MB, {"heap_bytes": 1 * MB, "glibc_live_bytes": 2 * MB}, ("jemalloc",))
    assert "inside the library (jemalloc)" in found.reason
    assert "nothing here can ask" in certify(100 * MB, {"heap_bytes": 1 * MB}).reason


def test_work_that_took_little_certifies_nothing():
    found = certify(5 * MB, {"heap_bytes": 5 * MB})
    assert found.sight("heap_bytes") is Sight.UNDECIDED
    assert not found.heap_certified
    assert "5.0 MB" in found.reason


def test_a_ledger_that_was_not_there_is_undecided():
    assert certify(100 * MB, {}).sight("heap_bytes") is Sight.UNDECIDED


def heap_record(backend: str, scenario: str, values: dict[str, float]) -> Record:
    limits = Limits(1.0, 1)
    cell = Cell(scenario, backend, "v", "current", "mt", {}, "heap", 1, 1, limits)
    sample = Sample(values)
    return Record(1, "run", cell, {"x": "1"}, Status.OK, "", (sample,), "", "now", 0.0)


def test_figures_are_shown_only_with_a_certificate():
    figures = {"peak_heap_bytes": 5.0, "wall_ns": 7.0}
    records = [
        heap_record("seen", "full_scan", figures),
        heap_record("hidden", "full_scan", figures),
        heap_record("unknown", "full_scan", figures),
        heap_record(
            "seen", "visibility", {"taken_rss_anon_bytes": 50e6, "leaked_heap_bytes": 49e6}
        ),
        heap_record(
            "hidden", "visibility", {"taken_rss_anon_bytes": 50e6, "leaked_heap_bytes": 1e6}
        ),
    ]
    shown, notes = withhold(records, Catalogue())
    assert shown[0].samples[0].values == figures
    assert shown[1].samples[0].values == {"wall_ns": 7.0}
    assert shown[2].samples[0].values == {"wall_ns": 7.0}
    assert shown[3:] == records[3:]
    assert len(notes) == 2
    assert "hidden:v are withheld: memray accounts for 2% of 50 MB" in notes[0]
    assert "no record of `visibility`" in notes[1]
