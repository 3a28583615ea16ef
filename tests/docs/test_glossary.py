"""GLOSSARY.md has each status and each noun of harness/firstbyte/model.py, once; so have class names."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections import defaultdict
from pathlib import Path

from conftest import ROOT

from firstbyte import model
from firstbyte.model import Status


def words(text: str) -> list[str]:
    """The first cells of the glossary's tables."""
    return [
        word.strip()
        for word in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
        if word.strip() not in ("word", "status")
    ]


def nouns() -> set[str]:
    """The dataclasses of the model, in lower case."""
    return {
        name.lower()
        for name, value in vars(model).items()
        if inspect.isclass(value) and dataclasses.is_dataclass(value)
    }


def missing(text: str) -> set[str]:
    return (nouns() | {status.value for status in Status}) - set(words(text))


def glossary() -> str:
    return (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")


def test_every_noun_and_status_has_its_word() -> None:
    assert missing(glossary()) == set()


def test_a_word_that_is_missing_is_noticed() -> None:
    assert nouns() >= {"cell", "sample", "record", "run", "environment", "limits"}
    for word in nouns() | {status.value for status in Status}:
        assert missing(glossary().replace(f"| {word} |", "| other |")) == {word}


def test_no_word_stands_twice() -> None:
    found = words(glossary())
    assert len(found) == len(set(found))


def test_no_status_is_explained_that_does_not_exist() -> None:
    shouted = {word for word in words(glossary()) if re.fullmatch(r"[A-Z_]+", word)}
    assert shouted == {status.value for status in Status}


PACKAGE = ROOT / "harness" / "firstbyte"
INSTRUMENTS = PACKAGE / "worker" / "instruments"
HALVES = {"Probe", "Observer"}
"""What `firstbyte.api.Instrument` asks of each instrument's file, by these names."""


def types(path: Path) -> set[str]:
    """Public classes and aliases of types that a module defines."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = {node.name for node in body if isinstance(node, ast.ClassDef)}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.add(node.targets[0].id)
    found = {name for name in names if re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", name)}
    return found - HALVES if path.parent == INSTRUMENTS else found


def defined_in(folder: Path) -> dict[str, list[str]]:
    """Type -> the modules of the folder that define one of that name; plug-ins have names of their own."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        if "planted" not in path.parts:
            for name in types(path):
                found[name].append(str(path.relative_to(folder)))
    return found


def test_no_name_stands_for_two_types() -> None:
    twice = {name: paths for name, paths in defined_in(PACKAGE).items() if len(paths) > 1}
    assert twice == {}


def test_most_words_are_a_type() -> None:
    """The words that people read are those that the code is made of."""
    named = {name.lower() for name in defined_in(PACKAGE)}
    assert named >= nouns() | {
        "backend", "case", "instrument", "investigation", "manifest", "observation", "order", "outcome",
        "plan", "purpose", "reader", "role", "scenario", "shard", "side", "trial", "variant", "verdict",
    }  # fmt: skip


def test_two_types_of_one_name_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class Outcome: ...\nLIMIT = 3\n")
    (tmp_path / "other.py").write_text("Outcome = str | None\nLIMIT = 4\n")
    assert defined_in(tmp_path) == {"Outcome": ["one.py", "other.py"]}
