"""The machinery of cases can say each of its answers, and every case file is complete."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from firstbyte.cases import case as machinery
from firstbyte.cases.case import AS_REPORTED, CaseOutcome, Signature
from firstbyte.errors import UnknownNameError

CASE = '''
"""A planted accumulation that can be switched off."""
import time
from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
LINKS = ("https://example.org/1",)
DISTRIBUTION = "pytest"
REPORTED = "all"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("bytes held / bytes read", 0.2, 0.8)
PRESENT, CONTROL = {present}, {control}

def run(arm, data):
    if {crash}:
        raise RuntimeError("no such file")
    keeps = PRESENT if arm == AS_REPORTED else CONTROL
    held = [bytes(1000) for _ in range(10) if keeps]
    print("stray output")
    return {{"held": sum(map(len, held)), "read": 10_000}}

def figure(arms, arm):
    return arms[arm]["held"] / arms[arm]["read"]
'''


def planted(folder: Path, monkeypatch: pytest.MonkeyPatch, **faults: bool) -> ModuleType:
    faults = {"present": True, "control": False, "crash": False} | faults
    (folder / "planted_case.py").write_text(CASE.format(**faults))
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("planted_case", None)
    return __import__("planted_case")


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"present": True}, CaseOutcome.STILL_THERE),
        ({"present": False}, CaseOutcome.FIXED),
        ({"present": True, "control": True}, CaseOutcome.INCONCLUSIVE),
        ({"crash": True}, CaseOutcome.INCONCLUSIVE),
    ],
)
def test_a_case_can_say_each_answer(tmp_path, monkeypatch, faults, expected):
    module = planted(tmp_path, monkeypatch, **faults)
    result = machinery.reproduce("planted", "planted_case", module, tmp_path)
    assert result.outcome is expected
    if "crash" in faults:
        assert "no such file" in result.reason


def test_a_library_that_is_not_installed_is_skipped(tmp_path, monkeypatch):
    module = planted(tmp_path, monkeypatch)
    module.DISTRIBUTION = "no-such-distribution"
    result = machinery.reproduce("planted", "planted_case", module, tmp_path)
    assert result.outcome is CaseOutcome.SKIPPED


@pytest.mark.parametrize(
    ("figure", "expected"),
    [(0.1, CaseOutcome.FIXED), (0.5, CaseOutcome.INCONCLUSIVE), (0.9, CaseOutcome.STILL_THERE)],
)
def test_between_the_bounds_is_inconclusive(figure, expected):
    assert Signature("a share", 0.2, 0.8).read(figure) is expected


def test_an_unknown_case_is_named_with_those_there_are():
    with pytest.raises(UnknownNameError, match="arrow_39808"):
        machinery.load("arrow_39808")


@pytest.mark.parametrize("name", machinery.names())
def test_every_case_says_where_it_comes_from_and_how_it_is_read(name):
    case = machinery.load(name)
    assert case.__doc__
    assert case.REPORTED
    assert case.DISTRIBUTION
    assert all(link.startswith("https://github.com/") for link in case.LINKS)
    assert AS_REPORTED in case.ARMS
    assert case.SIGNATURE.fixed_at_most < case.SIGNATURE.still_there_from


def test_there_are_at_least_twelve_cases():
    assert len(machinery.names()) >= 12
