"""Memory and work that are not private to the worker are in its figures, and what is shared counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from conftest import FAULTY, WORK

from firstbyte.api import Purpose
from firstbyte.engine import registry, session
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.plan import Axes
from firstbyte.engine.witnesses import resolve
from firstbyte.model import Record, Status

pytestmark = pytest.mark.xdist_group("hidden memory")

MB = 1_000_000
NOISE = 8 * MB
Figures = Mapping[str, float]
Scan = Callable[[str, str], Figures]


@pytest.fixture(scope="module")
def scan(cache_home: Path, tiny_corpus: str) -> Iterator[Scan]:
    """The figures of a whole scan, by variant of the backend `hiding` and instrument."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv(registry.PLUGINS_VARIABLE, str(FAULTY))
        laboratory = Laboratory(resolve(tiny_corpus), registry.discover())

        @cache
        def figures(variant: str, instrument: str) -> Figures:
            subject = laboratory.subject(f"hiding:{variant}")
            scenario = laboratory.catalogue.scenario_for(Purpose.WHOLE_SCAN)
            record = laboratory.measure(subject, scenario, instrument)
            assert record.status is Status.OK, record.reason + record.stderr_tail
            return record.samples[0].values

        yield figures


def gained(scan: Scan, variant: str, metric: str) -> float:
    """What the variant has above the one that hides nothing."""
    return scan(variant, "proc_memory")[metric] - scan("nothing", "proc_memory")[metric]


def test_shared_memory_is_in_the_peak_and_stands_apart(scan: Scan) -> None:
    assert gained(scan, "memfd", "peak_rss_bytes") == pytest.approx(200 * MB, abs=NOISE)
    assert gained(scan, "memfd", "peak_rss_above_base_bytes") == pytest.approx(200 * MB, abs=NOISE)
    assert gained(scan, "memfd", "peak_rss_shmem_bytes") == pytest.approx(200 * MB, abs=MB)
    assert gained(scan, "memfd", "peak_rss_anon_bytes") < NOISE
    assert gained(scan, "memfd", "peak_rss_file_bytes") < NOISE


@pytest.mark.parametrize("variant", ["child", "orphan"])
def test_what_a_child_holds_is_in_the_peak(scan: Scan, variant: str) -> None:
    assert gained(scan, variant, "peak_rss_bytes") > 32 * MB
    assert gained(scan, variant, "peak_rss_above_base_bytes") > 32 * MB
    assert 32 * MB < scan(variant, "proc_memory")["peak_children_rss_bytes"] < 60 * MB
    assert scan(variant, "proc_memory")["children_count"] >= 2
    assert scan("nothing", "proc_memory")["children_count"] == 0


def test_pages_that_a_fork_has_from_its_parent_count_once(scan: Scan) -> None:
    assert gained(scan, "fork", "peak_rss_bytes") == pytest.approx(200 * MB, rel=0.2)
    assert scan("fork", "proc_memory")["children_count"] >= 2


def test_shared_memory_of_two_processes_counts_once(scan: Scan) -> None:
    found = scan("shared_with_child", "proc_memory")
    assert found["peak_rss_shmem_bytes"] == pytest.approx(200 * MB, abs=NOISE)
    assert found["children_count"] >= 2


def test_a_peak_that_is_freed_at_once_is_met(scan: Scan) -> None:
    found = scan("fleeting", "proc_memory")
    # Where no sample met it, on a busy host, file pages that came later are taken off: the library's.
    assert found["peak_rss_above_base_bytes"] > 90 * MB
    assert found["peak_rss_anon_above_base_bytes"] > 90 * MB
    assert found["memory_sample_missed_bytes"] >= 0
    assert found["peak_rss_bytes"] == (found["base_rss_bytes"] + found["peak_rss_above_base_bytes"])


@pytest.mark.parametrize("variant", ["working_child", "finished_child"])
def test_the_cpu_time_of_a_child_is_in_the_clock(scan: Scan, variant: str) -> None:
    found = scan(variant, "clock")
    assert found["children_cpu_ns"] >= 0.05e9 * WORK
    assert found["cpu_ns"] > found["children_cpu_ns"]
    assert scan("nothing", "clock")["children_cpu_ns"] == 0


@pytest.fixture(scope="module")
def slack(cache_home: Path, tiny_corpus: str) -> Iterator[Mapping[str, Record]]:
    """The records of the scenario by backend and pool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv(registry.PLUGINS_VARIABLE, str(FAULTY))
        axes = Axes(
            scenarios=["allocator_slack"], backends=["hiding:pool", "sound"], corpora=[tiny_corpus]
        )
        opened = session.open_session(axes)
        records = opened.engine("slack").records(opened.plan.cells)
        yield {f"{one.cell.backend} {one.cell.params['pool']}": one for one in records}


def test_a_normalised_pool_stands_beside_the_one_that_is_shipped(
    slack: Mapping[str, Record],
) -> None:
    shipped, normalised = (slack[f"hiding {pool}"] for pool in ("shipped", "normalised"))
    assert (shipped.status, normalised.status) == (Status.OK, Status.OK), normalised.reason
    peaks = [one.samples[0].values["peak_rss_bytes"] for one in (shipped, normalised)]
    assert peaks[0] - peaks[1] == pytest.approx(32 * MB, abs=NOISE)
    assert slack["sound shipped"].status is Status.OK
    skipped = slack["sound normalised"]
    assert (skipped.status, skipped.reason) == (
        Status.SKIPPED,
        "sound does not declare: normalised",
    )
