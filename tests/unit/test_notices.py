"""Standard error: one line each, in one place, and nothing of others is obeyed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from firstbyte.render import notices

HARNESS = Path(notices.__file__).parents[1]
MAY_WRITE = {"render/notices.py", "worker/elsewhere.py", "worker/main.py"}
"""A worker's standard error belongs to the worker: it is kept with its record."""


@pytest.mark.parametrize(
    ("say", "start"),
    [
        (notices.error, "firstbyte: "),
        (notices.warning, "firstbyte: warning: "),
        (notices.progress, "firstbyte: "),
    ],
)
def test_a_notice_is_one_line_that_moves_nothing(
    say: Callable[[str], None], start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say("two\nlines, \x1b[31mred\x07")
    out, err = capsys.readouterr()
    assert (out, err) == ("", start + r"two lines, \x1b[31mred\x07" + "\n")


def test_nobody_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    notices.silent("a word")
    assert capsys.readouterr() == ("", "")


def test_only_notices_write_to_standard_error() -> None:
    found = set()
    for path in HARNESS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            direct = isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stderr"
            echoed = isinstance(node, ast.keyword) and node.arg == "err"
            if direct or echoed:
                found.add(str(path.relative_to(HARNESS)))
    assert found == MAY_WRITE
