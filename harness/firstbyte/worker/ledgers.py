"""What a process's memory is counted by, and how those counts are named.

A ledger is one account of memory: what the kernel says of the whole process (RESIDENT), or what one
allocator says is live (`<allocator>_live_bytes`). Beside them stand counts of what else a process can
leave behind. Workers write these names and the parent reads them, so they are spelled here and nowhere
else. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

_LIVE = "_live_bytes"
_PEAK = "_peak_bytes"

RESIDENT = "rss_anon_bytes"
"""Private memory (RssAnon)."""
SHARED = "rss_shmem_bytes"
"""Shared memory that is mapped (RssShmem): memfd, /dev/shm, shared anonymous mappings."""
SHARED_FILES = "shared_files_bytes"
"""Files that live in memory, mapped or not: in /dev/shm, and memfds that are open."""
CHILDREN = "children_rss_bytes"
"""RssAnon and RssShmem of all processes that the process has started."""
KERNELS = (RESIDENT, SHARED, SHARED_FILES, CHILDREN)
"""Kept by the kernel, which counts pages. What is in one may be in another as well: never add them up."""

THREADS = "threads_count"
DESCRIPTORS = "descriptors_count"
PROCESSES = "children_count"
"""Processes that the process has started and that live, or that nobody has waited for."""
COUNTS = (THREADS, DESCRIPTORS, PROCESSES)

GLIBC = f"glibc{_LIVE}"
PEAKS = "allocator_peak_bytes"
"""Figure: the peaks of all of a backend's allocators together."""


def live_ledger(allocator: str) -> str:
    """The ledger of what an allocator says is live: `arrow_pool_live_bytes` of `arrow pool`."""
    return f"{_word(allocator)}{_LIVE}"


def peak_of(allocator: str) -> str:
    """Figure: the peak that an allocator keeps of itself, `arrow_pool_peak_bytes`."""
    return f"{_word(allocator)}{_PEAK}"


def is_ledger(name: str) -> bool:
    return name in KERNELS or counts_live(name)


def counts_live(ledger: str) -> bool:
    """Whether an allocator keeps it: its readings are exact, those of the kernel wander."""
    return ledger.endswith(_LIVE)


def allocator_of(ledger: str) -> str:
    """The allocator that keeps a ledger of live bytes, as `live_ledger` names it."""
    return ledger.removesuffix(_LIVE)


class Moment(StrEnum):
    """When all ledgers were read at once."""

    BASE = "base"
    """Before the scenario did anything."""
    DROPPED = "dropped"
    """Once everything was dropped and collected."""
    TRIMMED = "trimmed"
    """After the allocators were trimmed."""
    HELD = "held"
    """What was gained while batches were held."""

    def figure(self, ledger: str) -> str:
        """Name of the reading of one ledger: `dropped_rss_anon_bytes`."""
        return f"{self}_{ledger}"

    def figures(self, readings: Mapping[str, float]) -> dict[str, float]:
        """These readings by ledger as a sample's values."""
        return {self.figure(ledger): float(size) for ledger, size in readings.items()}

    def readings(self, values: Mapping[str, float]) -> dict[str, float]:
        """The inverse: readings by ledger, in bytes; a sample's other values are left out."""
        prefix = self.figure("")
        return {
            ledger: size
            for name, size in values.items()
            if name.startswith(prefix) and is_ledger(ledger := name.removeprefix(prefix))
        }


FREE = f"{Moment.TRIMMED}_free_bytes"
"""Figure: what malloc's heaps hold free after the trim."""


def _word(allocator: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", allocator.lower())
