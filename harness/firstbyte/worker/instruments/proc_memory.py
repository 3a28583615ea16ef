"""Process memory from outside: the worker's and that of all processes that it starts.

What counts is what nobody else can use meanwhile: private memory (RssAnon), shared memory (RssShmem:
memfd, /dev/shm, shared anonymous mappings) and what is held by descriptors alone (`unmapped`). Pages of
files stand apart, as the kernel can drop them. The parent reads /proc/PID/status (proc_pid_status(5))
about every millisecond while the worker is inside the span; the worker only resets its peak through
/proc/self/clear_refs (proc_pid_clear_refs(5), value 5) and reads its own status once before and once
after, so the sampler allocates nothing there.

A peak that came and went between two samples is still in VmHWM, which counts file pages as well:
VmHWM less the most file pages that were seen is a peak that there was at least, given that no more
file pages came and went unseen. The larger of the two is the peak, and what the samples had missed is
a figure of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from firstbyte.api import Metric
from firstbyte.worker.family import Births, Family, kin_of
from firstbyte.worker.sharing import Sharing
from firstbyte.worker.status import Resident, read_status
from firstbyte.worker.unmapped import Descriptors

BASE = Metric("base_rss_bytes", "RssAnon and RssShmem after the import, before the span", better="")
PEAK_ABOVE_BASE = Metric(
    "peak_rss_above_base_bytes", "the peak, less what was held before the span (after the import)"
)
PEAK = Metric(
    "peak_rss_bytes",
    "highest sum of private and shared memory during the span, of the worker and what it started",
    parts=(BASE.name, PEAK_ABOVE_BASE.name),
)
BASE_ANON = Metric("base_rss_anon_bytes", "RssAnon before the span", better="")
BASE_SHMEM = Metric("base_rss_shmem_bytes", "RssShmem before the span", better="")
PEAK_ANON = Metric("peak_rss_anon_bytes", "highest RssAnon (private memory) during the span")
PEAK_ANON_ABOVE_BASE = Metric(
    "peak_rss_anon_above_base_bytes", "highest RssAnon, less RssAnon before the span"
)
PEAK_SHMEM = Metric("peak_rss_shmem_bytes", "highest RssShmem (shared memory) during the span")
PEAK_UNMAPPED = Metric(
    "peak_unmapped_bytes",
    "the part that no process had mapped: in nameless files in memory, pipes and sockets",
)
PEAK_CHILDREN = Metric(
    "peak_children_rss_bytes", "the part of it that processes held which the worker had started"
)
PEAK_FILE = Metric("peak_rss_file_bytes", "highest RssFile during the span")
PEAK_WITH_FILES = Metric("vm_hwm_bytes", "VmHWM, reset before the span: counts file pages as well")
MISSED = Metric("memory_sample_missed_bytes", "peak that VmHWM proves and no sample met", better="")
METRICS = (
    PEAK,
    PEAK_ABOVE_BASE,
    BASE,
    PEAK_ANON,
    PEAK_ANON_ABOVE_BASE,
    BASE_ANON,
    Metric("end_rss_anon_bytes", "RssAnon just after the span"),
    PEAK_SHMEM,
    PEAK_UNMAPPED,
    BASE_SHMEM,
    Metric("end_rss_shmem_bytes", "RssShmem just after the span"),
    PEAK_CHILDREN,
    Metric("children_count", "processes started by the worker that were seen", better=""),
    PEAK_FILE,
    Metric("base_rss_file_bytes", "RssFile before the span", better=""),
    Metric("end_rss_file_bytes", "RssFile just after the span"),
    PEAK_WITH_FILES,
    MISSED,
    Metric("memory_samples_count", "samples of memory taken during the span", better=""),
    Metric("memory_sample_gap_max_ns", "longest time between two of them", better=""),
)
POLL_SECONDS = 0.001
_RESET_PEAK = b"5"


class Probe:
    """The worker's half: resets the peak at the start, reads its own status before and after."""

    def __init__(self) -> None:
        self._status = os.open("/proc/self/status", os.O_RDONLY)
        self._clear_refs = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._base = Resident(0, 0, 0, 0)

    def begin(self) -> None:
        gc.collect()
        os.pwrite(self._clear_refs, _RESET_PEAK, 0)
        self._base = read_status(self._status)

    def end(self) -> dict[str, float]:
        end = read_status(self._status)
        return {
            BASE_ANON.name: self._base.anon,
            BASE_SHMEM.name: self._base.shmem,
            "base_rss_file_bytes": self._base.file,
            "end_rss_anon_bytes": end.anon,
            "end_rss_shmem_bytes": end.shmem,
            "end_rss_file_bytes": end.file,
            PEAK_WITH_FILES.name: end.high_water,
        }


