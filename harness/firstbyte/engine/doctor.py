"""What on this machine limits the numbers, each finding with its remedy.

A check is a function without arguments; its docstring's first line is what it looks at.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firstbyte import places
from firstbyte.engine.cgroups import Groups, effective_cores
from firstbyte.engine.room import worker_bytes
from firstbyte.model import BUSY_SHARE
from firstbyte.worker import pagecache

CPU = Path("/sys/devices/system/cpu")
HERE = Groups()
SAMPLE_LIBRARY = "numpy"
"""What is installed in any case: an installer compiles all libraries or none."""
FREE_BYTES_WANTED = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what is there, and what to do about it; no remedy means all is well."""

    subject: str
    state: str
    remedy: str = ""

    @property
    def limits(self) -> bool:
        return bool(self.remedy)


def _cores(groups: Groups = HERE) -> Finding:
    """cores"""
    there = len(os.sched_getaffinity(0))
    cores = effective_cores(groups)
    state = f"{there}" if cores == there else f"{there}, of which a quota gives {cores:g}"
    if cores < there:
        return Finding(
            "cores",
            state,
            "the control group stops what has used its quota up, and times hold the waiting: "
            "raise the quota, or run outside of it",
        )
    if cores >= 4:
        return Finding("cores", state)
    return Finding(
        "cores",
        state,
        "what has more readers or threads than there are cores measures the scheduler as well: "
        "run it on a machine with as many cores",
    )


def _load() -> Finding:
    """other work"""
    path = Path("/proc/pressure/cpu")
    if not path.exists():
        return Finding("other work", f"load average {os.getloadavg()[0]:.1f}, no pressure figures")
    some = path.read_text(encoding="ascii").split()[1]
    percent = float(some.partition("=")[2])
    state = f"CPU pressure {percent:.0f}% of the last 10 s, load {os.getloadavg()[0]:.1f}"
    if percent < 100 * BUSY_SHARE:
        return Finding("other work", state)
    return Finding("other work", state, "something else is running: stop it, or expect noisy times")


def _governor() -> Finding:
    """CPU frequency"""
    path = CPU / "cpu0/cpufreq/scaling_governor"
    if not path.exists():
        return Finding(
            "CPU frequency",
            "not visible (a virtual machine?)",
            "the host decides: compare only figures that were taken side by side",
        )
    governor = path.read_text(encoding="ascii").strip()
    if governor == "performance":
        return Finding("CPU frequency", governor)
    return Finding(
        "CPU frequency", governor, "as root: cpupower frequency-set --governor performance"
    )


def _turbo() -> Finding:
    """turbo"""
    path = CPU / "intel_pstate/no_turbo"
    if not path.exists() or path.read_text(encoding="ascii").strip() == "1":
        return Finding("turbo", "off or not visible")
    return Finding("turbo", "on", f"as root: write 1 to {path}, or expect times to follow the heat")


def _siblings() -> Finding:
    """simultaneous multithreading"""
    path = CPU / "smt/active"
    if not path.exists() or path.read_text(encoding="ascii").strip() == "0":
        return Finding("hardware threads", "one per core, or not visible")
    return Finding(
        "hardware threads",
        "two share a core",
        "pin to one thread a core with taskset, or expect scaling to flatten at the cores",
    )


def _clock_source() -> Finding:
    """clock"""
    path = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    source = path.read_text(encoding="ascii").strip() if path.exists() else "unknown"
    if source in ("tsc", "kvm-clock", "arch_sys_counter", "unknown"):
        return Finding("clock source", source)
    return Finding(
        "clock source", source, "reading it is slow: boot with clocksource=tsc if stable"
    )


def _schedstat() -> Finding:
    """run-queue wait"""
    try:
        words = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
    except OSError:
        words = []
    if len(words) == 3 and int(words[0]) > 0:
        return Finding("run-queue wait", "/proc/thread-self/schedstat works")
    return Finding(
        "run-queue wait",
        "the kernel does not keep it",
        "boot with schedstats or CONFIG_SCHED_INFO: without it net wall time cannot be had",
    )


