"""The parent's half and the worker's half of the memory instrument, on processes of known size."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firstbyte.worker.instruments.proc_memory import MemorySample, Observer, Probe, Process, borrows
from firstbyte.worker.status import Resident, own_status, read_status

MB = 1_000_000


@pytest.fixture
def status() -> Iterator[int]:
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_the_figures_are_those_of_the_kernel(status: int) -> None:
    seen = read_status(status)
    info = psutil.Process().memory_info()
    assert abs(sum(seen[:3]) - info.rss) < 2 * MB
    assert abs(seen.file + seen.shmem - info.shared) < 2 * MB
    assert seen.high_water >= sum(seen[:3]) - 2 * MB
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    for name, size in zip(("RssAnon", "RssFile", "RssShmem"), seen[:3], strict=True):
        assert abs(size - int(fields[name].split()[0]) * 1024) < 2 * MB


@pytest.mark.parametrize("flags", [mmap.MAP_SHARED, mmap.MAP_PRIVATE])
def test_shared_memory_is_told_from_private_memory_and_from_files(flags: int) -> None:
    before = own_status()
    with mmap.mmap(-1, 50 * MB, flags | mmap.MAP_ANONYMOUS) as memory:
        memory.write(b"x" * (50 * MB))
        after = own_status()
    gained = {name: after[i] - before[i] for i, name in enumerate(Resident._fields[:3])}
    kind = "shmem" if flags == mmap.MAP_SHARED else "anon"
    assert gained.pop(kind) >= 49 * MB
    assert max(gained.values()) < 5 * MB
    assert after.held - before.held >= 49 * MB


def test_memory_that_is_taken_is_seen(status: int) -> None:
    before = own_status().anon
    kept = bytearray(b"x") * (50 * MB)
    assert 49 * MB < own_status().anon - before < 55 * MB
    del kept
    assert own_status().anon - before < 5 * MB
    assert read_status(status).anon > 0


def test_a_process_that_has_ended_has_no_figures() -> None:
    process = subprocess.Popen(["sleep", "infinity"])
    descriptor = os.open(f"/proc/{process.pid}/status", os.O_RDONLY)
    assert read_status(descriptor).anon > 0
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):  # it waits to be reaped
        read_status(descriptor)
    process.wait()
    with pytest.raises(ProcessLookupError):
        read_status(descriptor)
    os.close(descriptor)


def observer_of(*seen: tuple[int, ...]) -> Observer:
    """One that has sampled these at 10, 20, 30 ... ns: private, shared and file bytes, own and children's."""
    made = Observer(os.getpid())
    for number, one in enumerate(seen, 1):
        made.samples.append(MemorySample(10 * number, *one))
    return made


BASE = {"base_rss_anon_bytes": 100.0, "base_rss_shmem_bytes": 0.0, "base_rss_file_bytes": 10.0}


def test_only_samples_within_the_span_count() -> None:
    observer = observer_of((900, 900, 90), (150, 0, 20), (300, 40, 15), (200, 60, 30), (900, 0, 90))
    assert observer.values(15, 45, dict(BASE)) == {
        "peak_rss_bytes": 340,
        "base_rss_bytes": 100,
        "peak_rss_above_base_bytes": 240,
        "peak_rss_anon_bytes": 300,
        "peak_rss_anon_above_base_bytes": 200,
        "peak_rss_shmem_bytes": 60,
        "peak_unmapped_bytes": 0,
        "peak_children_rss_bytes": 0,
        "children_count": 0,
        "peak_rss_file_bytes": 30,
        "memory_samples_count": 3,
        "memory_sample_gap_max_ns": 10,
    }
    observer.close()


def test_the_workers_own_readings_count() -> None:
    observer = observer_of((150, 0, 20))
    ends = {"end_rss_anon_bytes": 700.0, "end_rss_shmem_bytes": 50.0, "end_rss_file_bytes": 70.0}
    values = observer.values(5, 15, BASE | ends)
    assert (values["peak_rss_bytes"], values["peak_rss_anon_bytes"]) == (750, 700)
    assert (values["peak_rss_shmem_bytes"], values["peak_rss_file_bytes"]) == (50, 70)
    observer.close()


