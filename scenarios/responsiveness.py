"""How long another Python thread's sleep of 0.5 ms really takes while a scan goes on beside it.

First a thread sleeps 1,000 times with nothing else running: what the machine's timer gives. Then it
sleeps again and again while the main thread reads the shards, over and over for two seconds and at
least one whole pass, ten seconds at most. A sleep becomes longer where the reader holds the
interpreter's lock, or where its threads leave no core free: both keep a program from answering.
Places for the sleeps are made beforehand; the sleeping loop only reads the clock and writes one.
The page cache is warm.

What it does not show: which of the two it was, nor anything on a machine whose other work lengthens
idle sleeps as well. A reader that blocks rarely but long shows in the longest sleep, not in the 99th
percentile, which is one over sleeps and not over time.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from firstbyte.api import EXTREMES, Bench, Metric, ReadsInSpan, Repetitions
from firstbyte.model import Param
from firstbyte.worker import pagecache

ORDER = 74
NEEDS_ROWS = True
READS = ReadsInSpan.WHOLE
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("clock",)
GRID: Mapping[str, tuple[Param, ...]] = {}
METRICS = (
    Metric("sleep_p99_ns", "99th percentile of the sleep while a scan goes on", headline=True),
    Metric("sleep_p50_ns", "its median"),
    Metric("sleep_max_ns", "the longest one", headline=True),
    Metric(
        "idle_sleep_p99_ns",
        "99th percentile with nothing else running: the machine's part",
        better="",
        headline=True,
        calibration=True,
    ),
    Metric("idle_sleep_p50_ns", "its median", better="", calibration=True),
    Metric("idle_sleep_max_ns", "the longest one", better="", calibration=True),
    Metric("sleeps_count", "sleeps while the scan went on", better=""),
)

SLEEP_SECONDS = 0.0005
IDLE_SLEEPS = 1000
SCAN_SECONDS = 2.0
"""How long is scanned at least; `scan_s` replaces it."""
LIMIT_SECONDS = 10.0
"""A scan that takes longer is cut off there, between two batches."""


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=3 if profile == "full" else 0, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    for shard in bench.shards:
        pagecache.warm(shard.path)
    for _ in range(bench.repetitions):
        with Sleeper(IDLE_SLEEPS) as idle:
            idle.wait()
        # No sleep is shorter than asked for: there is a place for each that fits into the limit.
        beside = Sleeper(int(LIMIT_SECONDS / SLEEP_SECONDS))
        with bench.span(), beside:
            passes = _scan(bench)
        figures = _percentiles("sleep", beside.took_ns) | _percentiles("idle_sleep", idle.took_ns)
        bench.emit(figures | {"sleeps_count": float(len(beside.took_ns))})
        for index, rows in sorted(passes):
            bench.check_rows(index, rows)


class Sleeper:
    """A thread that sleeps again and again until the `with` block ends or all places are taken."""

    def __init__(self, places: int) -> None:
        self._took_ns = array("q", bytes(8 * places))
        self._noted = 0
        self._ended = False
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._sleep, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._thread.join()

    def wait(self) -> None:
        """Until all places are taken."""
        self._thread.join()

    @property
    def took_ns(self) -> Sequence[int]:
        """How long each sleep took, in order; at least one once the block has ended."""
        return self._took_ns[: self._noted]

    def _sleep(self) -> None:
        took_ns, now_ns, sleep = self._took_ns, time.monotonic_ns, time.sleep
        self._begun.set()
        for place in range(len(took_ns)):
            began_ns = now_ns()
            sleep(SLEEP_SECONDS)
            took_ns[place] = now_ns() - began_ns
            self._noted = place + 1
            if self._ended:  # asked last: the sleep during which the scan ended is one beside it
                break


def _scan(bench: Bench) -> set[tuple[int, int]]:
    """Shards that were read to their end, with the rows that each pass delivered."""
    whole: set[tuple[int, int]] = set()
    began = time.monotonic()
    seconds = float(bench.params.get("scan_s", SCAN_SECONDS))
    while True:
        for index, shard in enumerate(bench.shards):
            rows = 0
            with bench.backend.open(
                shard.path, columns=bench.columns, batch_rows=bench.batch_rows
            ) as reader:
                for batch in reader:
                    rows += reader.rows(batch)
                    if time.monotonic() - began > LIMIT_SECONDS:
                        return whole
            whole.add((index, rows))
        if time.monotonic() - began >= seconds:
            return whole


def _percentiles(name: str, took_ns: Sequence[int]) -> dict[str, float]:
    ordered = sorted(took_ns)
    return {
        f"{name}_p50_ns": float(ordered[(len(ordered) - 1) // 2]),
        f"{name}_p99_ns": float(ordered[-(-99 * len(ordered) // 100) - 1]),
        f"{name}_max_ns": float(ordered[-1]),
    }
