"""Nested values from levels: the inverse of Dremel's column striping.

Source: S. Melnik et al., "Dremel: Interactive Analysis of Web-Scale Datasets", VLDB 2010. Works
node by node over whole stretches of a column, not record by record.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any

from .column import Levels, scattered
from .errors import MalformedError
from .schema import Leaf, List, Node, Struct, leaves

Streams = Mapping[int, Levels]
"""`chunk` of a leaf -> its levels and values, one slot or more per value of the node that is built."""


def nothing(node: Node) -> dict[str, Any] | None:
    """The value of a group without columns, of which a file can store nothing."""
    if isinstance(node, Struct) and not node.nullable:
        return {child.name: nothing(child) for child in node.children}
    return None


def assemble(node: Node, streams: Streams) -> list[Any]:
    """The values of a node: a list, a dict or a scalar per slot, None for null.

    A struct with two fields of one name is a list of (name, value) pairs. Maps are lists of (key, value)
    pairs, which keeps order and repeated keys.
    Raises MalformedError where the leaves of a node disagree.
    """
    if isinstance(node, Leaf):
        levels = streams[node.chunk]
        if len(levels.values) == len(levels.definition):
            return levels.values
        return scattered(levels.values, _at_least(levels.definition, node.max_definition))
    if isinstance(node, Struct):
        return _structs(node, streams)
    return _lists(node, streams)


def _structs(node: Struct, streams: Streams) -> list[Any]:
    _hold_together(node, node.definition, streams)
    names = [child.name for child in node.children]
    columns = [assemble(child, streams) if leaves(child) else None for child in node.children]
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) > 1:
        raise MalformedError(f"the fields of struct '{node.name}' differ in length")
    (length,) = lengths
    filled = [
        [nothing(child)] * length if column is None else column
        for child, column in zip(node.children, columns, strict=True)
    ]
    # A dict would lose one of two fields of the same name.
    make = dict if len(set(names)) == len(names) else list
    rows: list[Any] = [make(zip(names, row, strict=True)) for row in zip(*filled, strict=True)]
    if not node.nullable:
        return rows
    definition = _slot_definitions(node, streams)
    if len(definition) != len(rows):
        raise MalformedError(f"the fields of struct '{node.name}' differ in length")
    least = node.definition
    return [row if level >= least else None for row, level in zip(rows, definition, strict=True)]


def _hold_together(node: Struct | List, definition: int, streams: Streams) -> None:
    """All leaves tell where the node is. Raises MalformedError where they contradict each other.

    What is beyond the level `definition` each may tell for itself.
    """
    below = leaves(node)
    if len(below) < 2:
        return
    clipped = bytes(min(level, definition) for level in range(256))
    told = set()
    for leaf in below:
        levels = streams[leaf.chunk]
        repeated, defined = levels.repetition, levels.definition.translate(clipped)
        if leaf.max_repetition > node.repetition:
            starts = [level <= node.repetition for level in repeated]
            repeated, defined = bytes(compress(repeated, starts)), bytes(compress(defined, starts))
        told.add((repeated, defined))
    if len(told) > 1:
        raise MalformedError(f"the fields of '{node.name}' contradict each other about where it is")


def _slot_definitions(node: Struct, streams: Streams) -> bytes:
    """The definition level at which each struct starts, from its first leaf."""
    leaf = leaves(node)[0]
    levels = streams[leaf.chunk]
    if leaf.max_repetition == node.repetition:
        return levels.definition
    starts = [level <= node.repetition for level in levels.repetition]
    return bytes(compress(levels.definition, starts))


def _lists(node: List, streams: Streams) -> list[Any]:
    _hold_together(node, node.item_definition, streams)
    below = leaves(node)
    items = assemble(node.item, {leaf.chunk: _inside(node, streams[leaf.chunk]) for leaf in below})
    if node.is_map:
        items = [tuple(pair.values()) for pair in items]
    first = streams[below[0].chunk]
    rows: list[Any] = []
    row: list[Any] | None = None
    used = 0
    for repetition, definition in zip(first.repetition, first.definition, strict=True):
        if repetition < node.repetition:
            if definition >= node.item_definition:
                row = items[used : used + 1]
                used += 1
                rows.append(row)
            else:
                row = None
                rows.append([] if definition >= node.definition else None)
        elif row is None or definition < node.item_definition:
            raise MalformedError(f"an item continues a list of '{node.name}' that has none")
        elif repetition == node.repetition:
            row += items[used : used + 1]
            used += 1
    return rows


def _inside(node: List, levels: Levels) -> Levels:
    """The slots that hold items of the list; null and empty lists have one slot without an item."""
    keep = _at_least(levels.definition, node.item_definition)
    if keep.count(1) == len(keep):
        return levels
    return Levels(
        bytes(compress(levels.repetition, keep)),
        bytes(compress(levels.definition, keep)),
        levels.values,
    )


def _at_least(levels: bytes, least: int) -> bytes:
    """1 where the level is at least `least`, 0 elsewhere."""
    return levels.translate(bytes(least) + b"\1" * (256 - least))
