"""Planted faults through real workers: what the rules are fed with is what really happened."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import WORK

from firstbyte import places
from firstbyte.api import Purpose
from firstbyte.corpora.catalogue import resolve
from firstbyte.engine import registry
from firstbyte.engine.laboratory import Laboratory
from firstbyte.leaks.captures import leaking_stacks
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.rules import LeakClass, verdict
from firstbyte.leaks.slopes import judge_process
from firstbyte.model import Record, Status
from firstbyte.selfcheck.memory.planted import FOLDER, TRUTHS
from firstbyte.selfcheck.planting import findable
from firstbyte.visibility.certificates import certificate, certifying
from firstbyte.visibility.rule import Sight
from firstbyte.worker.captures import CAPTURES_VARIABLE
from firstbyte.worker.leak_series import ATTEMPT, CAPTURED_SCANS, Attempt, LeakSeries
from firstbyte.worker.quiet import QUIET

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]

SCANS = 100


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv(registry.PLUGINS_VARIABLE, raising=False)
        manifest = leak_corpus(resolve("mt:size=1MB,shards=1"), places.cache())
        with findable(FOLDER):
            yield Laboratory(manifest, registry.discover())


def scanned(laboratory: Laboratory, variant: str) -> Record:
    record = laboratory.measure(
        laboratory.subject(f"planted:{variant}"),
        laboratory.catalogue.scenario_for(Purpose.LEAKS),
        "proc_memory",
        repetitions=SCANS,
        params={ATTEMPT: Attempt.AGAIN},
        environ=QUIET,
    )
    assert record.status is Status.OK, record.reason + record.stderr_tail
    return record


def test_the_control_is_clean_and_constant(laboratory):
    seen = LeakSeries.of(scanned(laboratory, "clean").samples[0])
    assert seen.quiet
    assert judge_process(seen)["glibc_live_bytes"].slope.estimate == 0
    assert verdict([seen]).outcome is LeakClass.CLEAN


def test_64_bytes_per_scan_are_measured_to_the_byte(laboratory):
    seen = LeakSeries.of(scanned(laboratory, "malloc_leak").samples[0])
    slope = judge_process(seen)["glibc_live_bytes"].slope
    assert slope.estimate == 80  # malloc(64) takes a chunk of 80 bytes
    assert verdict([seen]).wants == "processes"


def test_a_bundled_leak_shows_in_resident_memory_and_in_nothing_else(laboratory):
    found = judge_process(LeakSeries.of(scanned(laboratory, "bundled_leak").samples[0]))
    assert found["rss_anon_bytes"].flagged
    assert not found["glibc_live_bytes"].flagged


def test_threads_left_behind_are_counted(laboratory):
    values = scanned(laboratory, "thread_leak").samples[0].values
    assert values["left_threads_per_scan"] == 1
    assert values["left_descriptors_per_scan"] == 0


@pytest.mark.parametrize(
    ("variant", "sight"), [("native", Sight.SEEN), ("bundled_counted", Sight.HIDDEN)]
)
def test_memray_is_certified_for_malloc_only(laboratory, variant, sight):
    subject = laboratory.subject(f"planted:{variant}")
    (scenario,) = certifying(laboratory.catalogue, "heap")
    record = laboratory.measure(subject, scenario, "heap")
    assert record.status is Status.OK, record.reason + record.stderr_tail
    made = certificate(scenario, record.samples[0].values)
    assert made.verdict is sight
    if sight is Sight.HIDDEN:
        assert "hidden by bundled" in made.reason


def test_the_leaking_line_is_named(laboratory, tmp_path):
    subject = laboratory.subject("planted:malloc_leak")
    record = laboratory.measure(
        subject,
        laboratory.catalogue.scenario_for(Purpose.LEAKS),
        "heap",
        environ={CAPTURES_VARIABLE: str(tmp_path)},
    )
    assert record.status is Status.OK, record.reason + record.stderr_tail
    (stack,) = leaking_stacks(tmp_path, CAPTURED_SCANS)
    assert stack.bytes_per_scan == 64
    assert stack.frames[0][0] == "allocate"
    assert Path(stack.frames[0][1]).name == "faults.py"


@pytest.fixture(scope="module")
def peaks(laboratory):
    """Figures without a peak and with one that lasts longer than the sampler ever looked away."""

    def scan(variant, hold_seconds):
        subject = laboratory.subject(f"planted:{variant}")
        environ = {"PLANTED_PEAK_SECONDS": str(hold_seconds)}
        record = laboratory.measure(
            subject,
            laboratory.catalogue.scenario_for(Purpose.WHOLE_SCAN),
            "proc_memory",
            environ=environ,
        )
        assert record.status is Status.OK, record.reason + record.stderr_tail
        return record.samples[0].values

    hold_seconds = 0.010 * WORK
    while (peak := scan("peak_bundled", hold_seconds))["memory_sample_gap_max_ns"] > (
        hold_seconds * 1e9
    ):
        hold_seconds *= 2
    return scan("clean", 0), peak


@pytest.mark.parametrize("ledger", ["peak_rss_anon_bytes", "vm_hwm_bytes"])
def test_a_peak_longer_than_the_longest_gap_is_not_missed(peaks, ledger):
    clean, peak = peaks
    assert peak[ledger] - clean[ledger] == pytest.approx(64 << 20, rel=0.02)


def test_every_truth_is_a_variant(laboratory):
    names = {variant.name for variant in laboratory.catalogue.backend("planted").variants}
    assert set(TRUTHS) <= names
