"""Made-up series of resident memory, as readers were seen to make them, and investigations over them.

A history is what a reader's memory does beside a leak, in bytes by use; nothing in it is a leak.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import accumulate

from firstbyte.leaks.rules import LeakVerdict, verdict
from firstbyte.leaks.suspicion import LONGER, LONGEST, Wants
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import GLIBC, RESIDENT, Moment

BASE = 80_000_000.0
SCANS = 120
MB = 1_000_000.0
History = Callable[[random.Random, int], list[float]]


def still(source: random.Random, uses: int) -> list[float]:
    return [0.0] * uses


def given_back_once(source: random.Random, uses: int) -> list[float]:
    """An allocator gives back 6 to 11 MB at one moment, which is seldom the first third."""
    moment, size = source.uniform(0.1, 0.95) * uses, source.uniform(6, 11) * MB
    return [0.0 if use < moment else -size for use in range(uses)]


def taken_once(source: random.Random, uses: int) -> list[float]:
    return [-level for level in given_back_once(source, uses)]


def given_back_twice(source: random.Random, uses: int) -> list[float]:
    both = zip(given_back_once(source, uses), given_back_once(source, uses), strict=True)
    return [first + second for first, second in both]


def noisy(source: random.Random, uses: int) -> list[float]:
    """White noise of other work."""
    size = source.uniform(0.02, 2) * MB
    return [source.uniform(0, size) for _ in range(uses)]


def wandering(source: random.Random, uses: int) -> list[float]:
    """A random walk that is pulled back."""
    steps = (source.gauss(0, 0.5 * MB) for _ in range(uses))
    return list(accumulate(steps, lambda level, step: 0.8 * level + step))


def saw(source: random.Random, uses: int) -> list[float]:
    """A pool that fills and is purged again and again."""
    period, rate = source.randint(8, 200), source.uniform(0.004, 0.2) * MB
    phase = source.randrange(period)
    return [rate * ((use + phase) % period) for use in range(uses)]


def switching(source: random.Random, uses: int) -> list[float]:
    """A level that is there or not, for some uses each."""
    size, stay = source.uniform(1, 8) * MB, source.uniform(0.5, 0.95)
    up, levels = False, []
    for _ in range(uses):
        up = up if source.random() < stay else not up
        levels.append(size * up)
    return levels


def spiky(source: random.Random, uses: int) -> list[float]:
    size = source.uniform(2, 12) * MB
    return [size * (source.random() < 0.05) for _ in range(uses)]


def warming(source: random.Random, uses: int) -> list[float]:
    """Pools and arenas fill up, ever more slowly."""
    size, pace = source.uniform(0.5, 20) * MB, source.uniform(3, 25)
    return [size * (1 - 0.5 ** (use / pace)) for use in range(uses)]


HISTORIES: Mapping[str, History] = {
    history.__name__: history
    for history in (
        still,
        given_back_once,
        taken_once,
        given_back_twice,
        noisy,
        wandering,
        saw,
        switching,
        spiky,
        warming,
    )
}


def observed(history: History, source: random.Random, uses: int, leak_bytes: float) -> LeakSeries:
    """One process; pages are of 4 KiB, as the kernel counts them."""
    levels = history(source, uses)
    resident = [
        4096 * round((BASE + level + leak_bytes * use) / 4096) for use, level in enumerate(levels)
    ]
    at_rest = {GLIBC: BASE, RESIDENT: BASE}
    return LeakSeries(
        repeated={RESIDENT: resident, GLIBC: [BASE] * uses},
        moments=dict.fromkeys((Moment.BASE, Moment.DROPPED, Moment.TRIMMED), at_rest),
        quiet=True,
    )


def investigated(history: History, seed: str, leak_bytes: float = 0.0) -> LeakVerdict:
    """The verdict on a reader of such a history, followed up as an investigation does."""
    source = random.Random(seed)
    short = [observed(history, source, SCANS, leak_bytes)]
    while (found := verdict(short)).wants is Wants.PROCESSES:
        short.append(observed(history, source, SCANS, leak_bytes))
    longer: list[LeakSeries] = []
    for times, wanted in ((LONGER, Wants.LONGER), (LONGEST, Wants.LONGEST)):
        if found.wants is wanted:
            longer.append(observed(history, source, times * SCANS, leak_bytes))
            found = verdict(short, longer)
    return verdict(short, longer, exhausted=True) if found.wants else found
