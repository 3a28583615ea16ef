"""From samples to figures: minimum after the warm-up, net wall, slopes, rho; nothing invented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from leak_fixtures import leak_sample

from firstbyte.analysis.stats import Slope
from firstbyte.engine.registry import discover
from firstbyte.gate.figures import figures, growth
from firstbyte.gate.metrics import DERIVED, GATED_METRICS, MetricKind
from firstbyte.leaks.slopes import MIN_SCANS
from firstbyte.model import Sample
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import CHILDREN, GLIBC, PEAKS, RESIDENT, SHARED, Moment, live_ledger


def clock(wall: float, wait: float | None = None, **more: float) -> Sample:
    values = {"wall_ns": wall, "cpu_ns": wall / 2, **more}
    return Sample(values if wait is None else values | {"run_queue_wait_ns": wait})


def test_the_minimum_after_the_warm_up() -> None:
    found = figures([clock(1.0), clock(9.0), clock(5.0), clock(7.0)], warm_up=True)
    assert found == {"wall_ns": 5.0, "cpu_ns": 2.5}
    assert figures([clock(1.0), clock(9.0)], warm_up=False)["wall_ns"] == 1.0
    assert figures([clock(3.0)], warm_up=True)["wall_ns"] == 3.0, "a lone sample is no warm-up"
    assert figures([], warm_up=True) == {}


def test_net_wall_is_wall_less_the_wait_of_the_same_sample() -> None:
    found = figures([clock(9.0, 8.0), clock(10.0, 4.0), clock(7.0, 0.0)], warm_up=True)
    assert found["net_wall_ns"] == 6.0
    assert "wall_ns" not in found


def test_one_sample_without_a_wait_means_plain_wall() -> None:
    found = figures([clock(9.0, 1.0), clock(10.0), clock(7.0, 1.0)], warm_up=False)
    assert found["wall_ns"] == 7.0
    assert "net_wall_ns" not in found


def test_a_metric_that_one_sample_lacks_is_left_out() -> None:
    assert "first_batch_ns" not in figures(
        [clock(1.0, first_batch_ns=1.0), clock(1.0)], warm_up=False
    )


def test_only_the_sum_of_a_librarys_peaks_is_gated() -> None:
    sample = Sample({"arrow_pool_peak_bytes": 3.0, "other_peak_bytes": 4.0, PEAKS: 7.0})
    assert figures([sample], warm_up=False) == {"allocator_peak_bytes": 7.0}


def scans(per_scan: float, count: int) -> list[float]:
    return [1e6 + per_scan * index for index in range(count)]


def test_slopes_over_repeated_scans_are_of_all_live_ledgers_together() -> None:
    repeated = {
        GLIBC: scans(4096.0, 100),
        live_ledger("pool"): scans(1.0, 100),
        RESIDENT: scans(0.0, 100),
    }
    found = growth(LeakSeries(repeated, distinct={GLIBC: scans(9e9, 100)}))
    assert found["live_bytes_per_scan"] == Slope(4097.0, 4097.0, 4097.0)
    assert found["resident_bytes_per_scan"] == Slope(0.0, 0.0, 0.0)
    assert "accumulation_rho" not in found


def test_a_drop_does_not_hide_growth_and_a_saw_is_none() -> None:
    dropped = [size - 8e6 * (index >= 400) for index, size in enumerate(scans(65536.0, 800))]
    saw = [1e6 + 65536.0 * (index % 50) for index in range(120)]
    for readings, slope in ((dropped, 65536.0), (saw, 0.0)):
        found = growth(LeakSeries({GLIBC: scans(0.0, 120), RESIDENT: readings}))
        resident = found["resident_bytes_per_scan"]
        assert isinstance(resident, Slope)
        assert resident.low == pytest.approx(slope)


@pytest.mark.parametrize("ledger", [RESIDENT, SHARED, CHILDREN])
def test_memory_that_the_kernel_gave_is_private_shared_or_that_of_children(ledger: str) -> None:
    still = {GLIBC: scans(0.0, 100), RESIDENT: scans(0.0, 100)}
    found = growth(LeakSeries({**still, ledger: scans(65536.0, 100)}))
    assert found["resident_bytes_per_scan"] == Slope(65536.0, 65536.0, 65536.0)


def test_too_few_scans_have_no_slope() -> None:
    enough = MIN_SCANS
    short, long = (
        LeakSeries({GLIBC: scans(1.0, count), RESIDENT: scans(1.0, count)})
        for count in (enough - 1, enough)
    )
    left = {f"left_{what}_per_scan" for what in ("children", "descriptors", "threads")}
    assert growth(short).keys() == left
    assert growth(long).keys() == left | {"live_bytes_per_scan", "resident_bytes_per_scan"}


def test_all_growth_is_made_from_what_the_scenario_emits(tmp_path: Path) -> None:
    sample = leak_sample(tmp_path, leaked_bytes=64, held_per_byte=0.9)
    found = growth(LeakSeries.of(sample))
    assert found.keys() == {
        name for name, metric in GATED_METRICS.items() if metric.kind is MetricKind.GROWTH
    }
    rho = growth(LeakSeries.of(only_counter(sample)))["accumulation_rho"]
    assert isinstance(rho, Slope)
    assert rho.estimate == pytest.approx(0.9)


def test_what_grows_or_stays_in_any_ledger_of_the_kernel_is_seen() -> None:
    repeated = {RESIDENT: scans(0.0, 100), SHARED: scans(65536.0, 100), GLIBC: scans(0.0, 100)}
    moments = {
        Moment.BASE: {RESIDENT: 9e6, SHARED: 0.0},
        Moment.TRIMMED: {RESIDENT: 8e6, SHARED: 1e6},
    }
    found = growth(LeakSeries(repeated, moments=moments))
    assert found["resident_bytes_per_scan"] == Slope(65536.0, 65536.0, 65536.0)
    assert found["retained_bytes"] == 0.0


def test_every_other_gated_figure_is_one_that_somebody_declares() -> None:
    known = {
        metric.name for scenario in discover().scenarios.values() for metric in scenario.metrics
    }
    assert GATED_METRICS.keys() - set(DERIVED) <= known


def only_counter(sample: Sample) -> Sample:
    """Without glibc's ledger, which counts what pytest itself does."""
    return replace(sample, series={n: v for n, v in sample.series.items() if GLIBC not in n})
