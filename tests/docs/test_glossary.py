"""GLOSSARY.md has each status and each noun of harness/firstbyte/model.py, once."""

from __future__ import annotations

import dataclasses
import inspect
import re

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
