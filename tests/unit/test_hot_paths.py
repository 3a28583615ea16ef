"""The hot paths on a fake backend: which call is timed, and what of it is checked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from firstbyte.api import Bench, Shard, Unsupported
from firstbyte.scenarios import hot_paths
from firstbyte.worker.instruments.pytest_benchmark import Rounds


class FakeReader:
    """Batches are numbers of rows."""

    def __init__(self, batches: list[int]) -> None:
        self._left = list(batches)
        self.closed = False

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closed = True

    def __iter__(self) -> FakeReader:
        return self

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        return self._left.pop(0)

    def rows(self, batch: int) -> int:
        return batch

    def first_value(self, batch: int, column: str) -> object:
        return f"{column} {batch}"


class FakeBench:
    """Hands out readers over those batches and notes what is checked."""

    def __init__(self, rows: int, *passes: list[int]) -> None:
        self._passes = list(passes)
        self.opened: list[FakeReader] = []
        self.rows: list[int] = []
        self.first_values: list[object] = []
        self.shards = [Shard(Path("shard"), rows)]
        self.columns, self.batch_rows, self.text_column = None, 10, "text"
        self.backend = SimpleNamespace(open=self._open)

    def _open(self, path: Path, **options: Any) -> FakeReader:
        batches = self._passes.pop(0) if len(self._passes) > 1 else self._passes[0]
        self.opened.append(FakeReader(batches))
        return self.opened[-1]

    def check_rows(self, shard: int, rows: int) -> None:
        self.rows.append(rows)

    def check_first_value(self, shard: int, value: object, rows: int | None = None) -> None:
        self.first_values.append(value)


def of(bench: FakeBench) -> Bench:
    return cast(Bench, bench)


def test_the_next_batch_is_never_the_first() -> None:
    bench = FakeBench(60, [10, 20, 30])
    path = hot_paths.NextBatch(of(bench))
    stepped = []
    for _ in range(7):
        path.make_ready()
        path.step()
        stepped.append(path._batch)
    path.check()
    assert stepped == [20, 30, 20, 30, 20, 30, 20]
    assert all(reader.closed for reader in bench.opened)
    assert bench.rows == [60, 60, 60, 60], "every pass is counted to its end"


@pytest.mark.parametrize(("batches", "rows"), [([10, 20], 30), ([10, 20, 40], 70), ([], 0)])
def test_a_pass_that_is_too_short_or_too_long_shows(batches: list[int], rows: int) -> None:
    bench = FakeBench(60, batches)
    path = hot_paths.NextBatch(of(bench))
    for _ in range(5):
        path.make_ready()
        path.step()
    path.check()
    assert set(bench.rows) == {rows}


def test_a_shard_of_one_batch_has_no_next() -> None:
    path = hot_paths.NextBatch(of(FakeBench(60, [60])))
    with pytest.raises(Unsupported, match="the whole shard of 60 rows is one batch"):
        path.make_ready()


@pytest.mark.parametrize(("timed", "rows"), [([10, 20], 30), ([9, 20], 29), ([], 0)])
def test_what_was_reopened_is_checked(timed: list[int], rows: int) -> None:
    bench = FakeBench(30, timed, [10, 20])
    path = hot_paths.ReopenFirstBatch(of(bench))
    path._step()
    assert bench.opened[0].closed
    path.check()
    assert bench.rows == [rows]
    assert bench.first_values == ([f"text {timed[0]}"] if timed else [])


def test_what_is_raised_under_pytest_comes_out_of_it() -> None:
    """A test session that only fails would leave a cell without a reason."""
    rounds = Rounds(lambda benchmark: None)
    error = Unsupported("planted")
    call = SimpleNamespace(excinfo=SimpleNamespace(value=error))
    rounds.pytest_runtest_makereport(None, call)
    rounds.pytest_runtest_makereport(
        None, SimpleNamespace(excinfo=SimpleNamespace(value=KeyError()))
    )
    assert rounds._error is error
