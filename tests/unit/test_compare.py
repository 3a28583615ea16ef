"""Two runs compared: what is refused, and that the interval keeps what it promises."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render_fixtures import cell, record, records, run, show
from scipy.stats import mannwhitneyu

from firstbyte.analysis.compare import TOO_FEW, compare, ratio_interval
from firstbyte.errors import IncomparableError, UnknownNameError
from firstbyte.model import Sample, Status

HOST = {
    "host": "aa",
    "machine": "x86_64",
    "cpu": "Example CPU",
    "cores": 2,
    "memory_bytes": 8,
    "kernel": "6.1",
    "libc": "glibc 2.36",
    "load_1min": 0.5,
}


def test_a_run_compared_with_itself_has_ratio_one_everywhere() -> None:
    rows, uncompared = compare(show(records()), show(records()))
    assert len(rows) > 100
    assert {row.ratio for row in rows if row.ratio is not None} == {1.0}
    assert all(row.interval[0] <= 1 <= row.interval[1] for row in rows if row.interval)
    assert {one.key.backend for one in uncompared} == {
        "pure_python",
        "datafusion",
    }


def test_different_hosts_are_refused_and_the_field_is_named() -> None:
    other = run(host=HOST | {"kernel": "6.18", "load_1min": 3.0})
    with pytest.raises(IncomparableError, match=r"kernel was 6\.1, is 6\.18") as caught:
        compare(show([], run(host=HOST)), show([], other))
    assert "load_1min" not in str(caught.value)
    assert "cpu" not in str(caught.value)
    compare(show([], run(host=HOST)), show([], other), allow_different_hosts=True)


def test_a_changed_corpus_is_refused_even_with_the_flag() -> None:
    other = run(corpora={"gettext": {"rows": 573001, "bytes": 70_000_000}})
    with pytest.raises(IncomparableError, match="'gettext': rows differ"):
        compare(show([]), show([], other), allow_different_hosts=True)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
@pytest.mark.parametrize("side", [0, 1])
def test_a_cell_that_is_not_ok_has_no_ratio(status: Status, side: int) -> None:
    good = record(cell(), {"wall_ns": 5.0})
    sides = [show([good]), show([good])]
    sides[side] = show([replace(good, status=status, reason="why")])
    rows, uncompared = compare(sides[0], sides[1])
    assert rows == []
    assert f"{status} {('before', 'after')[side]}: why" in uncompared[0].reason


def test_cells_and_metrics_of_one_run_only_are_named() -> None:
    rows, uncompared = compare(
        show([record(cell(), {"wall_ns": 5.0, "cpu_ns": 1.0})]),
        show([record(cell(), {"wall_ns": 5.0}), record(cell(backend="new"), {"wall_ns": 5.0})]),
    )
    assert [row.metric for row in rows] == ["wall_ns"]
    assert [one.reason for one in uncompared] == [
        "cpu_ns is missing after",
        "only in the second run",
    ]


def test_times_under_another_instrument_are_not_compared() -> None:
    heap = [record(cell(instrument="proc_memory"), {"wall_ns": 5.0, "peak_rss_anon_bytes": 2.0})]
    rows, _ = compare(show(heap), show(heap))
    assert [row.metric for row in rows] == ["peak_rss_anon_bytes"]


def test_an_unknown_metric_lists_the_known_ones() -> None:
    found = [record(cell(), {"wall_ns": 5.0})]
    with pytest.raises(UnknownNameError, match=r"did you mean 'wall_ns'"):
        compare(show(found), show(found), metrics=["wal_ns"])


def test_processes_count_and_not_samples() -> None:
    """Many samples of one process are one observation: no interval comes of them."""
    one = replace(record(cell()), samples=tuple(Sample({"wall_ns": 5.0 + i}) for i in range(50)))
    rows, _ = compare(show([one]), show([one]))
    assert rows[0].processes == (1, 1)
    assert rows[0].interval is None
    assert rows[0].note == TOO_FEW


def test_values_that_are_not_positive_have_no_ratio() -> None:
    found = [record(cell(), {"growth_bytes": 0.0})]
    rows, _ = compare(show(found), show(found))
    assert rows[0].ratio is None
    assert rows[0].note


@pytest.mark.parametrize(("m", "n"), [(4, 4), (5, 5), (4, 7), (8, 6)])
def test_the_interval_inverts_the_exact_test(m: int, n: int) -> None:
    """A ratio just inside the interval is not rejected by scipy's exact test, one just outside is."""
    source = random.Random(m * 31 + n)
    before = [math.exp(source.gauss(0, 0.3)) for _ in range(m)]
    after = [math.exp(source.gauss(0.2, 0.3)) for _ in range(n)]
    _, interval = ratio_interval(before, after)
    assert interval is not None

    def p(ratio: float) -> float:
        scaled = [value * ratio for value in before]
        return float(mannwhitneyu(after, scaled, method="exact").pvalue)

    low, high = interval
    step = 1e-9
    assert min(p(low * (1 + step)), p(high * (1 - step))) > 0.05
    assert max(p(low * (1 - step)), p(high * (1 + step))) <= 0.05


def test_three_processes_a_side_are_too_few_and_four_are_not() -> None:
    assert ratio_interval([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])[1] is None
    assert ratio_interval([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])[1] == (0.25, 4.0)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Every way to split 8 exchangeable values: the true ratio 1 is missed in at most 5%."""
    values = [1.0, 1.3, 1.7, 2.9, 3.1, 4.7, 5.3, 6.1]
    splits = list(itertools.combinations(range(8), 4))
    missed = 0
    for chosen in splits:
        before = [values[i] for i in chosen]
        after = [values[i] for i in range(8) if i not in chosen]
        _, interval = ratio_interval(before, after)
        assert interval is not None
        missed += not interval[0] <= 1 <= interval[1]
    assert 0 < missed / len(splits) <= 0.05


positive = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=8)


@given(positive, positive, st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_scaling_one_side_scales_ratio_and_interval(
    before: list[float], after: list[float], factor: float
) -> None:
    ratio, interval = ratio_interval(before, after)
    scaled, other = ratio_interval(before, [value * factor for value in after])
    assert scaled == pytest.approx(ratio * factor)
    assert (interval is None) == (other is None)
    if interval and other:
        assert other == pytest.approx((interval[0] * factor, interval[1] * factor))
        assert interval[0] <= ratio * (1 + 1e-9)
        assert ratio <= interval[1] * (1 + 1e-9)


def test_sides_without_positive_values_are_refused() -> None:
    for before, after in (([], [1.0]), ([1.0], []), ([0.0], [1.0]), ([1.0], [-1.0])):
        with pytest.raises(ValueError, match="above zero"):
            ratio_interval(before, after)
