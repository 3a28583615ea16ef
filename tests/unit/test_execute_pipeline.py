"""Plan, record, store, load and render with fakes: no process is started, no backend exists."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_fixtures import (
    HERE,
    LIMITS,
    backend_info,
    catalogue,
    fake_scenario,
    good_outcome,
    manifest,
    run_of,
    scenario_info,
)
from rich.console import Console

from firstbyte.api import Repetitions
from firstbyte.engine import cells, plausible
from firstbyte.engine.cells import PREPARE_TIMEOUT_SECONDS, Engine
from firstbyte.engine.launch import Outcome
from firstbyte.engine.plan import Axes, Plan, make_plan
from firstbyte.engine.registry import Catalogue
from firstbyte.engine.store import RunFolder, load
from firstbyte.model import Environment, Param, Record, Sample, Status
from firstbyte.render.outputs import tables
from firstbyte.render.progress import Progress
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView
from firstbyte.visibility.shown import load as load_shown
from firstbyte.worker.order import BATCH_ROWS, DIGEST, DUMP, MEASURE, PREPARE, Order
from firstbyte.worker.protocol import Counted, Digested

CORPUS = manifest(rows=(3, 2), first_values=("one", "two"))


class FakeLauncher:
    """Plays back the outcomes for a backend's variant, the good one when there is none left."""

    def __init__(self, **endings: Sequence[Outcome]) -> None:
        self.orders: list[Order] = []
        self._endings = {name: list(outcomes) for name, outcomes in endings.items()}

    def __call__(self, order: Order, environment: Environment) -> Outcome:
        assert environment == HERE
        assert order.plugin_roots == ("/a/root",)
        self.orders.append(order)
        if order.task == PREPARE:
            prepared = good_outcome(CORPUS, samples=[], prepared=("p0", "p1"))
            return self._next(f"prepare_{order.cell.variant}", prepared)
        if order.task == DIGEST:
            return self._next(f"digest_{order.cell.variant}", good_outcome(CORPUS, samples=[]))
        return self._next(order.cell.variant, good_outcome(CORPUS))

    def _next(self, name: str, default: Outcome) -> Outcome:
        left = self._endings.get(name)
        return left.pop(0) if left else default

    def tasks(self, variant: str) -> list[str]:
        return [order.task for order in self.orders if order.cell.variant == variant]


def plan_of(
    tmp_path: Path, variants: Sequence[str], repetitions: Repetitions, **scenario: Any
) -> tuple[Catalogue, Plan]:
    module = fake_scenario(repetitions=lambda *_: repetitions, **scenario)
    known = catalogue(
        [backend_info("fake", variants)], [scenario_info("scan_all", module, tmp_path)]
    )
    return known, make_plan(known, Axes(corpora=("fake",), limits=LIMITS), HERE)


def engine(launcher: FakeLauncher, tmp_path: Path) -> Engine:
    return Engine(
        "run-1", HERE, [Path("/a/root")], {"fake": CORPUS}, tmp_path / "prepared", launcher
    )


def ended(status: Status, reason: str) -> Outcome:
    return Outcome(status=status, reason=reason, stderr_tail="what it said", versions={"v": "1"})


def test_from_plan_to_table(tmp_path: Path) -> None:
    variants = ("good", "crashing", "wrong", "lacking", "unprepared")
    known, plan = plan_of(tmp_path, variants, Repetitions(2, 1))
    launcher = FakeLauncher(
        crashing=[good_outcome(CORPUS), ended(Status.CRASHED, "killed by SIGSEGV")],
        wrong=[good_outcome(CORPUS, rows=[Counted(0, 4)])],
        lacking=[ended(Status.SKIPPED, "cannot read lists")],
        prepare_unprepared=[ended(Status.TIMEOUT, "no end after 9 s")],
    )
    folder = RunFolder.create(tmp_path / "results", run_of("run-1"))
    console = Console(file=io.StringIO(), width=200)
    with Progress([(planned.cell, 1.0) for planned in plan.cells], console) as progress:
        runner = engine(launcher, tmp_path)
        for record in runner.records(plan.cells, lambda planned: progress.started(planned.cell)):
            folder.append(record)
            progress.finished(record)
    run, records = load(folder.path)
    folder.seal(replace(run, finished="now"))

    run, records = load(folder.path)
    assert [(r.cell.variant, r.status, r.reason) for r in records] == [
        ("good", Status.OK, ""),
        ("crashing", Status.CRASHED, "killed by SIGSEGV (process 2 of 2)"),
        (
            "wrong",
            Status.WRONG,
            "shard 0: row count mismatch, expected 3, got 4; nothing came of reading it again",
        ),
        ("lacking", Status.SKIPPED, "cannot read lists"),
        ("unprepared", Status.TIMEOUT, "while preparing the corpus: no end after 9 s"),
    ]
    good = records[0]
    assert [sample.process for sample in good.samples] == [0, 1]
    assert good.samples[0].values == {"part_ns": 5.0, "total_ns": 10.0}
    assert (good.run_id, good.versions, good.stderr_tail) == ("run-1", {"fake": "1"}, "")
    assert records[1].stderr_tail == "what it said"
    progressed = console.file.getvalue()  # type: ignore[attr-defined]
    for number, record in enumerate(records, 1):
        assert f"[{number}/5] {record.status}" in progressed
    shown = Console(file=io.StringIO(), width=200)
    shown.print(tables.render(Request(RunView(load_shown(folder.path, known), known))))
    table = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "What scan_all does." in table
    for record in records[1:]:
        assert record.reason in table