class Process:
    """One that is looked at, through files of /proc that are its own even when its id is used again."""

    def __init__(self, pid: int) -> None:
        """Raises FileNotFoundError or ProcessLookupError where there is none."""
        self.pid = pid
        self._status = os.open(f"/proc/{pid}/status", os.O_RDONLY)

    def read(self) -> Resident:
        """Raises ProcessLookupError once it has ended."""
        return read_status(self._status)

    def close(self) -> None:
        os.close(self._status)


@dataclass(frozen=True, slots=True)
class MemorySample:
    """One sample: the processes that were named, and those that they had started."""

    at_ns: int
    anon: int
    shmem: int
    file: int
    """Of those that were named, as the next two are: in most cases the worker."""
    children_anon: int = 0
    children_shmem: int = 0
    children_file: int = 0
    files_in_memory: int = 0
    """Of all of them, as the next one is: nameless ones, mapped or not."""
    waiting: int = 0
    """In pipes and sockets."""

    @property
    def children(self) -> int:
        return self.children_anon + self.children_shmem

    @property
    def unmapped(self) -> int:
        """At least so much is in no map: what is mapped of the files is in the shared memory."""
        return max(0, self.files_in_memory - self.shmem - self.children_shmem) + self.waiting

    @property
    def held(self) -> int:
        return self.anon + self.shmem + self.children + self.unmapped


class MemorySamples:
    """Samples in arrays, as a run takes tens of thousands of them."""

    def __init__(self) -> None:
        self._columns = {name: array("q") for name in MemorySample.__slots__}

    def append(self, reading: MemorySample) -> None:
        for name, column in self._columns.items():
            column.append(getattr(reading, name))

    def __len__(self) -> int:
        return len(self._columns["at_ns"])

    def __getitem__(self, index: int) -> MemorySample:
        return MemorySample(**{name: column[index] for name, column in self._columns.items()})

    def between(self, begin_ns: int, end_ns: int) -> list[MemorySample]:
        """Those taken within two stamps of CLOCK_MONOTONIC."""
        stamps = self._columns["at_ns"]
        return [self[i] for i, at in enumerate(stamps) if begin_ns <= at <= end_ns]

    def last_before(self, at_ns: int) -> MemorySample | None:
        """The newest that was taken before; None where there is none."""
        stamps = self._columns["at_ns"]
        index = next((i for i in reversed(range(len(stamps))) if stamps[i] < at_ns), None)
        return None if index is None else self[index]


