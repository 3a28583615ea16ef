"""What one invocation does around the cells: names before downloads, offline corpora, resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_fixtures import (
    HERE,
    backend_info,
    catalogue,
    fake_scenario,
    good_outcome,
    manifest,
    scenario_info,
)

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import fingerprint as environment
from firstbyte.engine import registry, session, store
from firstbyte.engine.cells import Engine
from firstbyte.engine.plan import Axes, Plan, Planned
from firstbyte.engine.session import OpenRun, Session
from firstbyte.errors import CorpusError, HarnessError, UnknownNameError


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The corpora that were asked for; the catalogue has one backend and one scenario."""
    names: list[str] = []
    known = catalogue(
        [backend_info("fake", ("a", "b"))],
        [scenario_info("scan_all", fake_scenario({"n": (1, 2)}), tmp_path)],
    )

    def resolve(spec: str) -> Manifest:
        names.append(spec)
        if spec.startswith("missing"):
            raise CorpusError(f"{spec} cannot be had.")
        return manifest(spec=spec)

    monkeypatch.setattr(registry, "discover", lambda: known)
    monkeypatch.setattr(session, "resolve", resolve)
    monkeypatch.setattr(session, "current_environment", lambda: HERE)
    monkeypatch.setattr(environment, "versions", lambda: {"click": "8"})
    monkeypatch.setattr(environment, "host", lambda: {"cores": 2, "kernel": "6"})
    return names


def test_a_typo_costs_no_download(asked: list[str]) -> None:
    for axes in (Axes(backends=["fke"]), Axes(scenarios=["x"]), Axes(params={"m": ["1"]})):
        with pytest.raises(UnknownNameError):
            session.open_session(replace(axes, corpora=("gettext",)))
    assert asked == []


def test_chosen_corpora_and_no_others(asked: list[str]) -> None:
    workshop = session.open_session(Axes(corpora=("x", "y", "x")))
    assert list(workshop.manifests) == ["x", "y"]
    assert workshop.notes == ()
    assert len(workshop.plan.cells) == 2 * 2 * 2
    with pytest.raises(CorpusError, match="missing-1 cannot be had"):
        session.open_session(Axes(corpora=("missing-1",)))


def test_the_default_is_real_text(asked: list[str]) -> None:
    assert list(session.open_session(Axes()).manifests) == ["gettext"]


def test_without_it_the_run_goes_on_and_says_so(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DEFAULT_CORPUS", "missing")
    workshop = session.open_session(Axes())
    assert list(workshop.manifests) == ["mt", "llm"]
    (note,) = workshop.notes
    assert note == (
        "no real text in this run: missing cannot be had."
        " Measured on synthetic corpora instead: mt, llm."
    )


def test_a_run_says_where_and_of_what_it_is(asked: list[str], tmp_path: Path) -> None:
    opened = session.start_run(session.open_session(Axes(corpora=("x",))), tmp_path)
    run, records = store.load(opened.folder.path)
    assert run == opened.run
    assert records == []
    assert run.argv[0] == "firstbyte"
    assert run.versions == {"click": "8"}
    assert run.corpora["x"]["rows"] == 3
    assert run.corpora["x"]["columns"] == {"text": "string", "number": "int64"}
    assert run.plan_fingerprint
    assert run.planned_cells == len(session.open_session(Axes(corpora=("x",))).plan.cells)
    assert run.finished == ""


def engine(workshop: Session, run_id: str, seen: list[str]) -> Engine:
    def launcher(order: Any, environment: Any) -> Any:
        if order.task == "measure":
            seen.append(order.cell.key)
        return good_outcome(workshop.manifests[order.cell.corpus], prepared=("p",))

    return Engine(run_id, HERE, [], workshop.manifests, Path("replaced"), launcher)


@pytest.mark.parametrize("done", range(5))
def test_what_has_a_record_is_not_measured_again(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(
        Session,
        "engine",
        lambda self, run_id: replace(engine(self, run_id, seen), prepared_root=tmp_path),
    )
    workshop = session.open_session(Axes(corpora=("x",)))
    opened = session.start_run(workshop, tmp_path / "results")
    measuring = session.measure(workshop, opened, nothing)
    for _ in range(done):
        record = next(measuring)
        assert store.load(opened.folder.path)[1][-1] == record, "on disk before it is shown"
    measuring.close()  # type: ignore[attr-defined]
    with (opened.folder.path / store.RECORDS_FILE).open("ab") as file:
        file.write(b'{"torn')

    again = session.resume_run(workshop, tmp_path / "results", pytest.fail)
    assert len(again.done) == done
    rest = list(session.measure(workshop, again, nothing))
    assert len(rest) == 4 - done
    again.records.pop()
    again.seal()
    assert not store.load_run(opened.folder.path).finished, "one cell short"
    again.records.append(rest[-1] if rest else store.load(opened.folder.path)[1][-1])
    again.seal()
    run, records = store.load(opened.folder.path)
    assert run.finished
    keys = [record.cell.key for record in records]
    assert keys == [planned.cell.key for planned in workshop.plan.cells]
    assert seen == keys, "each cell measured once"


def nothing(planned: Planned) -> None:
    pass


def unfinished(tmp_path: Path) -> tuple[Session, OpenRun]:
    workshop = session.open_session(Axes(corpora=("x",)))
    return workshop, session.start_run(workshop, tmp_path)


def test_nothing_to_resume(asked: list[str], tmp_path: Path) -> None:
    workshop, opened = unfinished(tmp_path)
    other = session.open_session(Axes(corpora=("y",)))
    with pytest.raises(HarnessError, match="no unfinished run of these cells"):
        session.resume_run(other, tmp_path, pytest.fail)
    opened.folder.write_run(replace(opened.run, finished="then", planned_cells=None))
    with pytest.raises(HarnessError, match="run the command without --resume"):
        session.resume_run(workshop, tmp_path, pytest.fail)


def test_other_versions_or_another_host_are_not_mixed(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop, opened = unfinished(tmp_path)
    monkeypatch.setattr(environment, "host", lambda: {"cores": 4, "kernel": "7"})
    with pytest.raises(HarnessError) as caught:
        session.resume_run(workshop, tmp_path, pytest.fail)
    assert str(caught.value) == (
        f"run {opened.run.run_id} cannot go on: cores was 2, is 4; kernel was 6, is 7"
    )
    other = {**opened.run.host, "variables": {"LD_PRELOAD": "libjemalloc.so"}}
    monkeypatch.setattr(environment, "host", lambda: other)
    with pytest.raises(HarnessError, match=r"LD_PRELOAD was unset, is 'libjemalloc\.so'"):
        session.resume_run(workshop, tmp_path, pytest.fail)
    monkeypatch.setattr(environment, "versions", lambda: {"click": "9", "rich": "1"})
    with pytest.raises(HarnessError, match=r"installed versions differ \(click, rich\)"):
        session.resume_run(workshop, tmp_path, pytest.fail)


def test_a_cell_without_history_costs_what_the_others_do(asked: list[str]) -> None:
    plan: Plan = session.open_session(Axes(corpora=("x",))).plan
    assert [cost for _, cost in session.costs(plan, [None] * 4)] == [1.0] * 4
    assert [cost for _, cost in session.costs(plan, [2.0, None, 6.0, 0.0])] == [2.0, 4.0, 6.0, 0.0]
