"""A kept file is one writer's text, whole, whoever else writes it meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from firstbyte import whole

ANOTHER = """
import sys
from pathlib import Path
from firstbyte.whole import write_whole

write_whole(Path(sys.argv[1]), "another's")
"""


def test_two_writers_at_once_leave_the_later_ones_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.json"
    seen = []

    def another_writes(_descriptor: int) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "harness")}
        subprocess.run([sys.executable, "-c", ANOTHER, str(path)], env=environ, check=True)
        seen.append(path.read_text())

    monkeypatch.setattr(os, "fsync", another_writes)
    whole.write_whole(path, "our own, and longer")
    assert seen == ["another's"]
    assert path.read_text() == "our own, and longer"
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]
