"""The parent's half and the worker's half of the memory instrument, on processes of known size."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firstbyte.worker.instruments.proc_memory import (
    Observer,
    Probe,
    own_rss_anon_bytes,
    read_status,
)

MB = 1_000_000


@pytest.fixture
def status() -> Iterator[int]:
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_the_figures_are_those_of_the_kernel(status: int) -> None:
    anon, file, peak = read_status(status)
    info = psutil.Process().memory_info()
    assert abs(anon + file - info.rss) < 2 * MB
    assert abs(file - info.shared) < 2 * MB
    assert peak >= anon + file - 2 * MB
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert abs(anon - int(fields["RssAnon"].split()[0]) * 1024) < 2 * MB


def test_memory_that_is_taken_is_seen(status: int) -> None:
    before = own_rss_anon_bytes()
    kept = bytearray(b"x") * (50 * MB)
    assert 49 * MB < own_rss_anon_bytes() - before < 55 * MB
    del kept
    assert own_rss_anon_bytes() - before < 5 * MB
    assert read_status(status)[0] > 0


def test_a_process_that_has_ended_has_no_figures() -> None:
    process = subprocess.Popen(["sleep", "infinity"])
    descriptor = os.open(f"/proc/{process.pid}/status", os.O_RDONLY)
    assert read_status(descriptor)[0] > 0
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):  # it waits to be reaped
        read_status(descriptor)
    process.wait()
    with pytest.raises(ProcessLookupError):
        read_status(descriptor)
    os.close(descriptor)


def observer_of(anon: list[int], file: list[int]) -> Observer:
    """One that has sampled these at 10, 20, 30 ... ns."""
    made = Observer(os.getpid())
    for number, (one, other) in enumerate(zip(anon, file, strict=True), 1):
        made.at_ns.append(10 * number)
        made.rss_anon_bytes.append(one)
        made.rss_file_bytes.append(other)
    return made


BASE = {"base_rss_anon_bytes": 100.0, "base_rss_file_bytes": 10.0}


def test_only_samples_within_the_span_count() -> None:
    observer = observer_of([900, 150, 300, 200, 900], [90, 20, 15, 30, 90])
    assert observer.values(15, 45, dict(BASE)) == {
        "peak_rss_anon_bytes": 300,
        "peak_rss_anon_above_base_bytes": 200,
        "peak_rss_file_bytes": 30,
        "memory_samples_count": 3,
        "memory_sample_gap_max_ns": 10,
    }
    observer.close()


def test_the_workers_own_readings_count() -> None:
    observer = observer_of([150], [20])
    ends = {"end_rss_anon_bytes": 700.0, "end_rss_file_bytes": 70.0}
    values = observer.values(5, 15, BASE | ends)
    assert (values["peak_rss_anon_bytes"], values["peak_rss_file_bytes"]) == (700, 70)
    observer.close()


def test_a_sampler_that_slept_does_not_look_gapless() -> None:
    observer = observer_of([150, 150], [20, 20])
    assert observer.values(100, 5000, dict(BASE))["memory_samples_count"] == 0
    assert observer.values(100, 5000, dict(BASE))["memory_sample_gap_max_ns"] == 4900
    assert observer.values(0, 5000, dict(BASE))["memory_sample_gap_max_ns"] == 4980
    observer.close()


def test_several_processes_are_added_and_those_gone_count_as_nothing() -> None:
    program = (
        f"kept = bytearray(b'x') * {60 * MB}; print(flush=True); import signal; signal.pause()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(2)
    ]
    for child in children:
        assert child.stdout
        child.stdout.readline()
    observer = Observer(os.getpid())
    observer.observe([child.pid for child in children])
    observer.poll()
    children[0].kill()
    children[0].wait()
    observer.poll()
    observer.observe([child.pid for child in children])  # the first is not there any more
    observer.poll()
    children[1].kill()
    children[1].wait()
    observer.poll()
    both, one, still_one, none = observer.rss_anon_bytes
    assert 120 * MB < both < 170 * MB
    assert 60 * MB < one < 85 * MB
    assert abs(one - still_one) < MB
    assert none == 0
    assert list(observer.at_ns) == sorted(observer.at_ns)
    observer.close()
    observer.close()


def test_the_peak_is_that_of_the_span() -> None:
    probe = Probe()
    before = bytearray(b"x") * (80 * MB)
    del before
    probe.begin()
    within = bytearray(b"x") * (30 * MB)
    del within
    values = probe.end()
    base = values["base_rss_anon_bytes"] + values["base_rss_file_bytes"]
    assert 29 * MB < values["vm_hwm_bytes"] - base < 45 * MB
    assert abs(values["end_rss_anon_bytes"] - values["base_rss_anon_bytes"]) < 5 * MB


def test_stamps_are_of_the_clock_that_workers_use() -> None:
    observer = Observer(os.getpid())
    before = time.monotonic_ns()
    observer.poll()
    assert before <= observer.at_ns[0] <= time.monotonic_ns()
    observer.close()
