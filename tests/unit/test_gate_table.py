"""The terminal table shows every verdict whole at any width."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from test_gate_render import RESULT

from firstbyte.gate.outputs import table


@pytest.mark.parametrize("width", [80, 100, 240])
def test_every_verdict_is_shown_whole(width: int) -> None:
    console = Console(width=width, record=True, file=StringIO())
    console.print(table.render(RESULT))
    text = console.export_text()
    assert "working tree against v1 (1234567)" in text
    for word in ("REGRESSED", "INCONCLUSIVE", "PASS", "waived: known", "+5.1%", "exit code 10"):
        assert word in " ".join(text.split())
    assert "killed by SIGSEGV" in " ".join(text.split())
    assert "\x1b[31m" not in text
    assert max(map(len, text.splitlines())) <= width