def test_a_skipped_cell_starts_no_process(tmp_path: Path) -> None:
    _, plan = plan_of(
        tmp_path, ["good"], Repetitions(1, 1), needs=lambda params: frozenset({"wings"})
    )
    launcher = FakeLauncher()
    (record,) = engine(launcher, tmp_path).records(plan.cells)
    assert (record.status, record.reason) == (Status.SKIPPED, "fake does not declare: wings")
    assert launcher.orders == []


def test_variables_reach_the_measuring_workers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONMALLOC", raising=False)
    _, plan = plan_of(tmp_path, ["good"], Repetitions(2, 1))
    launcher = FakeLauncher()
    engine(launcher, tmp_path).record(plan.cells[0], {"PYTHONMALLOC": "malloc"})
    assert [(order.task, dict(order.variables)) for order in launcher.orders] == [
        (PREPARE, {}),
        (MEASURE, {"PYTHONMALLOC": "malloc"}),
        (MEASURE, {"PYTHONMALLOC": "malloc"}),
        (DIGEST, {}),
    ]
    assert "PYTHONMALLOC" not in os.environ


def test_the_corpus_is_prepared_once_for_each_variant(tmp_path: Path) -> None:
    grid: Mapping[str, tuple[Param, ...]] = {"n": (1, 2, 3)}
    _, plan = plan_of(tmp_path, ["a", "b"], Repetitions(1, 1), grid=grid)
    launcher = FakeLauncher()
    records = list(engine(launcher, tmp_path).records(plan.cells))
    assert len(records) == 6
    for variant in ("a", "b"):
        assert launcher.tasks(variant) == [PREPARE, MEASURE, DIGEST, MEASURE, MEASURE]


def test_copies_of_a_shard_have_its_name_and_no_path_in_common(tmp_path: Path) -> None:
    shard = tmp_path / "07.parquet"
    shard.write_bytes(b"rows")
    made = [Path(one) for one in cells._copies(shard, str(tmp_path))]
    assert len({shard, *made}) == 1 + plausible.COPIES
    assert {(one.name, one.read_bytes()) for one in made} == {("07.parquet", b"rows")}
    assert list(cells._copies(tmp_path, str(tmp_path))) == [], "a folder is not copied"


def test_a_reader_that_is_wrong_the_first_time_only_is_wrong(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a", "b"], Repetitions(1, 1), grid={"n": (1, 2)})
    launcher = FakeLauncher(
        digest_a=[good_outcome(CORPUS, samples=[], digests=[Digested(1, 3, {"text": "0"})])],
        digest_b=[ended(Status.CRASHED, "killed by SIGSEGV")],
    )
    records = list(engine(launcher, tmp_path).records(plan.cells))
    why = (
        "read for the first time in a process: shard 1: row count mismatch, expected 2, got 3; "
        "nothing came of reading it again"
    )
    assert [(one.cell.variant, one.status, one.reason) for one in records] == [
        ("a", Status.WRONG, why),
        ("b", Status.OK, ""),
    ] * 2
    assert launcher.tasks("a") == [PREPARE, MEASURE, DIGEST, DUMP, MEASURE], "asked once a run"


def test_a_preparation_that_failed_fails_every_cell_and_is_not_repeated(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a"], Repetitions(1, 1), grid={"n": (1, 2)})
    launcher = FakeLauncher(prepare_a=[ended(Status.SKIPPED, "cannot write lists")])
    records = list(engine(launcher, tmp_path).records(plan.cells))
    assert [(r.status, r.reason) for r in records] == [(Status.SKIPPED, "cannot write lists")] * 2
    assert launcher.tasks("a") == [PREPARE]


def test_a_cell_ends_with_its_first_failed_process(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a"], Repetitions(5, 1))
    launcher = FakeLauncher(a=[good_outcome(CORPUS), ended(Status.ERROR, "no more")])
    (record,) = engine(launcher, tmp_path).records(plan.cells)
    assert launcher.tasks("a") == [PREPARE, MEASURE, MEASURE]
    assert (record.status, len(record.samples)) == (Status.ERROR, 1)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), None, "many", True])
