"""Visibility certificates on accounts whose truth is known."""

from __future__ import annotations

import pytest

from harness.analysis.visibility import Sight, certify

MB = 1e6


@pytest.mark.parametrize(
    ("accounted", "expected"),
    [
        (100 * MB, Sight.SEEN),
        (81 * MB, Sight.SEEN),
        (79 * MB, Sight.PARTIAL),
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
