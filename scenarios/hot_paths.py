"""The hot in-process paths, called again and again in one process and calibrated by pytest-benchmark.

`reopen_first_batch` opens the shard, takes its first batch and closes it; `next_batch` takes one more
batch out of an open reader, never the first; `first_value` turns the first value of a batch in hand
into a Python object. The page cache is warm. `nox -s microbench` measures them: a call's time is the
mean over the calls of one round, and each round is a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firstbyte.api import ALL, Backend, Bench, Metric, Reader, Repetitions, Shard, Unsupported
from firstbyte.model import Param

ORDER = 50
QUICK_VARIANTS = ALL
INSTRUMENTS: tuple[str, ...] = ()
"""None of the worker's: the pytest-benchmark plug-in is the clock here (see `firstbyte.micro`)."""
GRID: Mapping[str, tuple[Param, ...]] = {
    "path": ("reopen_first_batch", "next_batch", "first_value")
}
METRICS = (Metric("call_ns", "one call, the mean over a round of calls", headline=True),)


def needs(params: Mapping[str, Param]) -> frozenset[str]:
    return frozenset({"reopen"})


def repetitions(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    return Repetitions(processes=1, per_process=1)


def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
    return {}


def run(bench: Bench) -> None:
    raise Unsupported("hot paths are measured by `firstbyte microbench`, not by a worker")


def reopen_first_batch(backend: Backend, shard: Shard, batch_rows: int) -> Any:
    """One call of the path of that name; returns the batch."""
    with backend.open(shard.path, batch_rows=batch_rows) as reader:
        return next(reader)


def first_value(reader: Reader, batch: Any, column: str) -> Callable[[], object]:
    """The path of that name, ready to be called."""
    return lambda: reader.first_value(batch, column)


class NextBatch:
    """The path of that name: `make_ready` is called before each call of `step`, and not timed."""

    def __init__(self, backend: Backend, shard: Shard, batch_rows: int) -> None:
        self._backend = backend
        self._shard = shard
        self._batch_rows = batch_rows
        self._reader: Reader | None = None
        self._rows = 0
        self._batch: Any = None

    def make_ready(self) -> None:
        """Have a reader that has given its first batch and still has rows to give."""
        if self._reader is not None:
            self._rows += self._reader.rows(self._batch)
            if self._rows < self._shard.rows:
                return
            self._reader.close()
        self._reader = self._backend.open(self._shard.path, batch_rows=self._batch_rows)
        self._rows = self._reader.rows(next(self._reader))
        if self._rows >= self._shard.rows:
            raise Unsupported(f"the whole shard of {self._shard.rows} rows is one batch")

    def step(self) -> None:
        """The timed call."""
        assert self._reader is not None
        self._batch = next(self._reader)
