"""The leak rules on series whose truth is known."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstbyte.leaks.accumulation import Accumulation, judge_scans
from firstbyte.leaks.rules import LeakClass, verdict
from firstbyte.leaks.slopes import judge_series, rises_evenly
from firstbyte.leaks.stacks import Unfreed, scaling_stacks
from firstbyte.worker.leak_series import LeakSeries, NotedScan, Role
from firstbyte.worker.ledgers import COUNTS, GLIBC, RESIDENT, Moment

BASE = 50_000_000.0


def line(slope: float, scans: int = 200, noise: float = 0.0, seed: int = 0) -> list[float]:
    source = random.Random(seed)
    return [BASE + slope * scan + source.uniform(0, noise) for scan in range(scans)]


def flat_resident(scans: int = 200, seed: int = 0) -> list[float]:
    """A level that wanders like RssAnon: a random walk that is pulled back."""
    source = random.Random(seed)
    steps = (source.gauss(0, 500_000) for _ in range(scans))
    return list(accumulate(steps, lambda level, step: BASE + 0.8 * (level - BASE) + step))


def seen(live: list[float], resident: list[float] | None = None, **others: Any) -> LeakSeries:
    repeated = {GLIBC: live, RESIDENT: resident or [BASE] * len(live)}
    still = {GLIBC: BASE, RESIDENT: BASE}
    at_rest = {Moment.BASE: still, Moment.DROPPED: still, Moment.TRIMMED: still}
    return LeakSeries(**{"repeated": repeated, "moments": at_rest, "quiet": True, **others})


def test_a_leak_of_64_bytes_is_flagged_over_noise():
    finding = judge_series(GLIBC, line(64, noise=400), quiet=True)
    assert finding.flagged
    assert finding.slope.low <= 64 <= finding.slope.high
    assert finding.rule == "B"


def test_a_flat_series_is_not_flagged_and_says_what_would_have_been():
    finding = judge_series(GLIBC, line(0, noise=20_000), quiet=True)
    assert not finding.flagged
    assert finding.threshold_bytes == pytest.approx(2 * finding.noise_bytes / 134)
    assert finding.detectable_bytes >= finding.threshold_bytes
    leaking = line(finding.detectable_bytes * 1.3, noise=20_000, seed=1)
    assert judge_series(GLIBC, leaking, quiet=True).flagged


def test_without_the_quiet_environment_a_drift_of_thread_caches_is_allowed_for():
    drift = line(500, scans=200)
    assert judge_series(GLIBC, drift, quiet=True).flagged
    assert not judge_series(GLIBC, drift, quiet=False).flagged


def test_a_warm_up_and_a_single_step_do_not_rise_evenly():
    warm_up = [BASE + 1e6 * (1 - 0.95**scan) for scan in range(134)]
    step = [BASE + (1e6 if scan > 70 else 0) for scan in range(134)]
    assert not rises_evenly(warm_up)
    assert not rises_evenly(step)
    assert rises_evenly(line(10, scans=134))


def test_too_few_scans_are_an_error_and_not_a_verdict():
    with pytest.raises(ValueError, match="at least 92 are needed"):
        judge_series(GLIBC, line(64, scans=80), quiet=True)


def test_a_process_that_ran_out_of_time_is_inconclusive_and_promises_nothing():
    found = verdict([seen(line(0, scans=66))])
    assert found.outcome is LeakClass.INCONCLUSIVE
    assert "66 uses within the time are too few" in found.reason
    assert not found.detectable_bytes
    assert (
        verdict([seen(line(64))] * 3, [seen(line(64, scans=66))]).outcome is LeakClass.INCONCLUSIVE
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_wandering_resident_memory_is_never_a_leak(seed: int):
    processes = [seen(line(0), flat_resident(seed=seed + run)) for run in range(3)]
    longer = [
        seen(line(0, scans=uses), flat_resident(scans=uses, seed=seed + 3)) for uses in (800, 3200)
    ]
    assert verdict(processes, longer).outcome is LeakClass.CLEAN


def test_one_suspicious_process_asks_for_more():
    found = verdict([seen(line(64))])
    assert found.outcome is LeakClass.INCONCLUSIVE
    assert found.wants == "processes"


def test_a_suspicion_in_one_of_three_is_followed_up_and_dropped_where_more_uses_do_not_show_it():
    processes = [seen(line(64)), seen(line(0)), seen(line(0))]
    assert verdict(processes).wants == "longer"
    found = verdict(processes, [seen(line(0, scans=800))])
    assert found.outcome is LeakClass.CLEAN
    assert "1 of 3" in found.reason


def test_two_of_three_ask_for_the_longer_run():
    found = verdict([seen(line(64)), seen(line(0)), seen(line(64))])
    assert (found.outcome, found.wants) == (LeakClass.INCONCLUSIVE, "longer")


def test_a_leak_persists_over_four_times_the_scans():
    found = verdict([seen(line(64))] * 3, [seen(line(64, scans=800))])
    assert found.outcome is LeakClass.LEAK
    assert found.ledger == GLIBC
    assert found.rule == "B"


def test_a_drift_that_fades_is_no_leak():
    fading = [BASE + 20_000 * (1 - 0.995**scan) for scan in range(800)]
    found = verdict([seen(line(64))] * 3, [seen(fading)])
    assert found.outcome is LeakClass.CLEAN


def test_a_leak_that_nothing_counts_shows_in_resident_memory():
    leaking = [value + 4096 * scan for scan, value in enumerate(line(0))]
    longer = [value + 4096 * scan for scan, value in enumerate(line(0, scans=800))]
    found = verdict([seen(line(0), leaking)] * 3, [seen(line(0, scans=800), longer)])
    assert (found.outcome, found.ledger, found.rule) == (LeakClass.LEAK, RESIDENT, "C")


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("every", [1, 7])
def test_what_uses_leave_behind_is_a_leak_after_a_second_process(count: str, every: int):
    left = seen(line(0), counts={count: [3.0 + use // every for use in range(200)]})
    assert verdict([left]).wants == "processes"
    found = verdict([left, left])
    assert (found.outcome, found.rule) == (LeakClass.LEAK, "D")
    grown_once = seen(line(0), counts={count: [3.0 + 8 * (use > 90) for use in range(200)]})
    assert verdict([grown_once] * 2).outcome is LeakClass.CLEAN


def test_growth_over_new_files_that_stops_when_they_come_again_is_a_cache():
    growing = [BASE + 65_536 * count for count in range(1, 97)]
    cache = seen(line(0), distinct={GLIBC: growing}, same_again={GLIBC: [growing[-1]] * 96})
    found = verdict([cache])
    assert found.outcome is LeakClass.CACHE
    assert "still growing" in found.reason
    bounded = [min(value, BASE + 8 * 65_536) for value in growing]
    cache = seen(line(0), distinct={GLIBC: bounded}, same_again={GLIBC: [bounded[-1]] * 96})
    assert "bounded" in verdict([cache]).reason


def test_growth_that_goes_on_when_the_files_come_again_is_no_cache():
    growing = [BASE + 65_536 * count for count in range(192)]
    leak = seen(line(0), distinct={GLIBC: growing[:96]}, same_again={GLIBC: growing[96:]})
    assert verdict([leak]).outcome is not LeakClass.CACHE


def kept(dropped: float, trimmed: float, live: float, free: float) -> LeakSeries:
    mib = 2.0**20
    moments = {
        Moment.BASE: {RESIDENT: 50 * mib, GLIBC: 40 * mib},
        Moment.DROPPED: {RESIDENT: dropped * mib, GLIBC: live * mib},
        Moment.TRIMMED: {RESIDENT: trimmed * mib, GLIBC: live * mib},
    }
    return seen(line(0), moments=moments, free_bytes=free * mib)


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (kept(120, 60, live=41, free=5), LeakClass.RETENTION),
        (kept(120, 119, live=41, free=70), LeakClass.FRAGMENTATION),
        (kept(120, 119, live=110, free=5), LeakClass.CLEAN),
        (kept(60, 55, live=41, free=5), LeakClass.CLEAN),
    ],
)
def test_memory_that_stays_is_told_apart_by_the_trim_and_by_malloc(process, expected):
    assert verdict([process]).outcome is expected


def test_every_verdict_says_what_it_could_have_seen():
    found = verdict([seen(line(0, noise=1000))])
    assert set(found.detectable_bytes) == {GLIBC, RESIDENT}
    assert all(size > 0 for size in found.detectable_bytes.values())


def scan_of(file_bytes: float, held: list[float], after: float = BASE) -> NotedScan:
    batches = len(held)
    consumed = [file_bytes * (batch + 1) / batches for batch in range(batches)]
    return NotedScan(consumed, {GLIBC: held}, {GLIBC: after}, file_bytes)


def judged(short: NotedScan, long: NotedScan, again: NotedScan) -> Accumulation:
    within = {Role.SHORT: short, Role.LONG: long, Role.LONG_AGAIN: again}
    return judge_scans(seen(line(0), within=within))


def growing(
    file_bytes: float, rho: float, batches: int, limit: float = float("inf")
) -> list[float]:
    return [BASE + min(limit, rho * file_bytes * (i + 1) / batches) for i in range(batches)]


@pytest.mark.parametrize(
    ("rho", "limit", "found"),
    [
        (1.0, float("inf"), True),
        (0.05, float("inf"), False),
        (4.0, 3e6, False),
        # A read-ahead deeper than the shorter file: growth within, but none across.
        (1.0, 5e6, False),
    ],
)
def test_accumulation_grows_within_a_scan_and_with_the_length(rho, limit, found):
    short = scan_of(5e6, growing(5e6, rho, 20, limit))
    long = scan_of(1e7, growing(1e7, rho, 40, limit))
    assert judged(short, long, long).found is found


def test_what_is_neither_freed_nor_used_again_is_no_accumulation():
    short, long = (scan_of(size, growing(size, 1.0, 40)) for size in (5e6, 1e7))
    kept_long = scan_of(1e7, growing(1e7, 1.0, 40), after=BASE + 1e7)
    on_top = scan_of(1e7, [value + 1e7 for value in growing(1e7, 1.0, 40)], after=BASE + 2e7)
    assert judged(short, long, on_top).found
    assert judged(short, kept_long, kept_long).found
    assert not judged(short, kept_long, on_top).found


def test_files_of_one_length_cannot_show_accumulation():
    one = scan_of(5e6, growing(5e6, 1.0, 40))
    assert "not examined" in judged(one, one, one).reason


LEAKY = (("leak", "reader.py", 7), ("scan", "scan.py", 3))
ONCE = (("warm", "reader.py", 9),)


def test_only_stacks_that_scale_with_the_scans_are_named():
    once = {LEAKY: Unfreed(20, 1280), ONCE: Unfreed(30, 3000)}
    twice = {LEAKY: Unfreed(40, 2560), ONCE: Unfreed(30, 3000)}
    (found,) = scaling_stacks(once, twice, scans=20)
    assert found.frames == LEAKY
    assert found.bytes_per_scan == 64


def test_a_stack_seen_only_in_the_longer_capture_is_not_named():
    assert scaling_stacks({}, {LEAKY: Unfreed(40, 2560)}, scans=20) == ()


def test_rule_a_refuses_captures_that_are_too_short():
    with pytest.raises(ValueError, match="at least 10 scans"):
        scaling_stacks({}, {}, scans=5)
