"""The policy file: what it allows, what it refuses and in which words, and what a waiver covers."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from pipeline_fixtures import backend_info, catalogue, fake_scenario, scenario_info

from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.gate.policy import (
    ExpiredWaiverError,
    Policy,
    PolicyError,
    Waiver,
    check_names,
    parse_fraction,
    read_policy,
    with_tolerances,
)
from firstbyte.gate.trials import GateOutcome, TrialFinding
from firstbyte.gate.verdicts import Verdict, overall

TODAY = date(2026, 6, 1)
GOOD = """
[tool.firstbyte.gate]
corpus = "mt"
scenarios = ["full_scan"]
tolerance = 0.03
[tool.firstbyte.gate.params]
cache = ["warm"]
readers = [1]
[tool.firstbyte.gate.tolerances]
cpu_ns = "4%"
"full_scan.net_wall_ns" = 0.05
[[tool.firstbyte.gate.waivers]]
backend = "polars"
metric = "cpu_ns"
up_to = 0.10
reason = "deeper read-ahead"
expires = 2026-06-01
"""


def policy_of(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path, TODAY)


def test_a_policy_is_read(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, GOOD)
    assert policy.corpus == "mt"
    assert policy.params == {"cache": ("warm",), "readers": ("1",)}
    assert policy.tolerances.time == 0.03
    assert policy.tolerances.named == {"cpu_ns": 0.04, "full_scan.net_wall_ns": 0.05}
    assert policy.waivers[0].expires == TODAY, "the last day still counts"


def test_without_a_table_or_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "[project]\nname = 'x'\n") == Policy()
    assert read_policy(tmp_path / "none.toml", TODAY) == Policy()


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (
            "expires = 2026-06-01",
            "expires = 2026-05-31",
            ExpiredWaiverError,
            "expired on 2026-05-31",
        ),
        ("expires = 2026-06-01", "", PolicyError, r"waivers\[0\]: missing expires"),
        ("expires = 2026-06-01", 'expires = "2026-06-01"', PolicyError, "unquoted"),
        ('reason = "deeper read-ahead"', 'reason = " "', PolicyError, "needs a reason"),
        ('metric = "cpu_ns"', 'metrics = "cpu_ns"', PolicyError, "did you mean 'metric'"),
        ("tolerance = 0.03", "tolerance = -1", PolicyError, "not a positive fraction"),
        ("tolerance = 0.03", "tolerence = 0.03", PolicyError, "did you mean 'tolerance'"),
        (
            "tolerance = 0.03",
            "tolerance = true",
            PolicyError,
            "tolerance: expected a number or a text, got True",
        ),
        ('cpu_ns = "4%"', 'cpu_nanos = "4%"', UnknownNameError, "did you mean 'cpu_ns'"),
        (
            'scenarios = ["full_scan"]',
            'scenarios = "full_scan"',
            PolicyError,
            "scenarios: expected a list, got",
        ),
        (
            'cache = ["warm"]',
            'cache = "warm"',
            PolicyError,
            "params.cache: expected a list, got 'w",
        ),
        ('corpus = "mt"', "corpus = 5", PolicyError, "gate: corpus: expected a text, got 5"),
        (
            'backend = "polars"',
            "backend = 5",
            PolicyError,
            r"waivers\[0\].backend: expected a text",
        ),
        (
            'backend = "polars"',
            'backends = "p"',
            PolicyError,
            "unknown key 'backends'; did you mean",
        ),
        ("up_to = 0.10", "up_to = nan", PolicyError, "waivers.up_to: 'nan' is not a positive fra"),
        ('cpu_ns = "4%"', "cpu_ns = []", PolicyError, "tolerances.cpu_ns: expected a number or a"),
        ("corpus =", "corpus", PolicyError, "cannot read"),
    ],
)
def test_a_wrong_policy_is_one_clear_line(
    tmp_path: Path, old: str, new: str, error: type[HarnessError], message: str
) -> None:
    assert old in GOOD
    with pytest.raises(error, match=message) as caught:
        policy_of(tmp_path, GOOD.replace(old, new, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["tool = 5", "[tool]\nfirstbyte = 5", "[tool.firstbyte]\ngate = 5"]
)
def test_what_is_no_table_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError, match=r"pyproject.toml: \w+: expected a table, got 5"):
        policy_of(tmp_path, text)


def test_tolerance_options_are_more_specific_than_the_file(tmp_path: Path) -> None:
    policy = with_tolerances(policy_of(tmp_path, GOOD), ["6%", "cpu_ns=0.07"])
    assert policy.tolerances.time == 0.06
    assert policy.tolerances.named["cpu_ns"] == 0.07
    with pytest.raises(UnknownNameError, match="no gated metric 'speed'"):
        with_tolerances(policy, ["speed=5%"])
    with pytest.raises(PolicyError, match="'lots' is not a positive fraction"):
        with_tolerances(policy, ["lots"])


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("0.05", 0.05), (" 15 % ", 0.15)])
def test_fractions(text: str, value: float) -> None:
    assert parse_fraction(text, "here") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "0", "-2%", "inf", "nan", "five"])
def test_bad_fractions(text: str) -> None:
    with pytest.raises(PolicyError, match="positive fraction"):
        parse_fraction(text, "here")


NAMES = {
    'tolerances = { "ful_scan.cpu_ns" = 0.05 }': "no scenario 'ful_scan'; did you mean 'full_scan'?",
    'tolerances = { "full_scan.cpu_ns" = 0.05, cpu_ns = 0.01 }': "",
    '@scenario = "ful_scan"': "no scenario for waiver 'known', 'ful_scan'; did you mean 'full_scan'?",
    '@backend = "polar:*"': "no backend for waiver 'known', 'polar:*'",
    '@backend = "polars:stream"': "'polars:stream'; did you mean 'polars:streaming'?",
    '@metric = "cpu_nanos"': "no metric for waiver 'known', 'cpu_nanos'; did you mean 'cpu_ns'?",
    '@backend = "polars:*"': "",
    '@backend = "po?ars"': "",
    '@scenario = "full_*"': "",
}
"""Settings, those of a waiver behind an @, and why they can never apply."""


@pytest.mark.parametrize("text", NAMES)
def test_what_can_never_apply_is_refused(tmp_path: Path, text: str) -> None:
    known = catalogue(
        [backend_info("polars", ["streaming"])],
        [scenario_info("full_scan", fake_scenario(), tmp_path)],
    )
    waiver = '[[tool.firstbyte.gate.waivers]]\nreason = "known"\nexpires = 2026-06-01\n'
    table = waiver if text.startswith("@") else "[tool.firstbyte.gate]\n"
    policy = policy_of(tmp_path, table + text.removeprefix("@"))
    if not NAMES[text]:
        check_names(policy, known)
        return
    with pytest.raises(UnknownNameError, match=re.escape(NAMES[text])):
        check_names(policy, known)


CASE = "full_scan/polars:streaming/mt:size=1MB/-/clock"


def verdict(outcome: GateOutcome, change: float | None = 0.05, metric: str = "cpu_ns") -> Verdict:
    return Verdict(CASE, metric, TrialFinding(outcome, "rule", change=change))


@pytest.mark.parametrize(
    ("waiver", "covered"),
    [
        ({}, True),
        ({"backend": "polars"}, True),
        ({"backend": "polars:st*"}, True),
        ({"backend": "pyarrow"}, False),
        ({"scenario": "leak_*"}, False),
        ({"metric": "net_wall_ns"}, False),
        ({"up_to": 0.05}, True),
        ({"up_to": 0.049}, False),
    ],
)
def test_what_a_waiver_covers(waiver: dict[str, object], covered: bool) -> None:
    policy = Policy(waivers=(Waiver(reason="known", expires=TODAY, **waiver),))  # type: ignore[arg-type]
    (waived,) = policy.waive([verdict(GateOutcome.REGRESSED)])
    assert bool(waived.waived) is covered
    assert (overall([waived]) is GateOutcome.PASS) is covered
    assert waived.finding.outcome is GateOutcome.REGRESSED, "what was found stays visible"


def test_a_waiver_never_hides_a_pass_and_a_bounded_one_no_unknown_change() -> None:
    policy = Policy(waivers=(Waiver(reason="known", expires=TODAY, up_to=0.5),))
    found = policy.waive([verdict(GateOutcome.PASS), verdict(GateOutcome.REGRESSED, change=None)])
    assert [one.waived for one in found] == ["", ""]
