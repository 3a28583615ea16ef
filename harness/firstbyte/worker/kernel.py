"""What the kernel holds for this process besides memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_TASKS = Path("/proc/self/task")
_FILES = Path("/proc/self/fd")
_FLAGS_AFTER_NAME = 6
"""Place of the flags among the fields of /proc/PID/stat that follow the name (proc_pid_stat(5))."""
_PF_EXITING = 0x4


@dataclass(frozen=True, slots=True)
class Holdings:
    """Threads and open files at one moment."""

    threads: int
    descriptors: int


def holdings() -> Holdings:
    """Those of the calling process, now, without threads that are ending."""
    return Holdings(threads=living_threads(), descriptors=sum(1 for _ in _FILES.iterdir()))


def living_threads(name: str = "") -> int:
    """Threads of this process whose name begins so and that are not ending.

    One that has been joined may still be listed for a moment, as the kernel wakes whoever joins before
    it takes the thread off its list: on a busy core, for as long as others have their turn.
    """
    return sum(_lives(task, name) for task in _TASKS.iterdir())


def _lives(task: Path, name: str) -> bool:
    try:
        stat = (task / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # it ended since it was listed
        return False
    before, _, fields = stat.rpartition(") ")
    ending = int(fields.split()[_FLAGS_AFTER_NAME]) & _PF_EXITING
    return not ending and before.partition(" (")[2].startswith(name)