def test_a_peak_between_two_samples_is_shown_and_named() -> None:
    observer = observer_of((150, 0, 20), (160, 0, 30))
    values = observer.values(5, 25, BASE | {"vm_hwm_bytes": 530.0})
    assert values["peak_rss_bytes"] == values["peak_rss_anon_bytes"] == 500
    assert values["peak_rss_above_base_bytes"] == 400
    assert values["memory_sample_missed_bytes"] == 340
    observer.close()


def test_file_pages_in_the_high_water_mark_are_no_peak() -> None:
    observer = observer_of((150, 0, 20), (160, 0, 330))
    values = observer.values(5, 25, BASE | {"vm_hwm_bytes": 490.0})
    assert values["peak_rss_bytes"] == 160
    assert values["memory_sample_missed_bytes"] == 0
    observer.close()


def test_what_was_missed_is_not_called_private_where_there_is_shared_memory() -> None:
    observer = observer_of((150, 50, 0), (160, 0, 0))
    values = observer.values(5, 25, BASE | {"vm_hwm_bytes": 400.0})
    assert (values["peak_rss_bytes"], values["peak_rss_anon_bytes"]) == (390, 160)
    observer.close()


def test_children_are_added_to_peak_and_base() -> None:
    observer = observer_of((100, 0, 5, 30, 2, 1), (150, 0, 5, 40, 2, 1), (110, 0, 5, 80, 0, 9))
    values = observer.values(15, 35, BASE | {"vm_hwm_bytes": 215.0})
    assert values["base_rss_bytes"] == 132
    assert values["peak_children_rss_bytes"] == 80
    assert values["peak_rss_file_bytes"] == 14
    assert values["memory_sample_missed_bytes"] == (215 - 10 + 32) - 192
    assert values["peak_rss_bytes"] == 237
    observer.close()


def test_a_sampler_that_slept_does_not_look_gapless() -> None:
    observer = observer_of((150, 0, 20), (150, 0, 20))
    assert observer.values(100, 5000, dict(BASE))["memory_samples_count"] == 0
    assert observer.values(100, 5000, dict(BASE))["memory_sample_gap_max_ns"] == 4900
    assert observer.values(0, 5000, dict(BASE))["memory_sample_gap_max_ns"] == 4980
    observer.close()


def test_a_child_that_is_still_in_its_parents_memory_is_told_by_its_figures() -> None:
    """As between vfork(2) and execve(2); a fork has fewer file pages, and another program is no fork."""
    parent = own_status()
    fork = os.fork()
    if fork == 0:
        signal.pause()
        os._exit(0)
    program = subprocess.Popen(["sleep", "infinity"])
    named = [(Process(os.getpid()), parent)]
    forked, other = Process(fork), Process(program.pid)
    assert borrows(forked, parent, named)
    assert not borrows(forked, parent._replace(file=parent.file - 4096), named)
    assert not borrows(other, parent, named)
    assert forked.read().file < parent.file
    for process in (forked, other, named[0][0]):
        process.close()
    os.kill(fork, signal.SIGKILL)
    os.waitpid(fork, 0)
    program.kill()
    program.wait()


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
    both, one, still_one, none = [observer.samples[i].anon for i in range(4)]
    assert 120 * MB < both < 170 * MB
    assert 60 * MB < one < 85 * MB
    assert abs(one - still_one) < MB
    assert none == 0
    stamps = [observer.samples[i].at_ns for i in range(4)]
    assert stamps == sorted(stamps)
    observer.close()
    observer.close()


def touch(size_bytes: int) -> None:
    """Have so much private memory for a moment: from the kernel, as a heap may have it left over."""
    with mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        for at in range(0, size_bytes, mmap.PAGESIZE):
            pages[at] = 1


def test_the_peak_is_that_of_the_span() -> None:
    probe = Probe()
    touch(80 * MB)
    probe.begin()
    touch(30 * MB)
    values = probe.end()
    base = values["base_rss_anon_bytes"] + values["base_rss_file_bytes"]
    assert 29 * MB < values["vm_hwm_bytes"] - base < 45 * MB
    assert abs(values["end_rss_anon_bytes"] - values["base_rss_anon_bytes"]) < 5 * MB


def test_stamps_are_of_the_clock_that_workers_use() -> None:
    observer = Observer(os.getpid())
    before = time.monotonic_ns()
    observer.poll()
    assert before <= observer.samples[0].at_ns <= time.monotonic_ns()
    observer.close()
