"""Process memory from outside: RssAnon and RssFile sampled by the parent, VmHWM after a reset.

The parent reads /proc/PID/status (proc_pid_status(5)) at least every 5 ms while the worker is inside
the span; the worker only resets its peak through /proc/self/clear_refs (proc_pid_clear_refs(5),
value 5) and reads its own status once before and once after, so the sampler allocates nothing there.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from array import array
from collections.abc import Sequence
from itertools import pairwise

from firstbyte.api import Metric

BASE = Metric("base_rss_anon_bytes", "RssAnon after the import, before the span", better="")
PEAK_ABOVE_BASE = Metric(
    "peak_rss_anon_above_base_bytes", "the peak, less RssAnon before the span (after the import)"
)
PEAK = Metric(
    "peak_rss_anon_bytes",
    "highest RssAnon during the span",
    parts=(BASE.name, PEAK_ABOVE_BASE.name),
)
PEAK_WITH_FILES = Metric("vm_hwm_bytes", "VmHWM, reset before the span: counts file pages as well")
METRICS = (
    PEAK,
    PEAK_ABOVE_BASE,
    BASE,
    Metric("end_rss_anon_bytes", "RssAnon just after the span"),
    Metric("peak_rss_file_bytes", "highest RssFile (with shared memory) during the span"),
    Metric("base_rss_file_bytes", "RssFile before the span", better=""),
    Metric("end_rss_file_bytes", "RssFile just after the span"),
    PEAK_WITH_FILES,
    Metric("memory_samples_count", "samples of memory taken during the span", better=""),
    Metric("memory_sample_gap_max_ns", "longest time between two of them", better=""),
)
POLL_SECONDS = 0.001
_STATUS_BYTES = 4096
_RESET_PEAK = b"5"


def read_status(descriptor: int) -> tuple[int, int, int]:
    """RssAnon, RssFile (with shared memory) and VmHWM in bytes of an open /proc/PID/status.

    Raises ProcessLookupError once the process has no memory map any more.
    """
    text = os.pread(descriptor, _STATUS_BYTES, 0)
    anon = text.find(b"RssAnon:")
    if anon < 0:
        raise ProcessLookupError("the process has ended")
    return (
        _kib(text, anon, b"RssAnon:"),
        _kib(text, text.find(b"RssFile:"), b"RssFile:")
        + _kib(text, text.find(b"RssShmem:"), b"RssShmem:"),
        _kib(text, text.find(b"VmHWM:"), b"VmHWM:"),
    )


def own_rss_anon_bytes() -> int:
    """RssAnon of the calling process in bytes."""
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    try:
        return read_status(descriptor)[0]
    finally:
        os.close(descriptor)


def _kib(text: bytes, start: int, label: bytes) -> int:
    stop = text.index(b"kB", start)
    return int(text[start + len(label) : stop]) * 1024


class Probe:
    """The worker's half: resets the peak at the start, reads its own status before and after."""

    def __init__(self) -> None:
        self._status = os.open("/proc/self/status", os.O_RDONLY)
        self._clear_refs = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._base_rss_anon_bytes = 0
        self._base_rss_file_bytes = 0

    def begin(self) -> None:
        gc.collect()
        os.pwrite(self._clear_refs, _RESET_PEAK, 0)
        self._base_rss_anon_bytes, self._base_rss_file_bytes, _ = read_status(self._status)

    def end(self) -> dict[str, float]:
        anon, file, peak = read_status(self._status)
        return {
            BASE.name: self._base_rss_anon_bytes,
            "base_rss_file_bytes": self._base_rss_file_bytes,
            "end_rss_anon_bytes": anon,
            "end_rss_file_bytes": file,
            PEAK_WITH_FILES.name: peak,
        }


class Observer:
    """The parent's half: samples the sum over the observed processes, with the time of each sample."""

    def __init__(self, pid: int) -> None:
        self._statuses: list[int] = []
        self.at_ns = array("q")
        self.rss_anon_bytes = array("q")
        self.rss_file_bytes = array("q")
        self.observe([pid])

    def observe(self, pids: Sequence[int]) -> None:
        """Watch these processes from now on, instead of those before; one that has ended counts
        as nothing.
        """
        self.close()
        for pid in pids:
            with contextlib.suppress(FileNotFoundError):
                self._statuses.append(os.open(f"/proc/{pid}/status", os.O_RDONLY))

    def poll(self) -> None:
        """Take one sample; processes that have ended count as nothing."""
        anon = file = 0
        for status in self._statuses:
            try:
                one_anon, one_file, _ = read_status(status)
            except ProcessLookupError:
                continue
            anon += one_anon
            file += one_file
        self.at_ns.append(time.monotonic_ns())
        self.rss_anon_bytes.append(anon)
        self.rss_file_bytes.append(file)

    def values(self, begin_ns: int, end_ns: int, sample: dict[str, float]) -> dict[str, float]:
        """Peaks between two stamps of CLOCK_MONOTONIC; the worker's own readings count as well."""
        inside = [i for i, at in enumerate(self.at_ns) if begin_ns <= at <= end_ns]
        anon = [self.rss_anon_bytes[i] for i in inside]
        file = [self.rss_file_bytes[i] for i in inside]
        for moment in ("base", "end"):
            if f"{moment}_rss_anon_bytes" in sample:
                anon.append(int(sample[f"{moment}_rss_anon_bytes"]))
            if f"{moment}_rss_file_bytes" in sample:
                file.append(int(sample[f"{moment}_rss_file_bytes"]))
        # The edges count: a sampler that slept through the whole span must not look gapless.
        moments = [begin_ns, *(self.at_ns[i] for i in inside), end_ns]
        gaps = [after - before for before, after in pairwise(moments)]
        peak_anon = max(anon, default=0)
        return {
            PEAK.name: peak_anon,
            PEAK_ABOVE_BASE.name: peak_anon - sample[BASE.name],
            "peak_rss_file_bytes": max(file, default=0),
            "memory_samples_count": len(inside),
            "memory_sample_gap_max_ns": max(gaps),
        }

    def close(self) -> None:
        """Close the files of /proc; idempotent."""
        for status in self._statuses:
            os.close(status)
        self._statuses = []
