"""The fingerprint of where a run was made: host, kernel, libraries, git."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from firstbyte.engine.cgroups import Groups

COMPARABLE_FIELDS = (
    "machine",
    "cpu",
    "cores",
    "cpu_quota_cores",
    "memory_bytes",
    "kernel",
    "libc",
    "host",
)
"""What must be equal before two runs may be compared."""

_DECIDING = (
    "ARROW_",
    "DUCKDB_",
    "GLIBC_TUNABLES",
    "GOMP_",
    "GOTO_NUM_THREADS",
    "JEMALLOC_",
    "KMP_",
    "LD_",
    "MALLOC_",
    "MIMALLOC_",
    "MKL_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "POLARS_",
    "PYTHON",
    "RAYON_",
    "TCMALLOC_",
    "TOKIO_",
    "_RJEM_",
)
"""Beginnings of the names of variables that change how a worker allocates, what it loads, and how many
threads its libraries have."""
_LOCAL = ("PYTHONPATH", "PYTHONHASHSEED", "PYTHONSTARTUP", "PYTHONUNBUFFERED")
"""Of these, those that decide nothing, or that a worker does not get from its parent."""
_OLD_VARIABLES = "allocator_variables"
"""Where runs kept them before, and only those of allocators."""
_VARIABLES = "variables"


def host(groups: Groups | None = None) -> dict[str, Any]:
    """What of this machine decides the numbers. The host's name is hashed: it is nobody's business."""
    groups = groups or Groups()
    return {
        "host": hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu_quota_cores": groups.cpu_quota_cores(),
        "memory_limit_bytes": groups.memory_limit_bytes(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "transparent_hugepages": _first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
        _VARIABLES: {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_DECIDING) and name not in _LOCAL
        },
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What keeps two hosts from being compared, one line a field: `kernel was 6.1, is 6.18`."""
    return [
        f"{name} was {before.get(name)}, is {after.get(name)}"
        for name in COMPARABLE_FIELDS
        if before.get(name) != after.get(name)
    ]


def variable_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Environment variables that decide the numbers and differ between the hosts of two runs, one line
    each: `LD_PRELOAD was unset, is 'libjemalloc.so'`.
    """
    one, other = (host.get(_VARIABLES, host.get(_OLD_VARIABLES, {})) for host in (before, after))
    return [
        f"{name} was {_quoted(one.get(name))}, is {_quoted(other.get(name))}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def _quoted(value: str | None) -> str:
    return "unset" if value is None else f"'{value}'"


def versions() -> dict[str, str]:
    """Every installed distribution of this interpreter, by name."""
    return dict(sorted((d.name, d.version) for d in metadata.distributions()))


def git(top: Path | None) -> dict[str, str]:
    """Commit and cleanliness of the checkout with that top; empty where there is none.

    A repository around it says nothing about it: it may be an unpacked archive in a project of the user's.
    """
    if top is None:
        return {}
    # A hook of git's runs with variables that would make every folder a part of its repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(top), *words],
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    around = ask("rev-parse", "--show-toplevel")
    commit = ask("rev-parse", "HEAD")
    if commit is None or around is None or Path(around) != top.resolve():
        return {}
    return {"commit": commit, "dirty": "yes" if ask("status", "--porcelain") else "no"}


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown"


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return "not available"
