"""The hot in-process paths, called again and again in one process and calibrated by pytest-benchmark.

`reopen_first_batch` opens the shard, takes its first batch and closes it; `next_batch` takes one more
batch out of an open reader, never the first; `first_value` turns the first value of a batch in hand
into a Python object. The page cache is warm. `firstbyte microbench` measures them, and so does a full
run: a call's time is the mean over the calls of one round, and each round is a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from firstbyte.api import ALL, Bench, Reader, ReadsInSpan, Repetitions, Unsupported
from firstbyte.model import Param
from firstbyte.worker import pagecache
from firstbyte.worker.instruments.pytest_benchmark import CALL, rounds_ns

ORDER = 50
READS = ReadsInSpan.OPENING
QUICK_VARIANTS = ALL
INSTRUMENTS = ("pytest_benchmark",)
METRICS = (replace(CALL, headline=True),)

NEXT_BATCH_ROUNDS = 60


class HotPath(Protocol):
    """One hot path."""

    def measure(self) -> list[float]:
        """Nanoseconds a call, round by round."""
        ...

    def check(self) -> None:
        """Send what the measured calls delivered to the parent."""
        ...


class ReopenFirstBatch:
    """Opens the shard, takes its first batch and closes it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._batch: Any = None

    def measure(self) -> list[float]:
        return rounds_ns(lambda benchmark: benchmark(self._step))

    def _step(self) -> None:
        with _open(self._bench) as reader:
            self._batch = next(reader, None)

    def check(self) -> None:
        """The first batch of the last call, with the rest of the shard as another reader has it."""
        if self._batch is None:
            self._bench.check_rows(0, 0)
            return
        with _open(self._bench) as reader:
            next(reader)
            rows = reader.rows(self._batch) + sum(map(reader.rows, reader))
            value = reader.first_value(self._batch, self._bench.text_column)
        self._bench.check_rows(0, rows)
        self._bench.check_first_value(0, value)


class NextBatch:
    """Takes one more batch out of an open reader, never the first."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._reader: Reader | None = None
        self._rows = 0
        self._batch: Any = None

    def measure(self) -> list[float]:
        return rounds_ns(
            lambda benchmark: benchmark.pedantic(
                self.step, setup=self.make_ready, rounds=NEXT_BATCH_ROUNDS
            )
        )

    def make_ready(self) -> None:
        """Have a reader that has given its first batch and should have more to give; not timed."""
        rows = self._bench.shards[0].rows
        self._count()
        if self._reader is not None:
            if self._rows < rows:
                return
            self._check()
        self._reader = _open(self._bench)
        self._batch = next(self._reader, None)
        self._count()
        if self._rows >= rows:
            raise Unsupported(f"the whole shard of {rows} rows is one batch")

    def step(self) -> None:
        """The timed call."""
        assert self._reader is not None
        self._batch = next(self._reader, None)

    def check(self) -> None:
        self._count()
        self._check()

    def _count(self) -> None:
        if self._reader is not None and self._batch is not None:
            self._rows += self._reader.rows(self._batch)
        self._batch = None

    def _check(self) -> None:
        """Rows of the reader's whole pass, which ends here."""
        assert self._reader is not None
        with self._reader as reader:
            self._bench.check_rows(0, self._rows + sum(map(reader.rows, reader)))
        self._reader = None
        self._rows = 0


class FirstValue:
    """Turns the first value of a batch in hand into a Python object."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._value: object = None

    def measure(self) -> list[float]:
        column = self._bench.text_column
        with _open(self._bench) as reader:
            batch = next(reader, None)
            if batch is None:
                self._bench.check_rows(0, 0)
                return []

            def use(benchmark: Any) -> None:
                self._value = benchmark(lambda: reader.first_value(batch, column))

            return rounds_ns(use)

    def check(self) -> None:
        self._bench.check_first_value(0, self._value)


PATHS: Mapping[str, Callable[[Bench], HotPath]] = {
    "reopen_first_batch": ReopenFirstBatch,
    "next_batch": NextBatch,
    "first_value": FirstValue,
}
GRID: Mapping[str, tuple[Param, ...]] = {"path": tuple(PATHS)}


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=int(profile == "full"), per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    if not bench.shards[0].rows:
        raise Unsupported("the first shard has no rows, so there is no first batch")
    pagecache.warm(bench.shards[0].path)
    path = PATHS[str(bench.params["path"])](bench)
    with bench.span():
        rounds = path.measure()
    for call_ns in rounds:
        bench.emit({CALL.name: call_ns})
    path.check()


def _open(bench: Bench) -> Reader:
    return bench.backend.open(
        bench.shards[0].path, columns=bench.columns, batch_rows=bench.batch_rows
    )
