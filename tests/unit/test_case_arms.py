"""What the child of a case prints is figures, or the case says why there are none."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firstbyte.cases import case


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ('{"bytes": 5}', ""),
        ("", "the arm gave no figures: no JSON: Input data was truncated"),
        ('{"bytes": NaN}', "the arm gave no figures: no JSON: "),
        ('{"bytes": "many"}', "the arm gave no figures: bytes: expected a number, got 'many'"),
        ("null", "the arm gave no figures: expected a table, got None"),
    ],
)
def test_what_an_arm_prints(monkeypatch: pytest.MonkeyPatch, printed: str, reason: str) -> None:
    done = CompletedProcess([], 0, printed, "")
    monkeypatch.setattr(case.subprocess, "run", lambda *_, **__: done)
    figures, why = case.run_arm("module", "arm", Path())
    assert figures == (None if reason else {"bytes": 5})
    assert why.startswith(reason)
    assert "\n" not in why
