"""No module imports itself on a detour, and neither does a room: what is below knows nothing of above."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

Graph = Mapping[str, set[str]]

PACKAGE = ROOT / "harness" / "firstbyte"


def modules() -> dict[str, Path]:
    """Import name -> file, of the package with the backends and scenarios that it finds."""
    found = {}
    for base, inside in (
        (PACKAGE.parent, PACKAGE),
        (ROOT, ROOT / "backends"),
        (ROOT, ROOT / "scenarios"),
    ):
        for path in inside.rglob("*.py"):
            parts = list(path.relative_to(base).with_suffix("").parts)
            name = ".".join(parts if parts[0] == "firstbyte" else ["firstbyte", *parts])
            if "target" not in parts:
                found[name.removesuffix(".__init__")] = path
    return found


def imported(name: str, path: Path, known: Collection[str]) -> set[str]:
    """Known modules that this one imports anywhere, in its functions and for its types as well."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            start = ".".join(part for part in (above, node.module) if part)
            for alias in node.names:
                inside = f"{start}.{alias.name}"
                found.add(inside if inside in known else start)
    return found & set(known) - {name}


@cache
def graph() -> Graph:
    known = modules()
    return {name: imported(name, path, known) for name, path in known.items()}


def rooms(of: Graph) -> Graph:
    """The graph of the folders right below the package; files beside them are rooms of their own."""
    found: dict[str, set[str]] = {}
    for name, below in of.items():
        mine = room(name)
        found.setdefault(mine, set()).update(room(one) for one in below if room(one) != mine)
    return found


def room(name: str) -> str:
    return ".".join(name.split(".")[:2])


def circle(of: Graph) -> list[str]:
    """One circle of the graph, if there is any."""
    try:
        TopologicalSorter(of).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_is_in_a_circle() -> None:
    assert circle(graph()) == []


def test_no_room_is_in_a_circle() -> None:
    assert circle(rooms(graph())) == []


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("firstbyte.selfcheck", "firstbyte.gate"),
        ("firstbyte.selfcheck", "firstbyte.leaks"),
        ("firstbyte.commands", "firstbyte.selfcheck"),
        ("firstbyte.gate", "firstbyte.visibility"),
        ("firstbyte.engine", "firstbyte.worker"),
        ("firstbyte.scenarios", "firstbyte.worker"),
        ("firstbyte.backends", "firstbyte.api"),
    ],
)
def test_the_graph_sees_what_is_imported(above: str, below: str) -> None:
    """An import the other way round would be noticed."""
    seen = rooms(graph())
    assert below in seen[above]
    assert circle({**seen, below: seen[below] | {above}})
