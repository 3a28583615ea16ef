"""The processes that a process has started, whoever their parent is by now.

Found by their parent, by the session that they were born into (a helper whose own parent has ended
belongs to init, but is still in the session), or by the mark in the environment that the worker was started
with, which a helper inherits that has left both. The kernel lists no children where it was built without
CONFIG_PROC_CHILDREN, so /proc is walked; only processes that were not there before are looked at.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from dataclasses import dataclass

MARK = "FIRSTBYTE_WORKER"
"""Environment variable that tells a worker and what it starts from all other processes."""
_MARK = f"{MARK}=".encode()
_STAT_BYTES = 1024
_LAST_PID_BYTES = 128
_PF_FORKNOEXEC = 0x40
"""Forked and has not become another program yet (include/linux/sched.h)."""
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""What the kernel counts CPU time in, in /proc/PID/stat."""
_CPU_CLOCK_OF_PROCESS = 2
"""CPUCLOCK_SCHED, the low bits of a process's CPU-time clock (clock_getcpuclockid(3))."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Whose a process is (proc_pid_stat(5))."""

    parent: int
    session: int
    forked: bool
    """Whether it is still the program that its parent is."""
    reaped_cpu_ns: int
    """CPU time of the children that it has waited for."""


def kin_of(pid: int) -> Kin | None:
    """Whose that process is; None once it has gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.pread(descriptor, _STAT_BYTES, 0)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    fields = text[text.rindex(b")") + 2 :].split()  # from the third on: a name may hold spaces
    ticks = int(fields[13]) + int(fields[14])
    return Kin(
        parent=int(fields[1]),
        session=int(fields[3]),
        forked=bool(int(fields[6]) & _PF_FORKNOEXEC),
        reaped_cpu_ns=ticks * NS_PER_TICK,
    )


def mark_of(pid: int) -> bytes:
    """The process's mark; empty where it has none, is somebody else's or has gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except OSError:
        return b""
    try:
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            entries = file.readall().split(b"\0")
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return next((entry for entry in entries if entry.startswith(_MARK)), b"")


class Family:
    """Some processes and all that they start, as they come."""

    def __init__(self, roots: Collection[int], session: int | None = None) -> None:
        """`session`: all of its processes belong to the family as well, and all with its leader's mark."""
        self._session = session
        self._mark = b"" if session is None else mark_of(session)
        self._members = set(roots)
        self._strangers: set[int] = set()

    def newcomers(self) -> list[int]:
        """Members that were not there when this was asked last; the roots are none."""
        with os.scandir("/proc") as entries:
            listed = {int(entry.name) for entry in entries if entry.name.isdecimal()}
        self._strangers &= listed  # one that has gone may come again as another process
        self._members &= listed
        unknown = {
            pid: kin
            for pid in listed - self._strangers - self._members
            if (kin := kin_of(pid)) is not None
        }
        found: list[int] = []
        marked = {pid for pid in unknown if self._mark and mark_of(pid) == self._mark}
        while born := [pid for pid, kin in unknown.items() if pid in marked or self._owns(kin)]:
            found += born
            self._members.update(born)
            for pid in born:
                del unknown[pid]
        self._strangers.update(unknown)
        return found

    def _owns(self, kin: Kin) -> bool:
        return kin.parent in self._members or kin.session == self._session


class Births:
    """Whether any process or thread was born on this machine since it was asked last."""

    def __init__(self) -> None:
        self._loadavg = os.open("/proc/loadavg", os.O_RDONLY)
        self._last = b""

    def any(self) -> bool:
        """True the first time, and after `forget`."""
        last = os.pread(self._loadavg, _LAST_PID_BYTES, 0).rpartition(b" ")[2]
        changed, self._last = last != self._last, last
        return changed

    def forget(self) -> None:
        """Ask as if for the first time."""
        self._last = b""

    def close(self) -> None:
        """Idempotent."""
        if self._loadavg >= 0:
            os.close(self._loadavg)
        self._loadavg = -1


def living_cpu_ns(pid: int) -> int:
    """CPU time of all that this process has started and that lives, with what they waited for."""
    return sum(_whole_cpu_ns(member) for member in Family([pid]).newcomers())


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of that process. Raises OSError once it has gone."""
    return time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK_OF_PROCESS)


def _whole_cpu_ns(pid: int) -> int:
    spent = 0
    with contextlib.suppress(OSError):  # it has ended
        spent = cpu_ns(pid)
    kin = kin_of(pid)
    return spent + (kin.reaped_cpu_ns if kin else 0)
