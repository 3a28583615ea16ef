"""harness/ names no backend and no scenario: what it says of them it has from their folders.

A name in a text of its source is a list that somebody would have to extend, or a rule that holds for one
of them only. Docstrings may give examples.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

HARNESS = ROOT / "harness" / "firstbyte"
WORD = re.compile(r"[A-Za-z0-9_]+")
OF_A_LIBRARY = "is the library of that name, whichever backend uses it"
EXCEPTIONS = {
    ("cases/reported/", "pyarrow"): OF_A_LIBRARY,
    ("cases/reported/", "polars"): OF_A_LIBRARY,
    ("cases/reported/", "datafusion"): OF_A_LIBRARY,
    ("cases/reported/", "duckdb"): OF_A_LIBRARY,
    ("commands/gate.py", "pyarrow"): OF_A_LIBRARY,
    ("corpora/catalogue.py", "pyarrow"): OF_A_LIBRARY,
    ("selfcheck/figures/control.py", "pyarrow"): OF_A_LIBRARY,
    ("selfcheck/memory/", "visibility"): "is what is checked",
    ("selfcheck/memory/planted.py", "accumulation"): "is a fault of the planted backend",
    ("selfcheck/planted/", "accumulation"): "is a fault of the planted backend",
}
"""(path, or folder, in harness/firstbyte; name) -> why it is not what it looks like."""


@cache
def names() -> frozenset[str]:
    """The backends and scenarios of this checkout, by their folders and files."""
    backends = {path.parent.name for path in ROOT.glob("backends/*/backend.toml")}
    return frozenset(backends | {path.stem for path in ROOT.glob("scenarios/[!_]*.py")})


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and value of every text that is more than a docstring."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.lineno, node.value


def named(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every backend or scenario that the source names."""
    known = names()
    for line, text in texts(source):
        for name in known & set(WORD.findall(text)):
            yield line, name


def excepted(path: Path) -> set[tuple[str, str]]:
    """The exceptions that the file makes use of."""
    where = path.relative_to(HARNESS).as_posix()
    found = {name for _, name in named(path.read_text(encoding="utf-8"))}
    return {
        (prefix, name) for prefix, name in EXCEPTIONS if where.startswith(prefix) and name in found
    }


FILES = sorted(HARNESS.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HARNESS).as_posix())
def test_a_file_names_no_backend_and_no_scenario(path: Path) -> None:
    allowed = {name for _, name in excepted(path)}
    found = sorted(named(path.read_text(encoding="utf-8")))
    assert [(line, name) for line, name in found if name not in allowed] == []


def test_every_exception_is_needed() -> None:
    assert {one for path in FILES for one in excepted(path)} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "source", ['run("full_scan")', 'x = {"a": ["pyarrow:buffered"]}', 'f"no {x} in leak_scan"']
)
def test_a_name_is_noticed(source: str) -> None:
    assert list(named(source))


def test_what_only_looks_like_one_is_not(tmp_path: Path) -> None:
    assert not list(
        named('"""Such as full_scan."""\nimport pyarrow\nx = "pyarrow_like leak_scanner"')
    )
