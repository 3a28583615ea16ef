"""`--detect`: the scans that a size takes follow from the noise of the pilot."""

from __future__ import annotations

import pytest

from firstbyte.analysis.stats import Slope
from firstbyte.errors import HarnessError
from firstbyte.leaks.effort import DEFAULT_SCANS, effort_for
from firstbyte.leaks.slopes import SeriesFinding, judge_series

GLIBC = "glibc_live_bytes"


def noise(**ranges: float) -> dict[str, SeriesFinding]:
    flat = Slope(0.0, 0.0, 0.0)
    return {
        ledger: SeriesFinding(ledger, "B", 100, flat, size, 48.0, 48.0, rising=False)
        for ledger, size in ranges.items()
    }


def test_a_quiet_backend_needs_no_more_than_the_default():
    effort = effort_for(64, noise(glibc_live_bytes=0.0, rss_anon_bytes=0.0), 0.01)
    assert effort.scans == DEFAULT_SCANS
    assert effort.live_floor_bytes < 48
    assert "the least that RssAnon can show" in effort.note


def test_noise_is_paid_for_with_scans_and_the_leak_is_then_found():
    effort = effort_for(64, noise(glibc_live_bytes=20_000.0, rss_anon_bytes=0.0), 0.001)
    assert effort.scans > 2_000
    wobble = [20_000.0 * (number % 7) / 6 for number in range(effort.scans)]
    leaking = [64.0 * number + extra for number, extra in enumerate(wobble)]
    found = judge_series(GLIBC, leaking, quiet=True, floor_bytes=effort.live_floor_bytes)
    assert found.flagged
    assert not judge_series(GLIBC, wobble, quiet=True, floor_bytes=effort.live_floor_bytes).flagged


def test_opaque_memory_is_given_its_scans_where_they_can_be_afforded():
    pilot = noise(glibc_live_bytes=0.0, rss_anon_bytes=1_000_000.0)
    affordable = effort_for(4096, pilot, 0.001)
    assert affordable.scans > DEFAULT_SCANS
    assert "in any allocator" in affordable.note
    too_dear = effort_for(4096, pilot, 1.0)
    assert too_dear.scans == DEFAULT_SCANS
    assert "which are not done" in too_dear.note


@pytest.mark.parametrize(
    ("detect", "scan_seconds", "message"),
    [(0.5, 0.01, "at least 1B"), (1.0, 10.0, "ask for a larger size")],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(detect, scan_seconds, message):
    with pytest.raises(HarnessError, match=message):
        effort_for(detect, noise(glibc_live_bytes=9_000.0, rss_anon_bytes=0.0), scan_seconds)
