"""Data are what a dataclass says, or the place and what is allowed there are named; old versions are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from firstbyte.contracts import ContractError, Document, conform, read_toml
from firstbyte.errors import StoreError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    size: int | float
    colour: Colour = Colour.RED

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size must not be negative")


@dataclass(frozen=True, slots=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...] = ()
    named: Mapping[str, Leaf] = field(default_factory=dict)
    best: Leaf | None = None
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    cores: Annotated[int, Meta(ge=1)] | Literal["all"] = 1
    anything: Mapping[str, Any] = field(default_factory=dict)
    pair: tuple[str, int] = ("", 0)
    perhaps: tuple[Leaf, ...] | None = None


def test_data_become_the_class() -> None:
    raw = {
        "name": "t",
        "leaves": [{"size": 1}, {"size": 0.5, "colour": "blue"}],
        "named": {"a": {"size": 2}},
        "cores": "all",
        "anything": {"keys": {"of": [1]}},
    }
    made = conform(raw, Tree)
    assert made == Tree(
        "t",
        (Leaf(1), Leaf(0.5, Colour.BLUE)),
        {"a": Leaf(2)},
        cores="all",
        anything={"keys": {"of": [1]}},
    )
    assert type(made.leaves[0].size) is int, "what was whole stays whole"


WRONG: Mapping[str, tuple[object, str]] = {
    "no table": ([], "expected a table, got []"),
    "unknown": ({"nam": 1}, "unknown key 'nam'; did you mean 'name'? (allowed: anything, best, "),
    "missing": ({}, "missing name"),
    "text": ({"name": 5}, "name: expected a text, got 5"),
    "no list": ({"name": "", "leaves": "ab"}, "leaves: expected a list, got 'ab'"),
    "inside": (
        {"name": "", "leaves": [{"size": 1}, {"size": "x"}]},
        "leaves[1].size: expected a n",
    ),
    "of a table": ({"name": "", "named": {"a": {"size": None}}}, "named.a.size: expected a number"),
    "key inside": (
        {"name": "", "named": {"a": {"sise": 1}}},
        "named.a: unknown key 'sise'; did yo",
    ),
    "optional": (
        {"name": "", "best": {"size": 1, "x": 2}},
        "best: unknown key 'x' (allowed: colou",
    ),
    "missing inside": ({"name": "", "leaves": [{}]}, "leaves[0]: missing size"),
    "rule": ({"name": "", "leaves": [{"size": -1}]}, "leaves[0]: size must not be negative"),
    "enumeration": (
        {"name": "", "best": {"size": 1, "colour": "green"}},
        "best.colour: expected 'red' or 'blue', got 'green'",
    ),
    "choice": (
        {"name": "", "cores": "two"},
        "cores: expected a whole number from 1 or 'all', got ",
    ),
    "bound": ({"name": "", "cores": 0}, "cores: expected a whole number from 1 or 'all', got 0"),
    "switch": ({"name": "", "cores": True}, "or 'all', got True"),
    "not a number": (
        {"name": "", "share": float("nan")},
        "share: expected a number above 0 up to 1",
    ),
    "infinite": ({"name": "", "share": float("inf")}, "share: expected a number above 0 up to 1"),
    "pair": ({"name": "", "pair": ["a", "b"]}, "pair[1]: expected a whole number, got 'b'"),
    "perhaps": ({"name": "", "perhaps": [{"sise": 1}]}, "perhaps[0]: unknown key 'sise'; did you"),
    "long": ({"name": "", "cores": "x" * 99}, "got '" + "x" * 56 + "..."),
}


@pytest.mark.parametrize("kind", WRONG)
def test_the_place_and_what_is_allowed_are_named(kind: str) -> None:
    raw, message = WRONG[kind]
    with pytest.raises(ContractError) as caught:
        conform(raw, Tree)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@dataclass(frozen=True, slots=True)
class Kept:
    name: str
    rows: int
    sizes: tuple[int, ...]
    schema: int = 3


def upgrade_1_to_2(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "rows": 0}


def upgrade_2_to_3(raw: dict[str, Any]) -> dict[str, Any]:
    size = raw.pop("size")
    return {**raw, "sizes": [size]}


KEPT = Document(
    Kept, 3, StoreError, upgrades={1: upgrade_1_to_2, 2: upgrade_2_to_3}, remedy="make it again"
)


def test_every_old_version_is_read() -> None:
    first = {"schema": 1, "name": "a", "size": 5}
    for raw in (first, first | {"schema": 2, "rows": 0}):
        assert KEPT.parse(json.dumps(raw), "f") == Kept("a", 0, (5,))
    assert KEPT.parse('{"schema": 3, "name": "a", "rows": 1, "sizes": []}', "f").rows == 1


REFUSED = {
    '{"schema": 4, "what": "ever"}': (
        "cannot read f: its schema is 4, this firstbyte reads up to 3: "
        "use the newer firstbyte that wrote it"
    ),
    '{"schema": 0}': "cannot read f: its schema 0 is too old to be read; make it again",
    '{"schema": 2}': "cannot read f: not what schema 2 was (KeyError('size')); make it again",
    '{"schema": "3"}': "cannot read f: schema: expected a whole number, got '3'; make it again",
    "{}": "cannot read f: schema: expected a whole number, got None; make it again",
    "[]": "cannot read f: expected a table, got []; make it again",
    '{"schema": 1, "name": "a", "size": 1, "x": 1}': (
        "cannot read f: unknown key 'x' (allowed: name, rows, schema, sizes); make it again"
    ),
    '{"schema": 3': "cannot read f: no JSON: Input data was truncated; make it again",
    '{"schema": 3, "name": "a", "rows": NaN, "sizes": []}': "no JSON: JSON is malformed",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_damaged_or_newer_is_one_line(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        KEPT.parse(text, "f")
    assert REFUSED[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_documents_without_a_version_may_be_of_a_known_one() -> None:
    marked = replace(KEPT, unmarked=1)
    assert marked.parse('{"name": "a", "size": 5}', "f") == Kept("a", 0, (5,))


@dataclass(frozen=True, slots=True)
class Glance:
    rows: int


def test_a_glance_reads_some_fields_of_every_version() -> None:
    for raw in ('{"schema": 1, "name": 7, "size": 5}', '{"schema": 3, "rows": 0, "x": []}'):
        assert KEPT.glance(raw, "f", Glance) == Glance(0)
    with pytest.raises(StoreError, match=r"cannot read f: rows: expected a whole number, got 'x'"):
        KEPT.glance('{"schema": 3, "rows": "x"}', "f", Glance)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*none: No such file"):
        KEPT.read(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match=r"cannot read .*bytes: no JSON"):
        KEPT.read(tmp_path / "bytes")
    with pytest.raises(ContractError, match="utf-8"):
        read_toml(tmp_path / "bytes")
