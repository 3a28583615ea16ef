"""What one scan holds on to, and what it leaves behind when it is not read to its end.

Three questions beside those of `leak_scan`. A slow consumer: does memory rise while the reader
waits for somebody who does not come? An abandoned iterator: what is still there, bytes, threads
and files, once a reader was dropped half-way without being closed? The pin ratio: how many bytes
stay alive for each byte of the batches that are kept, when one batch in eight is kept?
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstbyte.api import ALL, Bench, Metric, Repetitions
from firstbyte.model import Param
from firstbyte.worker.instruments.allocators import Ledgers
from firstbyte.worker.kernel import holdings
from firstbyte.worker.ledgers import RESIDENT, SHARED, counts_live

ORDER = 42
NEEDS_ROWS = True
QUICK_VARIANTS = ALL
INSTRUMENTS = ("proc_memory",)
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("fast_peak_above_base_bytes", "RssAnon gained by a scan whose batches are dropped"),
    Metric("slow_peak_above_base_bytes", "the same where the consumer waits between batches"),
    Metric("slow_consumer_ratio", "the second over the first", headline=True),
    Metric(
        "abandoned_live_bytes", "live bytes that a dropped half-read reader left", headline=True
    ),
    Metric("abandoned_threads", "threads that it left"),
    Metric("abandoned_descriptors", "open files that it left"),
    Metric("pin_ratio", "bytes alive per byte kept, one batch in eight kept", headline=True),
)

PAUSE_SECONDS = 0.005
SLOW_BATCHES = 200
ABANDON_AFTER_BATCHES = 2
KEEP_ONE_IN = 8
COUNTED_SHARE = 0.5


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=3 if profile == "full" else 0, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    fast = values["fast_peak_above_base_bytes"]
    return {"slow_consumer_ratio": values["slow_peak_above_base_bytes"] / max(fast, 1.0)}


def run(bench: Bench) -> None:
    ledgers = Ledgers(bench.backend)
    longest = max(range(len(bench.shards)), key=lambda index: bench.shards[index].rows)
    path = bench.shards[longest].path
    with bench.span():
        values, delivered = _consumers(bench, ledgers, path)
        values |= _abandoned(bench, ledgers, path)
        values |= _pinned(bench, ledgers, path)
    ledgers.close()
    bench.emit(values)
    for rows in delivered:
        bench.check_rows(longest, rows)


def _consumers(
    bench: Bench, ledgers: Ledgers, path: Path
) -> tuple[dict[str, float], tuple[int, int]]:
    """Highest private and shared memory above the base, of a cold scan at full speed and of one with pauses;
    and the rows of both.

    The slow one comes second, so what it has beyond the first is not for want of a warm-up.
    """
    base = _held(ledgers.read())
    found = {}
    delivered = []
    for name, pause in (("fast", 0.0), ("slow", PAUSE_SECONDS)):
        top = base
        rows = 0
        with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
            for number, batch in enumerate(reader):
                rows += reader.rows(batch)
                if number < SLOW_BATCHES:
                    time.sleep(pause)
                top = max(top, _held(ledgers.read()))
        found[f"{name}_peak_above_base_bytes"] = float(top - base)
        delivered.append(rows)
    fast, slow = delivered
    return found, (fast, slow)


def _abandoned(bench: Bench, ledgers: Ledgers, path: Path) -> dict[str, float]:
    """What a reader leaves that was read for two batches and dropped, not closed."""
    before, live = holdings(), _live(ledgers)
    reader: Any = bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows)
    for _ in range(ABANDON_AFTER_BATCHES):
        next(reader, None)
    del reader
    after_live = _live(ledgers)
    after = holdings()
    return {
        "abandoned_live_bytes": float(after_live - live),
        "abandoned_threads": float(after.threads - before.threads),
        "abandoned_descriptors": float(after.descriptors - before.descriptors),
    }


def _pinned(bench: Bench, ledgers: Ledgers, path: Path) -> dict[str, float]:
    """Bytes held per kept batch when one in eight is kept, over the same when all are.

    Nothing is said where no ledger accounts for at least half of what the kernel gave: a ratio of
    bytes that nobody counts would be noise.
    """
    held = {}
    for one_in in (KEEP_ONE_IN, 1):
        kept = []
        resident, start = _held(ledgers.read()), _live(ledgers)
        with bench.backend.open(path, columns=bench.columns, batch_rows=bench.batch_rows) as reader:
            for number, batch in enumerate(reader):
                if number % one_in == 0:
                    kept.append(batch)
                del batch
        del reader
        gained = _live(ledgers) - start
        if gained <= 0 or gained < (_held(ledgers.read()) - resident) * COUNTED_SHARE:
            return {}
        held[one_in] = gained / len(kept)
    return {"pin_ratio": held[KEEP_ONE_IN] / held[1]}


def _live(ledgers: Ledgers) -> float:
    """The largest of the live ledgers after collection, or what the kernel gave where none can be asked."""
    gc.collect()
    readings = ledgers.settle()
    live = [size for name, size in readings.items() if counts_live(name)]
    return float(max(live, default=_held(readings)))


def _held(readings: Mapping[str, int]) -> int:
    """Private and shared memory."""
    return readings[RESIDENT] + readings[SHARED]
