"""What the leak scenario emits is what the leak check and the gate read: no role is lost on the way."""

from __future__ import annotations

import gc
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leak_fixtures import (
    BATCH_ROWS,
    BYTES_PER_ROW,
    FILES,
    LEDGER,
    SCANS,
    Arena,
    InProcess,
    leak_sample,
)

from firstbyte.api import Bench, Purpose, Shard
from firstbyte.engine.registry import discover
from firstbyte.leaks.accumulation import judge_scans
from firstbyte.leaks.slopes import judge_process
from firstbyte.model import Sample
from firstbyte.worker.leak_series import (
    ATTEMPT,
    BUDGET_SECONDS,
    CONSUMED,
    LEAST_USES,
    WITHIN_A_SCAN,
    Attempt,
    LeakSeries,
    NotedScan,
    Role,
    SeriesName,
)
from firstbyte.worker.ledgers import CHILDREN, COUNTS, RESIDENT, SHARED_FILES, Moment, live_ledger


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A process of the scenario over files of unequal length, by a reader that leaks."""
    return leak_sample(tmp_path_factory.mktemp("files"), leaked_bytes=64, held_per_byte=0.5)


def test_every_role_that_the_scenario_notes_is_read_back(emitted: Sample) -> None:
    noted = LeakSeries.of(emitted)
    for ledgers in (noted.repeated, noted.distinct, noted.same_again):
        assert {LEDGER, RESIDENT} <= ledgers.keys()
    assert {len(readings) for readings in noted.repeated.values()} == {SCANS} == {noted.scans}
    assert noted.within.keys() == set(WITHIN_A_SCAN)
    for role, name in zip(WITHIN_A_SCAN, ("b-short", "c-long", "c-long"), strict=True):
        scan = noted.within[role]
        assert scan.file_bytes == FILES[name] * BYTES_PER_ROW
        assert len(scan.consumed_bytes) == len(scan.held[LEDGER]) == FILES[name] // BATCH_ROWS
        assert scan.consumed_bytes[-1] == scan.file_bytes
        assert scan.held.keys() == scan.after.keys()
        assert scan.held.keys() | {SHARED_FILES, CHILDREN} == noted.repeated.keys()
    assert noted.moments.keys() == {Moment.BASE, Moment.DROPPED, Moment.TRIMMED}
    assert noted.moments[Moment.BASE][LEDGER] == 1_000_000


def test_nothing_that_the_scenario_emits_is_left_over(emitted: Sample) -> None:
    noted = LeakSeries.of(emitted)
    assert noted.series() == emitted.series
    assert noted.values().items() <= emitted.values.items()
    assert emitted.values.keys() - noted.values().keys() == {"rss_anon_growth_bytes"}


def test_an_allocator_named_like_a_role_is_no_role(emitted: Sample) -> None:
    slope = judge_process(LeakSeries.of(emitted))[LEDGER].slope
    assert (slope.low, slope.estimate, slope.high) == (64, 64, 64)


def test_accumulation_is_found_in_what_the_scenario_emits(emitted: Sample, tmp_path: Path) -> None:
    found = judge_scans(LeakSeries.of(emitted))
    assert found.found
    assert found.ledger == LEDGER
    assert found.rho_within is not None
    assert found.rho_within.estimate == pytest.approx(0.5)
    alike = LeakSeries.of(leak_sample(tmp_path, dict.fromkeys("abc", 300), held_per_byte=0.5))
    assert alike.within == {}
    assert "not examined" in judge_scans(alike).reason


ledgers = st.just(RESIDENT) | st.builds(live_ledger, st.text(min_size=1, max_size=9))
readings = st.lists(st.integers(0, 2**50), max_size=3)
by_ledger = st.dictionaries(ledgers, readings, max_size=3)
at_once = st.dictionaries(ledgers, st.integers(0, 2**50), min_size=1, max_size=3)


@st.composite
def noted_scans(draw: st.DrawFn) -> NotedScan:
    held = draw(by_ledger)
    return NotedScan(draw(readings), held, dict.fromkeys(held, 7.0), draw(st.integers(0, 9)))


@given(
    st.builds(
        LeakSeries,
        repeated=by_ledger,
        moments=st.dictionaries(st.sampled_from(Moment), at_once),
        counts=st.dictionaries(st.sampled_from(COUNTS), readings),
        errors_per_use=st.none() | st.integers(0, 3),
        free_bytes=st.none() | st.integers(0, 9),
        quiet=st.booleans(),
        scan_seconds=st.integers(0, 9),
        distinct=by_ledger,
        same_again=by_ledger,
        within=st.dictionaries(st.sampled_from(WITHIN_A_SCAN), noted_scans()),
    )
)
def test_whatever_allocators_are_called_a_sample_gives_back_what_was_noted(
    noted: LeakSeries,
) -> None:
    assert LeakSeries.of(Sample(noted.values(), noted.series())) == noted


@given(st.sampled_from(Role), ledgers)
def test_a_name_is_the_inverse_of_its_text(role: Role, ledger: str) -> None:
    name = SeriesName(role, ledger)
    assert SeriesName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["short/pool_peak_bytes", "shorter/rss_anon_bytes", CONSUMED, ""])
def test_what_is_no_series_of_the_scenario_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be of|is not a valid Role"):
        SeriesName.parse(text)


def test_a_slow_reader_has_the_uses_that_a_verdict_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 uses that were asked for, on a clock by which each takes longer than it may."""
    module = discover().scenario_for(Purpose.LEAKS).module
    ticks = count()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    path = tmp_path / "file"
    path.write_bytes(bytes(300 * BYTES_PER_ROW))
    made = []
    for least in (0, 30):
        params = {BUDGET_SECONDS: 40.0, LEAST_USES: least, ATTEMPT: Attempt.AGAIN}
        bench = InProcess(Arena(), [Shard(path, 300)], params)
        try:
            module.run(cast(Bench, bench))
        finally:
            gc.unfreeze()
        made.append(LeakSeries.of(bench.samples[0]).scans)
    assert made[0] < 30
    assert made[1] == 30