def test_a_figure_that_is_none_is_an_error_and_not_kept(tmp_path: Path, figure: Any) -> None:
    """It would stand in a record that nobody can read."""
    _, plan = plan_of(tmp_path, ["values", "series"], Repetitions(2, 1))
    bad = {
        "values": [good_outcome(CORPUS), good_outcome(CORPUS, samples=[Sample({"x_ns": figure})])],
        "series": [good_outcome(CORPUS, samples=[Sample({}, {"x_ns": [1, figure]})])],
    }
    folder = RunFolder.create(tmp_path / "results", run_of("run-1"))
    for record in engine(FakeLauncher(**bad), tmp_path).records(plan.cells):
        folder.append(record)
    process = {"values": 2, "series": 1}
    for record in load(folder.path)[1]:
        number = process[record.cell.variant]
        assert (record.status, record.samples) == (Status.ERROR, ())
        assert record.reason == f"'x_ns' in process {number} is {figure!r}, not a finite number"


def test_figures_that_cannot_be_derived_are_an_error(tmp_path: Path) -> None:
    """The scenario's fault ends its cell and not the run."""
    _, plan = plan_of(tmp_path, ["a", "b"], Repetitions(1, 1))
    plan.cells[0].scenario.module.derive = lambda *_: 1 / 0  # type: ignore[method-assign]
    records = list(engine(FakeLauncher(), tmp_path).records(plan.cells))
    assert len(records) == 2
    for record in records:
        assert (record.status, record.samples) == (Status.ERROR, ())
        assert record.reason == "figures could not be derived: ZeroDivisionError: division by zero"


def test_warm_up_processes_give_no_sample(tmp_path: Path) -> None:
    def sample(value: float) -> Outcome:
        return good_outcome(CORPUS, samples=[Sample({"part_ns": value})])

    _, plan = plan_of(tmp_path, ["a"], Repetitions(2, 1, warmup_processes=1))
    launcher = FakeLauncher(a=[sample(100.0), sample(1.0), sample(2.0)])
    (record,) = engine(launcher, tmp_path).records(plan.cells)
    assert [s.values["part_ns"] for s in record.samples] == [1.0, 2.0]
    assert [s.process for s in record.samples] == [0, 1]
    measured = [order for order in launcher.orders if order.task == MEASURE]
    assert [order.final_process for order in measured] == [False, False, True]


def test_a_failed_warm_up_is_a_failure(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a"], Repetitions(2, 1, warmup_processes=1))
    launcher = FakeLauncher(a=[ended(Status.CRASHED, "killed by SIGABRT")])
    (record,) = engine(launcher, tmp_path).records(plan.cells)
    assert (record.status, record.reason) == (Status.CRASHED, "killed by SIGABRT")
    assert record.samples == ()


def test_what_a_worker_is_told(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a"], Repetitions(1, 7), instruments=("heap",))
    launcher = FakeLauncher()
    list(engine(launcher, tmp_path).records(plan.cells))
    prepare, measure, _ = launcher.orders
    assert prepare.instrument_module == "", "preparing is not observed"
    assert measure.instrument_module == "instruments.heap"
    assert prepare.cell.limits.timeout_s == PREPARE_TIMEOUT_SECONDS
    assert prepare.shards == ("/no/such/corpus/0.parquet", "/no/such/corpus/1.parquet")
    assert Path(prepare.prepared_directory).is_dir()
    assert measure.cell == plan.cells[0].cell
    assert measure.shards == ("p0", "p1")
    assert measure.shard_rows == (3, 2)
    assert measure.backend_module == "backends.fake.backend"
    assert measure.backend_options == {"variant": "a"}
    assert measure.scenario_module == "scenarios.scan_all"
    assert (measure.text_column, measure.batch_rows) == ("text", BATCH_ROWS)


def test_what_was_prepared_from_other_content_is_not_used(tmp_path: Path) -> None:
    _, plan = plan_of(tmp_path, ["a"], Repetitions(1, 1))
    runner = engine(FakeLauncher(), tmp_path)
    before = runner.order(plan.cells[0], MEASURE, []).prepared_directory
    changed = replace(CORPUS.shards[0], sha256="f" * 64)
    runner.manifests = {"fake": replace(CORPUS, shards=(changed, CORPUS.shards[1]))}
    assert runner.order(plan.cells[0], MEASURE, []).prepared_directory != before


def test_records_come_one_by_one(tmp_path: Path) -> None:
    """A record must be in the caller's hands before the next cell starts."""
    _, plan = plan_of(tmp_path, ["a", "b"], Repetitions(1, 1))
    launcher = FakeLauncher()
    records = engine(launcher, tmp_path).records(plan.cells)
    first: Record = next(records)
    assert first.cell.variant == "a"
    assert launcher.tasks("b") == []
