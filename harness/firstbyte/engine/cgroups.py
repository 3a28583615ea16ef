"""What control groups leave a process: CPU quotas, memory limits, kills (cgroups(7), versions 1 and 2).

A group is limited by all that it lies in, so every group from the process's own up to the mount point
is read, and the tightest counts. Where nothing limits, or nothing can be read, the answer is None.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = "max"
_NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes "no limit" as the largest number of whole pages."""
_UNIFIED = "cgroup2"


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a process, its own first; `root` holds proc/ and the mount points."""

    root: Path = Path("/")

    def cpu_quota_cores(self) -> float | None:
        """How many cores' worth of time the tightest group gives."""
        quotas = [*self._quotas_1(), *self._quotas_2()]
        return min(quotas, default=None)

    def memory_limit_bytes(self) -> int | None:
        """The lowest memory limit."""
        return min((limit for limit, _ in self._memory()), default=None)

    def memory_left_bytes(self) -> int | None:
        """What the tightest group still gives: file pages that can be dropped do not count as used."""
        return min((max(0, limit - used) for limit, used in self._memory()), default=None)

    def oom_kills(self) -> int:
        """Processes of the process's own group that the kernel has killed for want of memory."""
        own = [
            _keyed(folder / name).get("oom_kill", 0)
            for kind, name in (("memory", "memory.oom_control"), (_UNIFIED, "memory.events"))
            for folder in list(self._folders(kind))[:1]
        ]
        return sum(own)

    def _quotas_1(self) -> Iterator[float]:
        for folder in self._folders("cpu"):
            quota = _number(folder / "cpu.cfs_quota_us")
            period = _number(folder / "cpu.cfs_period_us")
            if quota is not None and period and quota > 0:
                yield quota / period

    def _quotas_2(self) -> Iterator[float]:
        for folder in self._folders(_UNIFIED):
            quota, _, period = _text(folder / "cpu.max").partition(" ")
            if quota not in ("", _UNLIMITED):
                yield int(quota) / int(period)

    def _memory(self) -> Iterator[tuple[int, int]]:
        """Limit and use of every group that has a limit."""
        for kind, limit_name, used_name, prefix in (
            ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
            (_UNIFIED, "memory.max", "memory.current", ""),
        ):
            for folder in self._folders(kind):
                limit = _number(folder / limit_name)
                if limit is None or limit >= _NO_LIMIT_BYTES:
                    continue
                stat = _keyed(folder / "memory.stat")
                files = sum(stat.get(f"{prefix}{name}_file", 0) for name in ("active", "inactive"))
                yield limit, max(0, (_number(folder / used_name) or 0) - files)

    def _folders(self, kind: str) -> Iterator[Path]:
        """The folders of the process's group and of those around it; `kind` is a controller or `cgroup2`."""
        found = self._mount(kind)
        group = self._group(kind)
        if found is None or group is None:
            return
        mounted, top = found
        # A group outside what is mounted, as a namespace shows it: the mount point is all that is seen.
        inside = group.relative_to(mounted) if group.is_relative_to(mounted) else Path()
        folder = top / inside
        yield folder
        while folder != top:
            folder = folder.parent
            yield folder

    def _mount(self, kind: str) -> tuple[Path, Path] | None:
        """Which group is mounted, and where (proc_pid_mountinfo(5))."""
        for line in _text(self.root / "proc/self/mountinfo").splitlines():
            before, _, after = line.partition(" - ")
            fields, (file_system, _, options) = before.split(), after.split(" ", 2)
            unified = file_system == _UNIFIED == kind
            if unified or (file_system == "cgroup" and kind in options.split(",")):
                return Path(fields[3]), self.root / fields[4].lstrip("/")
        return None

    def _group(self, kind: str) -> Path | None:
        """The process's group in that hierarchy."""
        for line in _text(self.root / "proc/self/cgroup").splitlines():
            number, controllers, group = line.split(":", 2)
            if (
                (number == "0" and not controllers)
                if kind == _UNIFIED
                else kind in controllers.split(",")
            ):
                return Path(group)
        return None


def effective_cores(groups: Groups | None = None) -> float:
    """The cores that this process may use at once: by affinity, and by the quota of its groups."""
    quota = (groups or Groups()).cpu_quota_cores()
    affinity = len(os.sched_getaffinity(0))
    return affinity if quota is None else min(affinity, quota)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return None if text in ("", _UNLIMITED) else int(text)


def _keyed(path: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number on each line."""
    lines = (line.split() for line in _text(path).splitlines())
    return {name: int(number) for name, number in lines}