def _clear_refs() -> Finding:
    """resettable peak"""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        return Finding(
            "VmHWM reset",
            f"refused: {error.strerror}",
            "memory scenarios will fail: allow /proc/PID/clear_refs in this container",
        )
    return Finding("VmHWM reset", "works")


def _eviction() -> Finding:
    """page cache eviction"""
    folder = places.cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 20))
            file.flush()
            pagecache.evict(Path(file.name))
            left = pagecache.resident_ratio(Path(file.name))
    except OSError as error:
        return Finding(
            "page cache eviction",
            f"cannot be tried in {folder}: {error.strerror}",
            "corpora are kept there: set XDG_CACHE_HOME to a folder that can be written",
        )
    if left < 0.05:
        return Finding("page cache eviction", "works (posix_fadvise)")
    return Finding(
        "page cache eviction",
        f"{left:.0%} of a file stays",
        "put the corpora on a local disk, not on tmpfs: set XDG_CACHE_HOME",
    )


def _swap() -> Finding:
    """swap"""
    used = Path("/proc/swaps").read_text(encoding="ascii").splitlines()[1:]
    if not used:
        return Finding("swap", "none")
    return Finding("swap", "on", "as root: swapoff -a; swapped pages are not in RssAnon")


def _huge_pages() -> Finding:
    """transparent huge pages"""
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    state = path.read_text(encoding="ascii").strip() if path.exists() else "not available"
    if "[always]" not in state:
        return Finding("transparent huge pages", state)
    return Finding(
        "transparent huge pages",
        state,
        "memory is counted in steps of 2 MiB; as root: write madvise to " + str(path),
    )


def _memory_limit(groups: Groups = HERE) -> Finding:
    """memory limit"""
    limit = groups.memory_limit_bytes()
    if limit is None:
        return Finding("memory limit of this group", "none")
    room = (worker_bytes(groups) or 0) / 1e6
    return Finding(
        "memory limit of this group",
        f"{limit / 1e6:,.0f} MB, of which {room:,.0f} MB are left to a worker",
        "a worker that needs more is killed and recorded as OUT_OF_MEMORY: raise the limit, or run "
        "outside of the group",
    )


def _disk() -> Finding:
    """disk space"""
    cache = places.cache()
    there = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free >= FREE_BYTES_WANTED:
        return Finding("free disk space", f"{free / 1e9:.0f} GB")
    return Finding(
        "free disk space", f"{free / 1e9:.1f} GB", "corpora need room: free at least 5 GB"
    )


def _bytecode() -> Finding:
    """compiled bytecode of the libraries"""
    spec = importlib.util.find_spec(SAMPLE_LIBRARY)
    compiled = (
        spec is not None
        and spec.origin is not None
        and (Path(importlib.util.cache_from_source(spec.origin)).exists())
    )
    if compiled:
        return Finding("bytecode", "compiled")
    if not sys.dont_write_bytecode:
        return Finding("bytecode", "not compiled yet: the first import of a library writes it")
    return Finding(
        "bytecode",
        "neither compiled nor written",
        "python3 -m compileall of the site-packages, or unset PYTHONDONTWRITEBYTECODE: every worker "
        "compiles what it imports, and import times and memory hold that",
    )


def _rust() -> Finding:
    """Rust toolchain"""
    if shutil.which("cargo"):
        return Finding("Rust toolchain", "present")
    return Finding("Rust toolchain", "missing", "install `cargo` to build backends in Rust")


CHECKS: tuple[Callable[[], Finding], ...] = (
    _cores,
    _load,
    _governor,
    _turbo,
    _siblings,
    _clock_source,
    _schedstat,
    _clear_refs,
    _eviction,
    _swap,
    _huge_pages,
    _memory_limit,
    _disk,
    _bytecode,
    _rust,
)


def examine() -> list[Finding]:
    """All findings, in the order of `CHECKS`."""
    return [check() for check in CHECKS]
