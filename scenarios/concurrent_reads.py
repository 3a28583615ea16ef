"""1, 2, 4 and 8 readers at once, each over a shard of its own, as threads or as processes.

Readers are created and their processes have imported the library before a barrier starts them
together. With more readers than shards, shards are taken again from the first. Wall time runs from
the barrier to the end of the last reader; the wait for a batch is that of every single `next`.
Processes are compared by the sum of their private and shared memory, in which a page that several of
them have counts once; pages of files are not counted. Allocators are asked where readers are threads.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from firstbyte.api import EXTREMES, Backend, Bench, Metric, Purpose, ReadsInSpan, Repetitions, Shard
from firstbyte.model import Param
from firstbyte.worker import pagecache
from firstbyte.worker.elsewhere import answer, telling_errors
from firstbyte.worker.instruments.allocators import AFTERMATH, Ledgers, aftermath
from firstbyte.worker.instruments.proc_memory import BASE_ANON, BASE_SHMEM, PEAK_ABOVE_BASE
from firstbyte.worker.settling import settle
from firstbyte.worker.status import Resident, own_status
from firstbyte.worker.verify import shard_digests

PURPOSE = Purpose.SIDE_BY_SIDE
ORDER = 30
READS = ReadsInSpan.WHOLE
QUICK_VARIANTS = EXTREMES
INSTRUMENTS = ("clock", "proc_memory")
GRID: Mapping[str, tuple[Param, ...]] = {"mode": ("threads", "processes"), "readers": (1, 2, 4, 8)}
METRICS = (
    Metric("rows_per_s", "rows of all readers per second", better="higher", headline=True),
    Metric(
        "efficiency_ratio",
        "rows per second, over those of one reader times the readers",
        better="higher",
        scaling=("rows_per_s", "readers"),
    ),
    Metric("wait_p50_ns", "median wait for a batch, over all readers"),
    Metric("wait_p99_ns", "99th percentile of the wait for a batch, over all readers"),
    Metric(
        "memory_per_reader_bytes",
        "peak memory above the base, by number of readers",
        headline=True,
    ),
    *AFTERMATH,
)
_START_TIMEOUT_SECONDS = 60.0


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({str(params["mode"])})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    if profile == "full":
        return Repetitions(processes=3, per_process=1)
    # Processes take long to start, and memory grows by the reader: there the ends tell enough.
    quick: dict[tuple[Param, str], tuple[Param, ...]] = {
        ("threads", "clock"): (1, 8),
        ("threads", "proc_memory"): (8,),
        ("processes", "clock"): (4,),
    }
    chosen = quick.get((params["mode"], instrument), ())
    return Repetitions(processes=int(params["readers"] in chosen), per_process=1)


@dataclass
class Pass:
    """What one reader did: rows delivered, when it ended, how long it waited for each batch."""

    rows: int = 0
    ended_ns: int = 0
    waits_ns: array[int] = field(default_factory=lambda: array("q"))


Task = Callable[[Backend, Shard, int], Any]


def run(bench: Bench) -> None:
    readers = int(bench.params["readers"])
    shards = [index % len(bench.shards) for index in range(readers)]
    for index in set(shards):
        pagecache.warm(bench.shards[index].path)
    crew: type[_Crew] = _Threads if bench.params["mode"] == "threads" else _Processes
    # Readers that are processes have allocators of their own, which end with them.
    inside = bench.instrument != "clock" and bench.params["mode"] == "threads"
    ledgers = Ledgers(bench.backend) if inside else None
    for number in range(bench.repetitions):
        with crew(bench, shards) as timed:
            if ledgers:
                ledgers.reset_peaks()
            with bench.span():
                began_ns = time.monotonic_ns()
                passes: list[Pass] = timed.go(_read)
            left = {**ledgers.peaks(), **aftermath(ledgers).values()} if ledgers else {}
            bench.emit(_figures(bench, timed, passes, began_ns) | left)
            for shard, done in zip(shards, passes, strict=True):
                bench.check_rows(shard, done.rows)
            if bench.final_process and number == bench.repetitions - 1:
                _verify(bench, shards, timed)
    if ledgers:
        ledgers.close()


def _verify(bench: Bench, shards: list[int], crew: _Crew) -> None:
    """By the same readers side by side again: a backend may be right alone and wrong in company."""
    for shard, digests in zip(shards, crew.go(shard_digests), strict=True):
        bench.check_digests(shard, digests)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    if PEAK_ABOVE_BASE.name not in values:
        return {}
    return {"memory_per_reader_bytes": values[PEAK_ABOVE_BASE.name] / int(params["readers"])}


def _figures(bench: Bench, crew: _Crew, passes: list[Pass], began_ns: int) -> dict[str, float]:
    if bench.instrument != "clock":
        return {"readers_count": len(passes), **crew.base}
    wall_ns = max(done.ended_ns for done in passes) - began_ns
    figures: dict[str, float] = {"wall_ns": wall_ns}
    if wall_ns > 0:  # a clock may stand still
        figures["rows_per_s"] = sum(done.rows for done in passes) / wall_ns * 1e9
    if waits_ns := sorted(wait for done in passes for wait in done.waits_ns):
        figures["wait_p50_ns"] = waits_ns[(len(waits_ns) - 1) // 2]
        figures["wait_p99_ns"] = waits_ns[-(-99 * len(waits_ns) // 100) - 1]
    return figures


def _read(backend: Backend, shard: Shard, batch_rows: int) -> Pass:
    """One whole pass over a shard with the wait for each batch."""
    done = Pass()
    with backend.open(shard.path, batch_rows=batch_rows) as reader:
        while True:
            asked_ns = time.monotonic_ns()
            batch = next(reader, None)
            if batch is None:
                break
            done.waits_ns.append(time.monotonic_ns() - asked_ns)
            done.rows += reader.rows(batch)
    done.ended_ns = time.monotonic_ns()
    return done


class _Crew(Protocol):
    """Readers that stand ready, one for each entry of `shards`, until the `with` block ends.

    A task is a module's function of a backend, a shard and the rows of a batch; `go` lets all of them
    do it at once and gives what each returned.
    """

    base: dict[str, float]
    """Memory of the readers before they read, where they are not this process."""

    def __init__(self, bench: Bench, shards: list[int]) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def go(self, task: Task) -> list[Any]: ...


class _Threads:
    """Readers as threads of this process, waiting at a barrier; they end with their task."""

    def __init__(self, bench: Bench, shards: list[int]) -> None:
        self.base: dict[str, float] = {}
        self._bench = bench
        self._shards = [bench.shards[shard] for shard in shards]
        self._task: Task | None = None
        self._results: list[Any] = [None] * len(shards)
        self._errors: list[BaseException] = []
        self._barrier = threading.Barrier(len(shards) + 1)
        self._threads = self._started()

    def _started(self) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self._one, args=(slot, shard), daemon=True)
            for slot, shard in enumerate(self._shards)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _one(self, slot: int, shard: Shard) -> None:
        self._barrier.wait()
        if self._task is None:
            return
        try:
            self._results[slot] = self._task(self._bench.backend, shard, self._bench.batch_rows)
        except BaseException as error:  # handed to the caller, who raises it
            self._errors.append(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._threads:  # they were given no task
            self._task = None
            self._end()

    def _end(self) -> None:
        self._barrier.wait(_START_TIMEOUT_SECONDS)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def go(self, task: Task) -> list[Any]:
        self._task = task
        self._threads = self._threads or self._started()
        self._end()
        if self._errors:
            raise self._errors[0]
        return self._results


class _Processes:
    """Readers as spawned processes that have imported the library, each waiting for a word."""

    def __init__(self, bench: Bench, shards: list[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for shard in shards:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_reader_process,
                args=(theirs, bench.create_backend, bench.shards[shard], bench.batch_rows),
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        ready: list[Resident] = self._answers("ready")
        self.base = {
            BASE_ANON.name: float(sum(one.anon for one in ready)),
            BASE_SHMEM.name: float(sum(one.shmem for one in ready)),
        }
        bench.observe([process.pid for process in self._processes if process.pid])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def go(self, task: Task) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(task)
        return self._answers("result")

    def _answers(self, kind: str) -> list[Any]:
        return [
            answer(pipe, process, kind)
            for pipe, process in zip(self._pipes, self._processes, strict=True)
        ]


def _reader_process(
    pipe: Any, create_backend: Callable[[], Backend], shard: Shard, batch_rows: int
) -> None:
    def work() -> None:
        backend = create_backend()
        settle()
        pipe.send(("ready", own_status()))
        while (task := _task(pipe)) is not None:
            pipe.send(("result", task(backend, shard, batch_rows)))

    telling_errors(pipe, work)


def _task(pipe: Any) -> Task | None:
    """What to do next; None where the other end was closed, and nothing more will come."""
    try:
        task: Task = pipe.recv()
    except EOFError:
        return None
    return task
