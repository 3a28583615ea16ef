"""Holds on to batches, twice the same, and asks every ledger what that took.

The first round says what it costs: RssAnon gains it, and somebody holds it. The second round is
the same work once the first was dropped, and is what the ledgers are judged by: a ledger that
sees this backend's allocations accounts for as much again, while one that only sees an
allocator's arenas being mapped sees little, as the arenas are there already. Some batches are
held all the time, to fill what the heap had free. Without `visibility` in a run its heap figures
are not certified.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from firstbyte.api import EXTREMES, Account, Bench, Metric, Reader, Repetitions
from firstbyte.model import Param
from firstbyte.worker.instruments.allocators import Ledgers
from firstbyte.worker.ledgers import RESIDENT, Moment, counts_live

ORDER = 60
NEEDS_ROWS = True
QUICK_VARIANTS = EXTREMES
CERTIFIES = "heap"
INSTRUMENTS = (CERTIFIES,)
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric(
        "taken_rss_anon_bytes", "RssAnon gained while batches were held", better="", headline=True
    ),
    Metric("leaked_heap_bytes", "what memray saw of it", better="", headline=True),
    Metric("held_glibc_live_bytes", "what glibc's statistics saw of it", better=""),
)

FILL_BYTES = 16 << 20
HOLD_BYTES = 80 << 20
LIMIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Held:
    """A reader among the batches that it delivered."""

    reader: Reader


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=1, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def account(values: Mapping[str, float]) -> Account:
    """What RssAnon gained in the first round, and what memray and the allocators saw of the second."""
    held = Moment.HELD.readings(values)
    return Account(values["taken_rss_anon_bytes"], {**held, CERTIFIES: values["leaked_heap_bytes"]})


def run(bench: Bench) -> None:
    ledgers = Ledgers(bench.backend)
    filling: list[Any] = []
    _hold(bench, ledgers, filling, FILL_BYTES)
    start = _settled(ledgers)
    first: list[Any] = []
    count = _hold(bench, ledgers, first, HOLD_BYTES)
    taken = _settled(ledgers)[RESIDENT] - start[RESIDENT]
    _release(first)
    before = _settled(ledgers)
    second: list[Any] = []
    with bench.span():
        _hold(bench, ledgers, second, None, count)
        after = _settled(ledgers)
    gained = {name: float(after[name] - before[name]) for name in after if counts_live(name)}
    values = Moment.HELD.figures(gained)
    bench.emit({**values, "taken_rss_anon_bytes": float(taken), "held_batches_count": float(count)})
    ledgers.close()
    _release(second)
    _release(filling)


def _release(kept: list[Any]) -> None:
    """Drop what was held, and close what was open for it."""
    while kept:
        one = kept.pop()
        if isinstance(one, Held):
            one.reader.close()


def _settled(ledgers: Ledgers) -> dict[str, int]:
    gc.collect()
    return ledgers.settle()


def _batches(bench: Bench, kept: list[Any]) -> Generator[Any, None, None]:
    """Batches of all shards over and over; readers are kept as well as what they delivered."""
    while True:
        for shard in bench.shards:
            reader = bench.backend.open(
                shard.path, columns=bench.columns, batch_rows=bench.batch_rows
            )
            kept.append(Held(reader))
            # Not `yield from`: a generator that is given up would close the reader, which is to be held.
            for batch in reader:  # noqa: UP028
                yield batch


def _hold(
    bench: Bench, ledgers: Ledgers, kept: list[Any], grow_bytes: int | None, count: int = 0
) -> int:
    """Keep batches until RssAnon has grown by `grow_bytes`, or `count` of them. Returns how many.

    Growth counts once it has settled: what a reader takes for a moment is not held. A backend whose
    memory does not grow ends after LIMIT_SECONDS.
    """
    start = ledgers.resident_bytes()
    deadline = time.monotonic() + LIMIT_SECONDS
    held = 0
    for batch in _batches(bench, kept):
        kept.append(batch)
        held += 1
        if grow_bytes is None:
            enough = held >= count
        else:
            goal = start + grow_bytes
            enough = ledgers.resident_bytes() >= goal and ledgers.settle()[RESIDENT] >= goal
        if enough or time.monotonic() > deadline:
            break
    return held
