"""Baselines: what is stored, what is refused, and that the memory-only gate never passes blindly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from gate_fixtures import FakeSide, case, constant, failed, gate, timed

from firstbyte.commands import gate as gate_command
from firstbyte.corpora.manifest import Manifest, ShardEntry
from firstbyte.gate.baselines import (
    Baseline,
    BaselineError,
    IncomparableBaselineError,
    LeftOut,
    MissingBaselineError,
    StoredCase,
    StoredSide,
    corpus_content,
    host_facts,
    load,
    measure,
    memory_metrics,
    require_comparable,
)
from firstbyte.gate.observe import Observation
from firstbyte.gate.trials import GateOutcome
from firstbyte.model import Status

SHARD = ShardEntry("0.parquet", 1, 1, 1, 1, "ab" * 32, {}, None)
MANIFEST = Manifest(
    name="mt",
    spec="mt",
    how={},
    built="",
    schema=(),
    text_column="text",
    shards=(SHARD,),
    digest_version=1,
    witnesses=("one", "two"),
    refusals=(),
    folder=Path(),
)
CASES = [case("heap"), case("proc_memory")]


def script(peak: float = 50e6, versions: str = "1", hidden: str = "") -> FakeSide:
    def observe(asked: object, _number: int) -> Observation:
        if getattr(asked, "name", "").endswith("heap"):
            figures = {"peak_heap_bytes": peak, "allocation_count": 1000.0}
            return Observation(Status.OK, "", figures, {"fake": versions}, seconds=1.0)
        return Observation(Status.OK, "", {}, {"fake": versions}, seconds=1.0)

    return FakeSide("side", observe, hidden)


def stored(side: FakeSide | None = None) -> Baseline:
    return measure(side or script(), CASES, memory_metrics(()), MANIFEST, lambda _: None)


def test_a_baseline_survives_the_disk(tmp_path: Path) -> None:
    baseline = stored()
    assert baseline.left_out == ()
    assert baseline.cases[CASES[0].name].figures["allocation_count"] == 1000.0
    path = tmp_path / "baselines" / "memory.json"
    baseline.save(path)
    assert load(path) == baseline


def test_only_what_repeats_and_can_be_seen_is_stored() -> None:
    def wobbling(asked: object, number: int) -> Observation:
        return script(50e6 * (1 + number / 50)).observe(asked)  # type: ignore[arg-type]

    baseline = stored(FakeSide("side", wobbling))
    assert list(baseline.cases[CASES[0].name].figures) == ["allocation_count"]
    assert "peak_heap_bytes does not repeat" in baseline.left_out[0].reason
    blind = stored(script(hidden="memray accounts for 2% of 80 MB"))
    assert {len(one.figures) for one in blind.cases.values()} == {0}
    assert "memray accounts for 2%" in blind.left_out[0].reason
    broken = stored(constant("side", failed(Status.CRASHED, "SIGSEGV")))
    assert broken.cases == {}
    assert "CRASHED: SIGSEGV" in broken.left_out[0].reason


@pytest.mark.parametrize(
    ("peak", "outcome"),
    [
        (50e6, GateOutcome.PASS),
        (50.2e6, GateOutcome.PASS),
        (50.5e6, GateOutcome.REGRESSED),
        (49e6, GateOutcome.IMPROVED),
    ],
)
def test_the_memory_only_gate(peak: float, outcome: GateOutcome) -> None:
    baseline = stored()
    run = gate(StoredSide(baseline, "baseline"), script(peak), CASES, same_versions=True)  # type: ignore[arg-type]
    run.metrics = memory_metrics(())
    result = run.run()
    assert result.outcome is outcome
    assert result.base == "baseline"


def test_a_new_case_a_new_version_and_a_lost_case_are_inconclusive() -> None:
    baseline = stored()
    metrics = memory_metrics(())

    def outcome(base: Baseline, head: FakeSide, lost: list[str]) -> GateOutcome:
        run = gate(StoredSide(base, "baseline"), head, CASES, same_versions=True)  # type: ignore[arg-type]
        run.metrics = metrics
        run.lost.extend(lost)
        return run.run().outcome

    assert outcome(baseline, script(), []) is GateOutcome.PASS
    assert outcome(replace(baseline, cases={}), script(), []) is GateOutcome.INCONCLUSIVE
    assert outcome(baseline, script(versions="2"), []) is GateOutcome.INCONCLUSIVE
    assert outcome(baseline, script(), ["gone/b:v/mt/-/heap"]) is GateOutcome.INCONCLUSIVE


def test_times_are_refused_with_the_reason() -> None:
    with pytest.raises(BaselineError, match="says nothing about time") as caught:
        memory_metrics(["net_wall_ns"])
    assert "peak_heap_bytes" in str(caught.value)
    assert [metric.name for metric in memory_metrics(["allocation_count"])] == ["allocation_count"]


def test_another_host_or_corpus_is_incomparable_and_inconclusive() -> None:
    baseline = stored()
    require_comparable(baseline, MANIFEST)
    assert corpus_content(MANIFEST) == baseline.content
    other = replace(baseline, host={**host_facts(), "machine": "pdp11"})
    with pytest.raises(IncomparableBaselineError, match="machine was pdp11") as caught:
        require_comparable(other, MANIFEST)
    assert caught.value.exit_code == 11
    changed = replace(MANIFEST, shards=(replace(SHARD, sha256="cd" * 32),))
    with pytest.raises(IncomparableBaselineError, match="corpus was"):
        require_comparable(baseline, changed)


def test_a_missing_or_damaged_baseline_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="baseline update"):
        load(tmp_path / "memory-none.json")
    path = tmp_path / "memory-x.json"
    path.write_text("{")
    with pytest.raises(
        BaselineError, match=r"cannot read .*memory-x.json: no JSON: .*; run `firstbyte baseline"
    ):
        load(path)
    Baseline("mt", "", {}, {}).save(path)
    path.write_text(path.read_text().replace('"cases": {}', '"cases": {"x": {}}'))
    with pytest.raises(BaselineError, match=r"cases\.x: missing figures, versions"):
        load(path)
    stored = '"cases": {"x": {"versions": {}, "figures": {}}}'
    path.write_text(path.read_text().replace('"cases": {"x": {}}', stored))
    with pytest.raises(BaselineError, match="'x' is no cell's key"):
        load(path)
    path.write_text(json.dumps({"schema": 99}))
    with pytest.raises(BaselineError, match="its schema is 99, this firstbyte reads up to 2"):
        load(path)


def test_a_stored_case_is_an_observation() -> None:
    baseline = Baseline(
        "mt",
        "",
        {},
        {"full_scan/known:v/mt/-/heap": StoredCase({"fake": "1"}, {"allocation_count": 1.0})},
    )
    side = StoredSide(baseline, "label")
    unknown = side.observe(case())
    assert unknown.status is Status.SKIPPED
    assert timed(1.0).status is Status.OK


def test_a_host_without_a_baseline_is_accepted_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--memory-only", "--baseline", str(tmp_path / "none.json")]
    refused = CliRunner().invoke(gate_command.command, words)
    assert isinstance(refused.exception, MissingBaselineError)
    accepted = CliRunner().invoke(gate_command.command, [*words, "--accept-inconclusive"])
    assert accepted.exit_code == 0
    assert "INCONCLUSIVE, accepted: no baseline at" in accepted.output
    (tmp_path / "none.json").write_text("{")
    damaged = CliRunner().invoke(gate_command.command, [*words, "--accept-inconclusive"])
    assert isinstance(damaged.exception, BaselineError)
    worse = SimpleNamespace(outcome=GateOutcome.REGRESSED, exit_code=10)
    monkeypatch.setattr(gate_command, "_memory_only", lambda *_: worse)
    monkeypatch.setattr(gate_command, "_report", lambda *_: None)
    failed = CliRunner().invoke(gate_command.command, [*words, "--accept-inconclusive"])
    assert failed.exit_code == 10


def test_what_the_first_version_left_out_is_read_by_case(tmp_path: Path) -> None:
    baseline = replace(stored(), left_out=(LeftOut(CASES[0].name, "CRASHED: SIGSEGV"),))
    path = tmp_path / "memory.json"
    baseline.save(path)
    assert load(path) == baseline
    first = json.loads(path.read_text()) | {
        "schema": 1,
        "left_out": [str(one) for one in baseline.left_out],
    }
    path.write_text(json.dumps(first))
    assert load(path) == baseline