class Observer:
    """The parent's half: samples the worker, or the processes that it names, and all that they start."""

    def __init__(self, pid: int) -> None:
        self.samples = MemorySamples()
        self._births = Births()
        self._sharing = Sharing()
        self._descriptors = Descriptors()
        self._named: list[Process] = []
        self._children: list[Process] = []
        self._seen_at_ns = array("q")
        self._watch([pid], Family([pid], session=pid))

    def observe(self, pids: Sequence[int]) -> None:
        """Watch these processes and what they start from now on, instead of those before."""
        self._watch(pids, Family(pids))

    def _watch(self, pids: Collection[int], family: Family) -> None:
        self._let_go()
        self._family = family
        self._births.forget()
        self._named = _found(pids)

    def poll(self) -> None:
        """Take one sample; processes that have ended count as nothing."""
        at_ns = time.monotonic_ns()
        if self._births.any():
            newcomers = _found(self._family.newcomers())
            self._children += newcomers
            self._seen_at_ns.extend(at_ns for _ in newcomers)
        named, self._named = _read(self._named)
        children, self._children = _read(self._children)
        children = [(one, seen) for one, seen in children if not borrows(one, seen, named)]
        own, others = _total(named), _total(children)
        if children:
            twice = self._sharing.counted_twice([*named, *children])
            others = others._replace(
                anon=max(0, others.anon - twice.anon), shmem=max(0, others.shmem - twice.shmem)
            )
        self.samples.append(
            MemorySample(
                at_ns,
                own.anon,
                own.shmem,
                own.file,
                others.anon,
                others.shmem,
                others.file,
                *self._descriptors.held([one.pid for one in (*self._named, *self._children)]),
            )
        )

    def values(self, begin_ns: int, end_ns: int, sample: dict[str, float]) -> dict[str, float]:
        """Peaks between two stamps of CLOCK_MONOTONIC; the worker's own readings count as well."""
        inside = self.samples.between(begin_ns, end_ns)
        before = self.samples.last_before(begin_ns) or MemorySample(begin_ns, 0, 0, 0)
        base = _at("base", sample, before)
        everything = [base, *inside]
        if "end_rss_anon_bytes" in sample:  # who names other processes need not say
            everything.append(_at("end", sample, everything[-1]))
        sampled = max(one.held for one in everything)
        missed: dict[str, int] = {}
        if PEAK_WITH_FILES.name in sample:  # nobody resets it in processes that the worker names
            least = _least_peak(int(sample[PEAK_WITH_FILES.name]), everything)
            missed = {MISSED.name: max(0, least - sampled)}
        peak = sampled + missed.get(MISSED.name, 0)
        anon = max(one.anon + one.children_anon for one in everything)
        # Shared memory that no sample met would be taken for private: only where there was none is
        # it known which of them came and went.
        if not any(one.shmem + one.children_shmem for one in everything):
            anon = peak
        # The edges count: a sampler that slept through the whole span must not look gapless.
        moments = [begin_ns, *(one.at_ns for one in inside), end_ns]
        return {
            PEAK.name: peak,
            BASE.name: base.held,
            PEAK_ABOVE_BASE.name: peak - base.held,
            PEAK_ANON.name: anon,
            PEAK_ANON_ABOVE_BASE.name: anon - base.anon - base.children_anon,
            PEAK_SHMEM.name: max(one.shmem + one.children_shmem for one in everything),
            PEAK_UNMAPPED.name: max(one.unmapped for one in everything),
            PEAK_CHILDREN.name: max(one.children for one in everything),
            "children_count": sum(at <= end_ns for at in self._seen_at_ns),
            PEAK_FILE.name: max(one.file + one.children_file for one in everything),
            **missed,
            "memory_samples_count": len(inside),
            "memory_sample_gap_max_ns": max(after - one for one, after in pairwise(moments)),
        }

    def _let_go(self) -> None:
        for process in (*self._named, *self._children):
            process.close()
        self._named, self._children = [], []

    def close(self) -> None:
        """Close the files of /proc; idempotent."""
        self._let_go()
        self._births.close()


def _at(moment: str, sample: dict[str, float], beside: MemorySample) -> MemorySample:
    """What the worker read of itself then, and what its children held in the sample beside it.

    Raises KeyError where the worker did not say.
    """
    return replace(
        beside,
        anon=int(sample[f"{moment}_rss_anon_bytes"]),
        shmem=int(sample[f"{moment}_rss_shmem_bytes"]),
        file=int(sample.get(f"{moment}_rss_file_bytes", 0)),
    )


def _least_peak(high_water: int, readings: Sequence[MemorySample]) -> int:
    """What was held at least at the moment of VmHWM: by the worker, and beside it."""
    return high_water - max(one.file for one in readings) + min(one.children for one in readings)


def _found(pids: Collection[int]) -> list[Process]:
    """Those of the processes that are still there."""
    found = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(Process(pid))
    return found


def _read(processes: list[Process]) -> tuple[list[tuple[Process, Resident]], list[Process]]:
    """What each holds, and those that have not ended; the others are closed."""
    read = []
    for process in processes:
        try:
            read.append((process, process.read()))
        except ProcessLookupError:
            process.close()
    return read, [process for process, _ in read]


def _total(read: Sequence[tuple[Process, Resident]]) -> Resident:
    return Resident(*map(sum, zip(*(one for _, one in read), strict=True))) if read else _NOTHING


_NOTHING = Resident(0, 0, 0, 0)


def borrows(process: Process, seen: Resident, named: Sequence[tuple[Process, Resident]]) -> bool:
    """Whether a child is still in the memory of its parent, as between vfork(2) and execve(2).

    It then has the parent's figures to the byte; after a fork it has fewer file pages.
    """
    if not any((seen.file, seen.high_water) == (one.file, one.high_water) for _, one in named):
        return False
    kin = kin_of(process.pid)
    return kin is None or kin.forked
