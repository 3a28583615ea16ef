"""From samples to figures: minimum after the warm-up, net wall, slopes, rho; nothing invented."""

from __future__ import annotations

import pytest

from firstbyte.analysis.stats import Slope
from firstbyte.gate.figures import MIN_SLOPE_POINTS, figures
from firstbyte.model import Sample


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


def test_peaks_of_a_librarys_allocators_are_added() -> None:
    sample = Sample({"arrow_pool_peak_bytes": 3.0, "other_peak_bytes": 4.0, "vm_hwm_bytes": 9.0})
    assert figures([sample], warm_up=False) == {"allocator_peak_bytes": 7.0}


def scans(per_scan: float, count: int) -> list[float]:
    return [1e6 + per_scan * index for index in range(count)]


def test_slopes_over_repeated_scans_are_of_all_live_ledgers_together() -> None:
    series = {
        "glibc_live_bytes": scans(4096.0, 100),
        "pool_live_bytes": scans(1.0, 100),
        "rss_anon_bytes": scans(0.0, 100),
        "distinct_glibc_live_bytes": scans(9e9, 100),
    }
    found = figures([Sample({}, series)], warm_up=False)
    assert found["live_bytes_per_scan"] == Slope(4097.0, 4097.0, 4097.0)
    assert found["resident_bytes_per_scan"] == Slope(0.0, 0.0, 0.0)


def test_too_few_scans_have_no_slope() -> None:
    enough = MIN_SLOPE_POINTS * 3 // 2 + 1
    short, long = ({"glibc_live_bytes": scans(1.0, n)} for n in (enough - 2, enough))
    assert "live_bytes_per_scan" not in figures([Sample({}, short)], warm_up=False)
    assert "live_bytes_per_scan" in figures([Sample({}, long)], warm_up=False)


def test_rho_is_live_bytes_gained_per_byte_consumed_in_the_long_scan() -> None:
    consumed = [1000.0 * index for index in range(30)]
    series = {
        "long_consumed_bytes": consumed,
        "long_pool_live_bytes": [5.0 + 0.9 * value for value in consumed],
    }
    rho = figures([Sample({}, series)], warm_up=False)["accumulation_rho"]
    assert isinstance(rho, Slope)
    assert rho.estimate == pytest.approx(0.9)
