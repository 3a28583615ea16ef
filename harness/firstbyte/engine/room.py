"""Room for a run: what the groups that it runs in leave to the parent and to each worker.

The parent must outlive its workers, as what it has not written yet is lost with it. It keeps a reserve
for itself, gives workers no more than the rest, and does not begin where that is too little.
"""

from __future__ import annotations

from dataclasses import replace

from firstbyte.engine.cgroups import Groups
from firstbyte.errors import HarnessError
from firstbyte.model import Limits

PARENT_RESERVE_BYTES = 200_000_000
"""For the parent beyond what it holds when it begins: records, tables and a report with drawings."""
WORKER_LEAST_BYTES = 100_000_000
"""An interpreter with a reader's library, and something to read with it."""


def worker_bytes(groups: Groups) -> int | None:
    """What a worker may take now; None where no group has a limit."""
    left = groups.memory_left_bytes()
    return None if left is None else max(0, left - PARENT_RESERVE_BYTES)


def within(asked: Limits, groups: Groups) -> Limits:
    """The limits, with no more memory than a worker may take now."""
    room = worker_bytes(groups)
    return asked if room is None else replace(asked, memory_bytes=min(asked.memory_bytes, room))


def fit(asked: Limits, groups: Groups) -> tuple[Limits, str]:
    """The limits of the workers, and a note where they are not those that were asked for.

    Raises HarnessError where the groups leave too little for a run.
    """
    limits = within(asked, groups)
    room = limits.memory_bytes
    if room == asked.memory_bytes:
        return asked, ""
    left = f"the control group leaves {(groups.memory_left_bytes() or 0) / 1e6:,.0f} MB of memory"
    if room < WORKER_LEAST_BYTES:
        least = PARENT_RESERVE_BYTES + WORKER_LEAST_BYTES
        raise HarnessError(
            f"{left}, and a run takes at least {least / 1e6:,.0f} MB "
            f"({PARENT_RESERVE_BYTES / 1e6:,.0f} MB for itself, {WORKER_LEAST_BYTES / 1e6:,.0f} MB for "
            "a worker): raise its limit, or run outside of it"
        )
    note = (
        f"workers may take {room / 1e6:,.0f} MB and not {asked.memory_bytes / 1e6:,.0f} MB: {left}, "
        f"of which {PARENT_RESERVE_BYTES / 1e6:,.0f} MB are kept for the parent"
    )
    return limits, note
