"""How many scans it takes to see a leak of a given size, from the noise of a short pilot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from firstbyte.errors import HarnessError
from firstbyte.leaks.slopes import (
    KERNEL_FLOOR_BYTES,
    LIVE_FLOOR_BYTES,
    NOISE_FACTOR,
    SeriesFinding,
)
from firstbyte.leaks.suspicion import LONGER
from firstbyte.worker.ledgers import RESIDENT

DEFAULT_SCANS = 120
PILOT_SCANS = 100
DEFAULT_SECONDS = 25.0
MAX_SECONDS = 600.0
"""Longest that one process may scan for the sake of `--detect`."""
THRESHOLD_SHARE = 0.6
"""The threshold stands at this share of what must be found, so that noise cannot hide it."""
TAIL = 2 / 3
"""Share of the scans that the rules look at."""
MARGIN = 1.5
"""A longer series wanders further than its pilot."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look: scans in the first process, and the least slope that counts."""

    scans: int = DEFAULT_SCANS
    live_floor_bytes: float | None = None
    budget_seconds: float = DEFAULT_SECONDS
    note: str = ""
    """What the chosen effort can show and what it cannot."""


def effort_for(
    detect_bytes: float, pilot: Mapping[str, SeriesFinding], scan_seconds: float
) -> Effort:
    """The effort that shows leaks of `detect_bytes` per scan, as far as MAX_SECONDS go.

    Thresholds fall with the range of the noise over the scans. Live ledgers come first, as they
    show a leak in any allocator that can be asked; RssAnon, which shows all others, is given its
    scans where they can be afforded, and the note says where not. Raises HarnessError for less
    than one byte, and where even the live ledgers would take too long.
    """
    if detect_bytes < 1:
        raise HarnessError("--detect takes a size of at least 1B per scan")
    threshold = THRESHOLD_SHARE * detect_bytes
    affordable = int(MAX_SECONDS / scan_seconds)
    live = max(
        (_scans(one.noise_bytes, threshold) for name, one in pilot.items() if name != RESIDENT),
        default=DEFAULT_SCANS,
    )
    resident = _scans(pilot[RESIDENT].noise_bytes, threshold)
    if live > affordable:
        raise HarnessError(
            f"leaks of {detect_bytes:,.0f} B per scan would take {live:,} scans of "
            f"{scan_seconds * 1e3:,.0f} ms; at most {MAX_SECONDS:,.0f} s are allowed: ask for a "
            "larger size"
        )
    scans, note = live, "where an allocator can be asked"
    if threshold < KERNEL_FLOOR_BYTES:
        note += f"; elsewhere {KERNEL_FLOOR_BYTES:,.0f} B is the least that RssAnon can show"
    elif resident > affordable:
        note += f"; elsewhere it would take {resident:,} scans, which are not done"
    else:
        scans, note = max(live, resident), "in any allocator"
    return Effort(
        scans=scans,
        live_floor_bytes=min(LIVE_FLOOR_BYTES, threshold),
        budget_seconds=max(DEFAULT_SECONDS, 2 * scans * scan_seconds),
        note=f"{detect_bytes:,.0f} B per scan {note}",
    )


def cost_seconds(effort: Effort, scan_seconds: float) -> tuple[float, float]:
    """Seconds of scanning for a clean backend, and for a suspicion that is followed to its end."""
    once = effort.scans * scan_seconds
    return once, (3 + LONGER) * once


def _scans(noise_bytes: float, threshold_bytes: float) -> int:
    tail = MARGIN * NOISE_FACTOR * noise_bytes / threshold_bytes
    return max(DEFAULT_SCANS, math.ceil(tail / TAIL))
