"""Nested columns: how they are declared, values of them, and their levels.

A stored value of a required node is its inner value: of a leaf what its kind draws, of a group a tuple with
a value for each child. An optional node has None or an inner value, a repeated one a list of inner values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crafted import OPTIONAL, REPEATED, REQUIRED

from .leaves import Kind, kind

MAP, MAP_KEY_VALUE, LIST = 1, 2, 3
DEEPEST = 3


@dataclass
class Node:
    """A line of the schema, and what is below it."""

    name: str
    repetition: int
    kind: Kind | None = None
    children: Sequence[Node] = ()
    converted: int | None = None
    logical: dict[int, Any] | None = None
    max_definition: int = 0
    max_repetition: int = 0

    def place(self, definition: int = 0, repetition: int = 0) -> None:
        """Work out the levels of this node and of all below."""
        self.max_definition = definition + (self.repetition != REQUIRED)
        self.max_repetition = repetition + (self.repetition == REPEATED)
        for child in self.children:
            child.place(self.max_definition, self.max_repetition)

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """All columns of values below, each with its path."""
        path = (*path, self.name)
        if self.kind is not None:
            yield path, self
        for child in self.children:
            yield from child.leaves(path)


@dataclass(frozen=True)
class Field:
    """A node with values of it, and their canonical form."""

    node: Node
    value: Callable[[random.Random], Any]
    meaning: Callable[[Any], Any]


@dataclass
class Stream:
    """A column of values: levels for each slot, values where the definition is at its highest."""

    repetition: list[int] = field(default_factory=list)
    definition: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


def draw_field(draw: random.Random, name: str, depth: int = 0) -> Field:
    """A column of any shape."""
    nested = depth < DEEPEST and draw.random() < (0.35 if depth == 0 else 0.3)
    if not nested:
        return _leaf(draw, name)
    make = draw.choice((_struct, _list, _list, _list_of_two_levels, _repeated, _map))
    return make(draw, name, depth)


def _optional(draw: random.Random, inner: Callable[[random.Random], Any]) -> tuple[int, Any]:
    """A repetition, and a source of values that fits it."""
    if draw.random() < 0.4:
        return REQUIRED, inner
    share = draw.choice((0.0, 0.1, 0.5, 1.0))
    return OPTIONAL, lambda draw: None if draw.random() < share else inner(draw)


def _or_none(meaning: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else meaning(value)


def _leaf(draw: random.Random, name: str, *, required: bool = False) -> Field:
    made = kind(draw)
    values = made.value
    if draw.random() < 0.5:
        few = [made.value(draw) for _ in range(draw.randint(1, 6))]
        values = lambda draw: draw.choice(few)  # noqa: E731  one of two sources
    repetition, value = (REQUIRED, values) if required else _optional(draw, values)
    return Field(Node(name, repetition, made), value, _or_none(made.meaning))


def _struct(draw: random.Random, name: str, depth: int) -> Field:
    fields = [draw_field(draw, f"f{i}", depth + 1) for i in range(draw.randint(1, 3))]
    repetition, value = _optional(draw, lambda draw: tuple(one.value(draw) for one in fields))
    node = Node(name, repetition, children=[one.node for one in fields])
    return Field(node, value, _or_none(_record(fields)))


def _record(fields: Sequence[Field]) -> Callable[[Any], Any]:
    return lambda value: tuple(one.meaning(part) for one, part in zip(fields, value, strict=True))


def _lengths(draw: random.Random) -> Callable[[random.Random], int]:
    most = draw.choice((1, 3, 3, 9))
    return lambda draw: draw.randint(0, most)


def _annotated(draw: random.Random, converted: int) -> dict[str, Any]:
    """The older annotation, the newer one or both."""
    style = draw.randrange(3)
    logical = {2: {}} if converted != LIST else {3: {}}
    return {
        "converted": converted if style != 1 else None,
        "logical": logical if style != 0 else None,
    }


def _list(draw: random.Random, name: str, depth: int) -> Field:
    """group (LIST) { repeated group list { element } }, under names of several writers."""
    repeated_name, item_name = draw.choice(
        (("list", "element"), ("list", "item"), ("bag", "array_element"), ("entries", "x"))
    )
    item = draw_field(draw, item_name, depth + 1)
    if item.node.repetition == REPEATED:
        item = _leaf(draw, item_name)  # a lone repeated field would itself be what is listed
    length = _lengths(draw)
    repetition, value = _optional(
        draw, lambda draw: ([(item.value(draw),) for _ in range(length(draw))],)
    )
    repeated = Node(repeated_name, REPEATED, children=[item.node])
    node = Node(name, repetition, children=[repeated], **_annotated(draw, LIST))
    return Field(node, value, _or_none(lambda value: [item.meaning(one) for (one,) in value[0]]))


def _repeated_item(draw: random.Random, name: str, depth: int) -> tuple[Node, Any, Any]:
    """What is repeated by itself, without a group around each item: never null."""
    if draw.random() < 0.6:
        item = _leaf(draw, name, required=True)
        node = Node(name, REPEATED, item.node.kind)
        return node, item.value, item.meaning
    fields = [draw_field(draw, f"g{i}", depth + 2) for i in range(draw.randint(2, 3))]
    node = Node(name, REPEATED, children=[one.node for one in fields])
    return node, lambda draw: tuple(one.value(draw) for one in fields), _record(fields)


def _list_of_two_levels(draw: random.Random, name: str, depth: int) -> Field:
    """group (LIST) { repeated element }, as old writers had it."""
    inner, item, meaning = _repeated_item(draw, "array", depth)
    length = _lengths(draw)
    repetition, value = _optional(draw, lambda draw: ([item(draw) for _ in range(length(draw))],))
    node = Node(name, repetition, children=[inner], **_annotated(draw, LIST))
    return Field(node, value, _or_none(lambda value: [meaning(one) for one in value[0]]))


def _repeated(draw: random.Random, name: str, depth: int) -> Field:
    """A repeated column without any annotation."""
    node, item, meaning = _repeated_item(draw, name, depth)
    length = _lengths(draw)
    return Field(
        node,
        lambda draw: [item(draw) for _ in range(length(draw))],
        lambda value: [meaning(one) for one in value],
    )


def _map(draw: random.Random, name: str, depth: int) -> Field:
    key = _leaf(draw, "key", required=True)
    item = draw_field(draw, "value", depth + 1)
    if item.node.repetition == REPEATED:
        item = _leaf(draw, "value")
    length = _lengths(draw)
    repetition, value = _optional(
        draw,
        lambda draw: ([(key.value(draw), item.value(draw)) for _ in range(length(draw))],),
    )
    old = draw.random() < 0.3
    entries = Node(
        "map" if old else "key_value",
        REPEATED,
        children=[key.node, item.node],
        converted=MAP_KEY_VALUE if old else None,
    )
    more = {"converted": MAP, "logical": None} if old else _annotated(draw, MAP)
    node = Node(name, repetition, children=[entries], **more)
    return Field(
        node,
        value,
        _or_none(lambda value: [(key.meaning(k), item.meaning(v)) for k, v in value[0]]),
    )


def shred(node: Node, rows: Sequence[Any]) -> list[Stream]:
    """The streams of all leaves of a top-level node, in order. Rows begin where a repetition is 0."""
    streams = {id(leaf): Stream() for _, leaf in node.leaves()}

    def absent(node: Node, repetition: int, definition: int) -> None:
        if node.kind is not None:
            stream = streams[id(node)]
            stream.repetition.append(repetition)
            stream.definition.append(definition)
        for child in node.children:
            absent(child, repetition, definition)

    def inner(node: Node, value: Any, repetition: int) -> None:
        if node.kind is not None:
            stream = streams[id(node)]
            stream.repetition.append(repetition)
            stream.definition.append(node.max_definition)
            stream.values.append(value)
            return
        for child, part in zip(node.children, value, strict=True):
            present(child, part, repetition, node.max_definition)

    def present(node: Node, value: Any, repetition: int, definition: int) -> None:
        if node.repetition == REPEATED:
            if not value:
                absent(node, repetition, definition)
            for number, one in enumerate(value):
                inner(node, one, node.max_repetition if number else repetition)
        elif value is None:
            assert node.repetition == OPTIONAL
            absent(node, repetition, definition)
        else:
            inner(node, value, repetition)

    for row in rows:
        present(node, row, 0, 0)
    return list(streams.values())
