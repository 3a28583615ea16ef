"""What the kernel holds for this process besides memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holdings:
    """Threads and open files at one moment."""

    threads: int
    descriptors: int


def holdings() -> Holdings:
    """Those of the calling process, now."""
    return Holdings(
        threads=sum(1 for _ in Path("/proc/self/task").iterdir()),
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
    )
