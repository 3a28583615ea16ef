"""Leak rules on series with steps and noise, as busy machines and allocators make them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from leak_simulations import BASE, HISTORIES, MB, SCANS, History, investigated

from firstbyte.leaks.rules import LeakClass, verdict
from firstbyte.leaks.slopes import judge_series
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import CHILDREN, GLIBC, RESIDENT, SHARED, SHARED_FILES, Moment

LEAK_BYTES = 65_536.0
SEEDS = range(4)
"""So many of each here; the thousand that the rules were tried with stand in METHODOLOGY."""


def dropping(leak_bytes: float, uses: int, at: int, drop: float) -> list[float]:
    return [BASE + leak_bytes * use - drop * (use >= at) for use in range(uses)]


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_whatever_an_honest_reader_does_it_is_never_a_leak(history: History) -> None:
    for seed in SEEDS:
        found = investigated(history, f"honest {seed}")
        assert found.outcome is not LeakClass.LEAK, found.reason
        assert found.slope
        if found.outcome is LeakClass.CLEAN:
            assert found.slope.low <= found.detectable_bytes[found.ledger]


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_64_kib_a_use_are_never_clean_beside_any_of_it(history: History) -> None:
    for seed in SEEDS:
        found = investigated(history, f"leaking {seed}", LEAK_BYTES)
        assert found.outcome in (LeakClass.LEAK, LeakClass.INCONCLUSIVE), found.reason


@pytest.mark.parametrize("drop", [6 * MB, 11 * MB])
@pytest.mark.parametrize("at", [50, 80, 110])
def test_one_drop_neither_hides_a_leak_nor_widens_its_bound(drop: float, at: int) -> None:
    finding = judge_series(RESIDENT, dropping(LEAK_BYTES, SCANS, at, drop), quiet=True)
    assert finding.suspicious
    assert finding.slope.low == finding.slope.estimate == LEAK_BYTES
    still = judge_series(RESIDENT, dropping(0, SCANS, at, drop), quiet=True)
    assert not still.suspicious
    assert still.detectable_bytes == 1024


def test_a_rise_that_was_taken_out_is_in_the_bound() -> None:
    risen = judge_series(RESIDENT, dropping(0, SCANS, 80, -8 * MB), quiet=True)
    assert not risen.suspicious
    assert risen.detectable_bytes > 8 * MB / SCANS


def test_a_leak_of_whole_chunks_is_no_step() -> None:
    chunks = [BASE + 4 * MB * (use // 16) for use in range(SCANS)]
    assert judge_series(RESIDENT, chunks, quiet=True).flagged


def test_a_saw_tooth_is_suspected_between_its_drops_and_refuted_by_more_of_them() -> None:
    def saw(uses: int) -> LeakSeries:
        return process([BASE + 50_000.0 * (use % 90) for use in range(uses)])

    assert judge_series(RESIDENT, saw(SCANS).repeated[RESIDENT], quiet=True).torn
    found = verdict([saw(SCANS)] * 3, [saw(16 * SCANS)], exhausted=True)
    assert found.outcome is LeakClass.CLEAN


def process(resident: list[float]) -> LeakSeries:
    at_rest = {GLIBC: BASE, RESIDENT: BASE}
    moments = dict.fromkeys((Moment.BASE, Moment.DROPPED, Moment.TRIMMED), at_rest)
    repeated = {RESIDENT: resident, GLIBC: [BASE] * len(resident)}
    return LeakSeries(repeated, moments=moments, quiet=True)


def repeated(uses: int, **slopes: float) -> LeakSeries:
    ledgers = {RESIDENT: 0.0, GLIBC: 0.0} | slopes
    series = {name: [BASE + rate * use for use in range(uses)] for name, rate in ledgers.items()}
    return replace(process(series[RESIDENT]), repeated=series)


def test_the_steepest_ledger_says_how_much() -> None:
    """The object that wraps a lost mapping is in malloc's heap: 121 B of the 64 KiB."""
    rates = {GLIBC: 121.0, RESIDENT: LEAK_BYTES}
    found = verdict([repeated(120, **rates)] * 3, [repeated(480, **rates)])
    assert (found.outcome, found.ledger) == (LeakClass.LEAK, RESIDENT)
    assert found.slope
    assert found.slope.estimate == LEAK_BYTES


def test_what_an_allocator_counts_stands_for_what_the_kernel_rounds() -> None:
    rates = {GLIBC: 4112.0, RESIDENT: 4160.0}
    found = verdict([repeated(120, **rates)] * 3, [repeated(480, **rates)])
    assert (found.outcome, found.ledger) == (LeakClass.LEAK, GLIBC)


@pytest.mark.parametrize("ledger", [SHARED, SHARED_FILES, CHILDREN])
def test_memory_that_is_not_private_leaks_as_well(ledger: str) -> None:
    rates = {ledger: LEAK_BYTES}
    found = verdict([repeated(120, **rates)] * 3, [repeated(480, **rates)])
    assert (found.outcome, found.ledger) == (LeakClass.LEAK, ledger)
    assert ledger in found.detectable_bytes


def test_a_drift_that_is_sure_and_below_the_floor_is_clean_with_a_reason() -> None:
    found = verdict([repeated(120, **{RESIDENT: 500.0})])
    assert found.outcome is LeakClass.CLEAN
    assert "drifts 500 [500, 500] B per use, less than the 1,024 that count" in found.reason


def test_a_drift_that_noise_could_imitate_is_followed_up_before_it_is_clean() -> None:
    """polars:bounded was CLEAN beside 2,048 [1,882, 2,206]."""
    wobble = [BASE + 2048.0 * use + 200_000 * (use % 2) for use in range(SCANS)]
    finding = judge_series(RESIDENT, wobble, quiet=True)
    assert finding.slope.low > 1024
    assert verdict([process(wobble)]).wants == "processes"


def test_a_series_too_noisy_for_a_bound_worth_printing_asks_for_more_uses() -> None:
    wild = [BASE + 8 * MB * (use % 8 > 3) for use in range(4 * SCANS)]
    short, long = (process(wild[:uses]) for uses in (SCANS, 4 * SCANS))
    assert verdict([short]).wants == "longer"
    found = verdict([short], [long])
    assert found.outcome is LeakClass.CLEAN
    assert found.detectable_bytes[RESIDENT] < verdict([short]).detectable_bytes[RESIDENT]
