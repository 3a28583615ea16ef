"""Plans are the product of the axes, less nothing that is not said why."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_fixtures import HERE, backend_info, catalogue, fake_scenario, scenario_info

from firstbyte.api import Repetitions
from firstbyte.engine.plan import Axes, Plan, estimate_seconds, make_plan
from firstbyte.engine.registry import Catalogue
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.model import Cell, Limits, Param

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def by_profile(params: Mapping[str, Param], instrument: str, profile: str) -> Repetitions:
    """`heap` is only for --full, and there only where n is 1."""
    if instrument == "heap" and (profile == "quick" or params["n"] != 1):
        return Repetitions(0, 1)
    return Repetitions(5 if profile == "full" else 2, 3, warmup_processes=1)


@pytest.fixture
def known(tmp_path: Path) -> Catalogue:
    scan = fake_scenario(
        {"n": (1, 2), "mode": ("threads", "processes")},
        ("clock", "heap"),
        needs=lambda params: frozenset({str(params["mode"])}),
        repetitions=by_profile,
    )
    plain = fake_scenario({}, ("clock", "memory"))
    return catalogue(
        [
            backend_info("alpha", ("one", "two"), ("threads", "processes")),
            backend_info("beta", ("only",), ("threads",)),
            backend_info("gamma", ("only",), ("threads",), distribution="no-such-distribution"),
        ],
        [scenario_info("plain", plain, tmp_path), scenario_info("scan", scan, tmp_path)],
    )


def planned(known: Catalogue, **axes: Any) -> Plan:
    return make_plan(known, Axes(**{"corpora": ("c",), **axes}), HERE)


def keys(plan: Plan) -> list[str]:
    return [str(one.cell.key) for one in plan.cells]


@SHARED
@given(st.data())
def test_the_product_of_the_axes(known: Catalogue, data: st.DataObject) -> None:
    def some(values: list[str]) -> list[str]:
        return data.draw(st.lists(st.sampled_from(values), max_size=4))

    scenarios = some(["plain", "scan"])
    variants = ["alpha:one", "alpha:two", "beta:only", "gamma:only"]
    backends = some([*variants, "alpha", "beta"])
    instruments = some(["clock", "memory"])
    corpora = some(["c", "d"]) or ["c"]
    modes = some(["threads", "processes"])
    axes = Axes(
        scenarios=scenarios,
        backends=backends,
        instruments=instruments,
        corpora=corpora,
        params={"mode": modes} if modes else {},
    )
    expected = {
        f"{scenario}/{variant}@current/{corpus}/{params}/{instrument}"
        for scenario, variant, corpus, instrument in itertools.product(
            scenarios or ["plain", "scan"],
            {v for b in backends or variants for v in variants if v == b or v.split(":")[0] == b},
            corpora,
            instruments or ["clock", "memory"],
        )
        for params in (
            [f"mode={m},n={n}" for m in modes or ["threads", "processes"] for n in (1, 2)]
            if scenario == "scan"
            else ["-"]
        )
        if (scenario, instrument) != ("scan", "memory")
    }
    if modes and scenarios and "scan" not in scenarios:
        with pytest.raises(UnknownNameError, match="no parameter 'mode'"):
            make_plan(known, axes, HERE)
    elif not expected:
        with pytest.raises(HarnessError, match=r"nothing to run"):
            make_plan(known, axes, HERE)
    else:
        found = keys(make_plan(known, axes, HERE))
        assert sorted(found) == sorted(expected), "each cell once, whatever was named twice"


def test_backends_stand_next_to_each_other(known: Catalogue) -> None:
    """So that slow drift of the machine hits all alike."""
    plan = planned(known, scenarios=["scan"])
    for _, group in itertools.groupby(
        plan.cells, lambda one: (one.cell.params, one.cell.instrument)
    ):
        assert [f"{p.cell.backend}:{p.cell.variant}" for p in group] == [
            "alpha:one",
            "alpha:two",
            "beta:only",
            "gamma:only",
        ]


def test_what_a_backend_cannot_do_is_skipped_with_the_reason(known: Catalogue) -> None:
    for one in planned(known).cells:
        lacks = one.cell.backend == "beta" and one.cell.params.get("mode") == "processes"
        reasons = {
            "beta": "beta does not declare: processes" if lacks else "",
            "gamma": "no-such-distribution is not installed: pip install gamma",
        }
        assert one.skipped == reasons.get(one.cell.backend, "")


def test_the_profile_decides_repetitions_and_cells(known: Catalogue) -> None:
    quick, full = (planned(known, profile=profile) for profile in ("quick", "full"))
    assert not any("heap" in key for key in keys(quick))
    heap = [one.cell.params["n"] for one in full.cells if one.cell.instrument == "heap"]
    assert set(heap) == {1}
    scans = [[one for one in plan.cells if one.cell.params] for plan in (quick, full)]
    assert {one.cell.processes for one in scans[0]} == {2}
    assert {one.cell.processes for one in scans[1]} == {5}
    assert {(one.cell.repetitions, one.warmup_processes) for one in scans[1]} == {(3, 1)}


def test_limits_go_to_every_cell(known: Catalogue) -> None:
    limits = Limits(1.5, 12345)
    assert {one.cell.limits for one in planned(known, limits=limits).cells} == {limits}


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    (
        {"scenarios": ["scann"]},
        "no scenario 'scann'; did you mean 'scan'? (allowed: plain, scan)",
    ),
    (
        {"backends": ["alpa"]},
        "no backend 'alpa'; did you mean 'alpha'? (allowed: alpha, beta, gamma)",
    ),
    (
        {"backends": ["alpha:on"]},
        "no variant of alpha 'on'; did you mean 'one'? (allowed: one, two)",
    ),
    (
        {"instruments": ["clok"]},
        "no instrument 'clok'; did you mean 'clock'? (allowed: clock, heap, memory)",
    ),
    (
        {"params": {"nn": ["1"]}},
        "no parameter 'nn'; did you mean 'n'? (allowed: mode, n)",
    ),
    (
        {"params": {"mode": ["thread"]}},
        "no value of parameter mode 'thread'; did you mean 'threads'? (allowed: processes, threads)",
    ),
    (
        {"params": {"n": ["1", "zzz"]}},
        "no value of parameter n 'zzz' (allowed: 1, 2)",
    ),
    (
        {"scenarios": ["plain"], "params": {"n": ["1"]}},
        "no parameter 'n' (allowed: none found)",
    ),
]


@pytest.mark.parametrize(("axes", "message"), UNKNOWN, ids=lambda value: str(value)[:40])
def test_unknown_names_are_refused_with_a_hint(
    known: Catalogue, axes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnknownNameError) as caught:
        planned(known, **axes)
    assert str(caught.value) == message


def test_nothing_left_says_what_to_do(known: Catalogue) -> None:
    with pytest.raises(HarnessError, match=r"nothing to run.*--full"):
        planned(known, instruments=["heap"])


def test_equal_plans_have_equal_fingerprints(known: Catalogue) -> None:
    plan = planned(known)
    assert plan.fingerprint == planned(known, backends=["alpha", "beta", "gamma"]).fingerprint
    others = [
        planned(known, scenarios=["scan"]),
        planned(known, backends=["alpha:one"]),
        planned(known, corpora=("d",)),
        planned(known, instruments=["clock"]),
        planned(known, profile="full"),
        planned(known, params={"n": ["1"]}),
        Plan(plan.cells[::-1]),
    ]
    fingerprints = [other.fingerprint for other in [plan, *others]]
    assert len(set(fingerprints)) == len(fingerprints)


def took(plan: Plan, index: int, duration_s: float, **changes: Any) -> tuple[Cell, float]:
    return replace(plan.cells[index].cell, **changes), duration_s


def test_costs_come_from_the_nearest_of_kin(known: Catalogue) -> None:
    plan = planned(known, scenarios=["plain"], instruments=["clock"])
    alpha_one, alpha_two, beta, _ = plan.cells
    assert [one.cell.processes for one in (alpha_one, alpha_two, beta)] == [1, 1, 1]
    assert estimate_seconds(plan, []) == [None, None, None, 0.0], "a skipped cell costs nothing"
    history = [took(plan, 0, 4.0, processes=2)]
    assert estimate_seconds(plan, history) == [2.0, 2.0, 2.0, 0.0]
    history.append(took(plan, 2, 10.0))
    assert estimate_seconds(plan, history) == [2.0, 2.0, 10.0, 0.0]
    other_scenario = took(plan, 0, 99.0, scenario="scan")
    assert estimate_seconds(plan, [other_scenario]) == [None, None, None, 0.0]


def test_a_variant_can_be_left_to_the_full_profile_or_to_being_named(known: Catalogue) -> None:
    alpha = known.backends["alpha"]
    variants = tuple(replace(one, full_only=one.name == "two") for one in alpha.variants)
    shy = replace(known, backends={**known.backends, "alpha": replace(alpha, variants=variants)})
    assert not any("alpha:two" in key for key in keys(planned(shy)))
    assert any("alpha:two" in key for key in keys(planned(shy, profile="full")))
    assert any("alpha:two" in key for key in keys(planned(shy, backends=("alpha:two",))))
