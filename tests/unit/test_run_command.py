"""What `firstbyte run` says before it measures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from firstbyte.commands import run
from firstbyte.engine import session


def test_what_a_session_notes_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to hear at the end of an hour that it was measured on other text."""
    workshop = SimpleNamespace(
        notes=("no real text in this run: \x1b[1mno network",),
        plan=SimpleNamespace(cells=()),
        estimates=lambda results, warn: [],
    )
    monkeypatch.setattr(session, "open_session", lambda axes: workshop)
    found = CliRunner().invoke(run.command, ["--dry-run"])
    assert found.exit_code == 0, found.output
    assert found.stderr == (
        "firstbyte: warning: no real text in this run: " + r"\x1b[1mno network" + "\n"
    )
    assert found.stdout == "0 cells, about 0 s\n"
