"""pytest-benchmark's JSON becomes records; a path without figures is never an OK one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pipeline_fixtures import LIMITS

from firstbyte.api import Shard, Unsupported
from firstbyte.micro.measure import INSTRUMENT, SCENARIO, PytestRun, import_report
from firstbyte.model import Cell, Record, Status
from firstbyte.scenarios import hot_paths

PATHS = hot_paths.GRID["path"]
CELLS = [
    Cell(SCENARIO, "fake", "only", "current", "c", {"path": path}, INSTRUMENT, 1, 1, LIMITS)
    for path in PATHS
]


def entry(path: object, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"test_{path}",
        "extra_info": {"versions": {"fake": "1"}},
        "stats": {"rounds": 2, "data": [1e-6, 3e-6]},
        **changes,
    }


def imported(benchmarks: list[dict[str, Any]] | None, reason: str = "") -> list[Record]:
    report = None if benchmarks is None else {"benchmarks": benchmarks}
    return list(import_report("r", CELLS, PytestRun(report, "what pytest said", reason, 6.0)))


def test_every_round_is_a_sample() -> None:
    records = imported([entry(path) for path in reversed(PATHS)])
    assert [record.cell for record in records] == CELLS
    for record in records:
        assert (record.status, record.run_id, record.versions) == (Status.OK, "r", {"fake": "1"})
        assert [s.values["call_ns"] for s in record.samples] == pytest.approx([1000.0, 3000.0])
        assert record.duration_s == 2.0


WITHOUT: dict[str, tuple[list[dict[str, Any]] | None, str, str]] = {
    "no report at all": (None, "pytest ended with exit code 4", "pytest ended with exit code 4"),
    "no end": (None, "no end after 9 s", "no end after 9 s"),
    "no entry": ([], "", "pytest-benchmark reported no such path"),
    "no rounds": (
        [entry(PATHS[0], stats={"rounds": 0, "data": []})],
        "",
        "pytest-benchmark reported no such path",
    ),
    "no version": (
        [entry(PATHS[0], extra_info={"versions": {}})],
        "",
        "no version, no measurement",
    ),
}


@pytest.mark.parametrize("kind", WITHOUT)
def test_a_path_without_figures_is_an_error(kind: str) -> None:
    benchmarks, ended, reason = WITHOUT[kind]
    first = imported(benchmarks, ended)[0]
    assert (first.status, reason in first.reason, first.samples) == (Status.ERROR, True, ())


def test_one_path_that_fails_leaves_the_others() -> None:
    records = imported([entry(path) for path in PATHS[1:]], "pytest ended with exit code 1")
    assert [record.status for record in records] == [Status.ERROR, Status.OK, Status.OK]
    assert records[0].stderr_tail == "what pytest said"


class FakeReader:
    """Batches are numbers of rows."""

    def __init__(self, batches: list[int]) -> None:
        self._left = list(batches)
        self.closed = False

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        return self._left.pop(0)

    def close(self) -> None:
        self.closed = True

    def rows(self, batch: int) -> int:
        return batch

    def first_value(self, batch: int, column: str) -> object:
        return f"{column} {batch}"


class FakeBackend:
    def __init__(self, batches: list[int]) -> None:
        self.opened: list[FakeReader] = []
        self._batches = batches

    def open(self, shard: object, batch_rows: int) -> FakeReader:
        self.opened.append(FakeReader(self._batches))
        return self.opened[-1]


def test_the_next_batch_is_never_the_first() -> None:
    backend = FakeBackend([10, 20, 30])
    path = hot_paths.NextBatch(backend, Shard(Path("shard"), 60), 20)  # type: ignore[arg-type]
    stepped = []
    for _ in range(7):
        path.make_ready()
        path.step()
        stepped.append(path._batch)
    assert stepped == [20, 30, 20, 30, 20, 30, 20]
    assert [reader.closed for reader in backend.opened] == [True, True, True, False]


def test_a_shard_of_one_batch_has_no_next() -> None:
    path = hot_paths.NextBatch(FakeBackend([60]), Shard(Path("shard"), 60), 100)  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match="the whole shard of 60 rows is one batch"):
        path.make_ready()


def test_reopening_gives_the_first_batch_and_closes() -> None:
    backend = FakeBackend([10, 20])
    shard = Shard(Path("shard"), 30)  # type: ignore[arg-type]
    assert hot_paths.reopen_first_batch(backend, shard, 10) == 10  # type: ignore[arg-type]
    assert backend.opened[0].closed
    value = hot_paths.first_value(backend.opened[0], 10, "text")  # type: ignore[arg-type]
    assert value() == "text 10"
