"""The loop of the gate over scripted sides: every way in which it can end."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pytest
from gate_fixtures import FakeSide, case, constant, failed, gate, ticking, timed

from firstbyte.gate import run as run_module
from firstbyte.gate.cases import Case
from firstbyte.gate.cores import IdlestCore
from firstbyte.gate.metrics import GATED_METRICS
from firstbyte.gate.observe import Observation
from firstbyte.gate.outputs import OUTPUTS
from firstbyte.gate.policy import Policy, Waiver
from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.tuning import MOST_SAMPLES
from firstbyte.model import BUSY_SHARE, Conditions, Status
from firstbyte.render.output import as_text


def found(result: GateResult) -> dict[str, tuple[GateOutcome, str]]:
    return {v.metric: (v.finding.outcome, v.finding.rule) for v in result.verdicts}


def test_equal_sides_pass_after_the_screen_and_the_probe_counts_for_nothing() -> None:
    base, head = constant("base", timed(1e6)), constant("head", timed(1e6))
    result = gate(base, head).run()
    assert result.outcome is GateOutcome.PASS
    assert set(found(result)) == {"cpu_ns", "net_wall_ns"}
    assert result.pairs == 6
    assert len(base.asked) == len(head.asked) == 1 + 6


def test_a_slower_head_is_caught() -> None:
    result = gate(constant("base", timed(1e6)), constant("head", timed(1.05e6))).run()
    assert result.outcome is GateOutcome.REGRESSED
    assert result.suspects == 2
    assert result.pairs == 6 + 16


def test_a_faster_head_is_an_improvement() -> None:
    result = gate(constant("base", timed(1e6)), constant("head", timed(0.9e6))).run()
    assert (result.outcome, result.exit_code) == (GateOutcome.IMPROVED, 12)


def test_the_order_of_the_sides_is_drawn_for_every_pair() -> None:
    order: list[str] = []

    def noting(label: str) -> FakeSide:
        def script(_case: object, _number: int) -> Observation:
            order.append(label)
            return timed(1e6)

        return FakeSide(label, script)

    gate(noting("base"), noting("head"), [case(backend=f"b{i}") for i in range(8)]).run()
    firsts = order[16::2]
    assert len(firsts) == 48
    # 2^-48 each; a gate that always starts with one side fails here.
    assert {"base", "head"} == set(firsts)


@pytest.mark.parametrize(
    "status",
    [
        Status.WRONG,
        Status.ERROR,
        Status.CRASHED,
        Status.TIMEOUT,
        Status.OUT_OF_MEMORY,
        Status.SKIPPED,
    ],
)
def test_a_head_that_stopped_being_ok_fails_at_once(status: Status) -> None:
    head = constant("head", failed(status, "killed by SIGSEGV"))
    result = gate(constant("base", timed(1e6)), head).run()
    assert result.outcome is GateOutcome.REGRESSED
    assert found(result)["status"] == (
        GateOutcome.REGRESSED,
        f"head is {status}: killed by SIGSEGV",
    )
    assert len(head.asked) == 1


def test_a_head_that_fails_in_the_middle_fails_too() -> None:
    def script(_case: object, number: int) -> Observation:
        return timed(1e6) if number < 5 else failed(Status.CRASHED)

    result = gate(constant("base", timed(1e6)), FakeSide("head", script)).run()
    assert result.outcome is GateOutcome.REGRESSED


def test_a_base_that_is_not_ok_is_inconclusive_never_a_pass() -> None:
    result = gate(constant("base", failed(Status.ERROR)), constant("head", timed(1e6))).run()
    assert result.outcome is GateOutcome.INCONCLUSIVE
    both = gate(constant("b", failed(Status.ERROR)), constant("h", failed(Status.CRASHED))).run()
    assert both.outcome is GateOutcome.INCONCLUSIVE
    assert "head is CRASHED" in found(both)["status"][1]


def test_what_both_sides_skip_is_left_out_and_said() -> None:
    def script(asked: object, _number: int) -> Observation:
        name = getattr(asked, "name", "")
        return failed(Status.SKIPPED, "no Rust") if "rusty" in name else timed(1e6)

    cases = [case(), case(backend="rusty")]
    result = gate(FakeSide("base", script), FakeSide("head", script), cases).run()
    assert result.outcome is GateOutcome.PASS
    assert any("1 cases left out" in note and "no Rust" in note for note in result.not_gated)
    nothing = gate(FakeSide("base", script), FakeSide("head", script), cases[1:]).run()
    assert nothing.outcome is GateOutcome.INCONCLUSIVE, "nothing measured is never a pass"


def test_a_budget_ends_the_gate_without_a_pass() -> None:
    sides = constant("base", timed(1e6)), constant("head", timed(1e6))
    result = gate(*sides, budget_seconds=8.0, clock=ticking(1.0)).run()
    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert any("budget" in rule for _, rule in found(result).values())
    unseen = gate(
        *sides, [case(backend=f"b{i}") for i in range(9)], budget_seconds=3.0, clock=ticking(1.0)
    ).run()
    assert len({v.case for v in unseen.verdicts}) == 9, "cases that were not reached are named"
    assert unseen.outcome is GateOutcome.INCONCLUSIVE


def test_a_budget_says_what_is_left_for_the_suspects() -> None:
    sides = constant("base", timed(1e6)), constant("head", timed(1.05e6))
    result = gate(*sides, budget_seconds=1000.0, clock=ticking(0.1)).run()
    assert any(
        "the budget allows" in note and "look at 32" in note and "about +2.0%" in note
        for note in result.notes
    )


def test_a_metric_that_only_one_side_gives_is_inconclusive() -> None:
    less = replace(timed(1e6), figures={"cpu_ns": 1e6})
    result = gate(constant("base", timed(1e6)), constant("head", less)).run()
    assert found(result)["net_wall_ns"][0] is GateOutcome.INCONCLUSIVE
    assert found(result)["cpu_ns"][0] is GateOutcome.PASS


def test_without_schedstat_plain_wall_is_gated_and_said() -> None:
    plain = timed(1e6, wait_ns=None)
    result = gate(constant("base", plain), constant("head", plain)).run()
    assert "wall_ns" in found(result)
    assert any("schedstat" in note for note in result.notes)


def test_wall_of_several_threads_has_a_wider_tolerance_and_their_cpu_has_not() -> None:
    base, head = timed(2e6, wall_ns=1e6), timed(2e6, wall_ns=1.1e6)
    result = gate(constant("base", base), constant("head", head)).run()
    assert result.outcome is GateOutcome.PASS
    assert "15.0%" in found(result)["net_wall_ns"][1]
    slower = gate(constant("base", base), constant("head", timed(2.2e6, wall_ns=1e6))).run()
    assert found(slower)["cpu_ns"][0] is GateOutcome.REGRESSED


def test_a_busy_host_and_a_drifting_one_are_reported() -> None:
    waiting = timed(1e6, wait_ns=2e6)
    busy = gate(constant("base", waiting), constant("head", waiting)).run()
    assert any("the host was busy" in note and "40%" in note for note in busy.notes)

    def slowing(_case: object, number: int) -> Observation:
        return timed(1e6 * 1.03**number)

    drift = gate(FakeSide("base", slowing), FakeSide("head", slowing), clock=ticking(1.0)).run()
    assert any("the machine drifted" in note for note in drift.notes)
    calm = gate(constant("base", timed(1e6)), constant("head", timed(1e6))).run()
    assert not any("busy" in note or "drifted" in note for note in calm.notes)


def test_a_gate_calls_a_host_busy_from_the_share_on_that_a_record_does() -> None:
    for share, busy in ((BUSY_SHARE, True), (0.99 * BUSY_SHARE, False)):
        waiting = timed(1e6, wait_ns=5e6 * share)
        notes = gate(constant("base", waiting), constant("head", waiting)).run().notes
        assert any("the host was busy" in note for note in notes) is busy
        conditions = Conditions(share, share, None, None)
        assert conditions.busy is busy


@pytest.mark.parametrize(
    ("base", "head", "outcome"),
    [
        ("", "", GateOutcome.PASS),
        ("blind", "blind", GateOutcome.INCONCLUSIVE),
        ("blind", "", GateOutcome.INCONCLUSIVE),
        ("", "blind", GateOutcome.INCONCLUSIVE),
    ],
)
def test_heap_figures_are_withheld_where_the_tracer_is_blind(
    base: str, head: str, outcome: GateOutcome
) -> None:
    def script(_asked: object, _number: int) -> Observation:
        return replace(timed(1e6), figures={"peak_heap_bytes": 5e6})

    sides = FakeSide("base", script, base), FakeSide("head", script, head)
    result = gate(*sides, [case("heap")]).run()
    assert result.outcome is outcome
    assert ("peak_heap_bytes" in found(result)) is (not base and not head)
    beside = gate(*sides, [case("heap"), case("clock")]).run()
    # What neither side can show is said; what only the head hides must not pass.
    assert beside.outcome is (GateOutcome.INCONCLUSIVE if head and not base else GateOutcome.PASS)
    texts = [as_text(OUTPUTS.load(name).render(result)) for name in OUTPUTS.summaries()]
    told = [text for text in texts if "5.00 MB" in text or "5000000" in text]
    assert bool(told) is (not base and not head)
    if base:
        assert any("withheld: blind" in note for note in beside.not_gated)
    elif head:
        assert "not that of the head: blind" in found(beside)["status"][1]


def test_metrics_that_nothing_gave_are_named() -> None:
    result = gate(constant("base", timed(1e6)), constant("head", timed(1e6))).run()
    (note,) = [note for note in result.not_gated if note.startswith("not gated")]
    assert "peak_heap_bytes" in note
    assert "cpu_ns" not in note


def test_other_versions_than_in_a_baseline_are_inconclusive() -> None:
    newer = replace(timed(1e6), versions={"fake": "2"})
    result = gate(constant("base", timed(1e6)), constant("head", newer), same_versions=True).run()
    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert "fake was 1, is 2" in found(result)["status"][1]


def test_a_waived_regression_passes_and_stays_visible() -> None:
    policy = Policy(waivers=(Waiver("known", date(2099, 1, 1), backend="fake"),))
    sides = constant("base", timed(1e6)), constant("head", timed(1.2e6))
    result = gate(*sides, policy=policy).run()
    assert result.outcome is GateOutcome.PASS
    assert {v.finding.outcome for v in result.verdicts} == {GateOutcome.REGRESSED}
    assert {v.waived for v in result.verdicts} == {"known, until 2099-01-01"}


def test_short_spans_are_repeated_more_often() -> None:
    asked: list[int] = []

    def script(one: object, _number: int) -> Observation:
        asked.append(one.planned.cell.repetitions)  # type: ignore[attr-defined]
        return timed(1e6)

    gate(FakeSide("base", script), FakeSide("head", script)).run()
    assert asked[0] == 6
    assert set(asked[2:]) == {MOST_SAMPLES}


def test_a_pass_that_could_not_have_seen_much_is_pointed_out() -> None:
    factors = random.Random(4).choices([0.7, 0.81, 0.93, 1.02, 1.13, 1.26, 1.4], k=99)

    def shaky(_case: object, number: int) -> Observation:
        return timed(1e6 * factors[number])

    result = gate(FakeSide("base", shaky), constant("head", timed(1e6))).run()
    passed = [v for v in result.verdicts if v.outcome is GateOutcome.PASS]
    noted = [note for note in result.notes if "too noisy" in note]
    assert passed
    assert len(noted) == 1
    calm = gate(constant("base", timed(1e6)), constant("head", timed(1e6))).run()
    assert not [note for note in calm.notes if "too noisy" in note]


def test_only_the_chosen_metrics_are_gated() -> None:
    run = gate(constant("base", timed(1e6)), constant("head", timed(1e6)))
    run.metrics = (GATED_METRICS["cpu_ns"],)
    assert set(found(run.run())) == {"cpu_ns"}


def test_threads_are_looked_for_on_all_cores_and_then_left_on_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cores: list[int | None] = []

    def pair(
        first: FakeSide, second: FakeSide, one: Case, core: int | None
    ) -> tuple[Observation, Observation]:
        cores.append(core)
        return first.observe(one), second.observe(one)

    monkeypatch.setattr(run_module, "observe_pair", pair)
    monkeypatch.setattr(IdlestCore, "pick", lambda _: 7)
    alone = constant("base", timed(1e6))
    gate(alone, alone).run()
    assert cores == [None] + [7] * 6
    cores.clear()
    threads = constant("base", timed(2e6, wall_ns=1e6))
    gate(threads, threads).run()
    assert cores == [None] * 7


def test_a_backend_whose_memory_nobody_judged_is_named_first() -> None:
    timed_only = gate(constant("base", timed(1e6)), constant("head", timed(1e6))).run()
    assert timed_only.outcome is GateOutcome.PASS
    first = "memory of fake:plain: not gated, because no scenario of this gate gives a figure of it"
    assert timed_only.not_gated[0].startswith(first)


def test_a_policy_that_names_memory_is_not_passed_without_any() -> None:
    asked = Policy(metrics=("cpu_ns", "peak_rss_bytes"))
    sides = constant("base", timed(1e6)), constant("head", timed(1e6))
    result = gate(*sides, policy=asked).run()
    assert found(result)["peak_rss_bytes"][0] is GateOutcome.INCONCLUSIVE
    assert result.outcome is GateOutcome.INCONCLUSIVE


def test_more_memory_is_found_like_more_time() -> None:
    def script(peak: float) -> FakeSide:
        def observe(_asked: object, number: int) -> Observation:
            jitter = 4096.0 * (number % 3)
            return replace(timed(1e6), figures={"peak_rss_bytes": peak + jitter})

        return FakeSide("side", observe)

    cases = [case("proc_memory")]
    more = gate(script(30e6), script(33e6), cases).run()
    assert found(more)["peak_rss_bytes"][0] is GateOutcome.REGRESSED
    same = gate(script(30e6), script(30e6), cases).run()
    assert found(same)["peak_rss_bytes"][0] is GateOutcome.PASS
    assert not [line for line in same.not_gated if line.startswith("memory of")]
