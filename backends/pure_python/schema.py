"""The schema as a tree of leaves, structs, lists and maps with their Dremel levels.

Sources: parquet.thrift and LogicalTypes.md of apache/parquet-format (with its rules for old lists).
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, TypeAlias

from firstbyte.api import Unsupported

from .errors import MalformedError
from .footer import require
from .thrift import Fields

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)
MAX_LEVEL = 255
"""Levels are held in bytes; a schema that needs more is refused by name."""
MAX_DEPTH = 100


class Logical(NamedTuple):
    """What the stored values mean; `kind` is empty for the bare physical type."""

    kind: str = ""
    precision: int = 0
    scale: int = 0
    unit: str = ""
    utc: bool = False
    bits: int = 0
    signed: bool = True


class Leaf(NamedTuple):
    """A column of values. `chunk` is its place among the column chunks of a row group."""

    name: str
    path: tuple[str, ...]
    nullable: bool
    max_definition: int
    max_repetition: int
    chunk: int
    physical: int
    type_length: int
    logical: Logical

    @property
    def dotted(self) -> str:
        return ".".join(self.path)


class Struct(NamedTuple):
    """A group; null below `definition`. A slot at most at level `repetition` starts a new one."""

    name: str
    nullable: bool
    definition: int
    repetition: int
    children: tuple[Node, ...]


class List(NamedTuple):
    """A list: null below `definition`, empty below `item_definition`; `repetition` adds an item.

    `is_map` marks a list of key-value pairs that is a map.
    """

    name: str
    nullable: bool
    definition: int
    item_definition: int
    repetition: int
    item: Node
    is_map: bool = False


Node: TypeAlias = Leaf | Struct | List


def leaves(node: Node) -> list[Leaf]:
    """The leaves below a node, in the order of their chunks."""
    if isinstance(node, Leaf):
        return [node]
    if isinstance(node, List):
        return leaves(node.item)
    return [leaf for child in node.children for leaf in leaves(child)]


def read_schema(elements: list[Fields]) -> tuple[Node, ...]:
    """The top-level columns. Raises MalformedError, Unsupported."""
    builder = _Builder(elements)
    root = builder.next_element()
    top = tuple(builder.node((), 0, 0) for _ in range(root.get("num_children", 0)))
    if builder.position != len(elements):
        raise MalformedError(f"{len(elements) - builder.position} schema elements have no parent")
    names = [node.name for node in top]
    for name, count in Counter(names).items():
        if count > 1:
            raise Unsupported(f"two columns of the same name '{name}'")
    return top


class _Builder:
    """Walks the depth-first list of schema elements once."""

    def __init__(self, elements: list[Fields]) -> None:
        self._elements = elements
        self.position = 0
        self._leaf_count = 0

    def next_element(self) -> Fields:
        if self.position >= len(self._elements):
            raise MalformedError("the schema ends before its last column")
        element = self._elements[self.position]
        self.position += 1
        return element

    def node(self, parent: tuple[str, ...], definition: int, repetition: int) -> Node:
        """The next element and all below it; levels are those of its parent."""
        element = self.next_element()
        name: str = require(element, "name")
        path = (*parent, name)
        if len(path) > MAX_DEPTH:
            raise Unsupported(f"columns nested deeper than {MAX_DEPTH} groups")
        kind = element.get("repetition", REQUIRED)
        if kind not in (REQUIRED, OPTIONAL, REPEATED):
            raise MalformedError(f"unknown repetition {kind} of column '{'.'.join(path)}'")
        if kind == REPEATED:  # outside a LIST group: a list that is never null, of items never null
            item = self._body(element, path, definition + 1, repetition + 1, nullable=False)
            return List(name, False, definition, definition + 1, repetition + 1, item)
        nullable = kind == OPTIONAL
        return self._body(element, path, definition + nullable, repetition, nullable=nullable)

    def _body(
        self,
        element: Fields,
        path: tuple[str, ...],
        definition: int,
        repetition: int,
        *,
        nullable: bool,
    ) -> Node:
        count: int = element.get("num_children", 0)
        # Old writers state for a column that it has no children; only a group has no physical type.
        if not count and "physical" in element:
            return self._leaf(element, path, definition, repetition, nullable=nullable)
        if count < 0:
            raise MalformedError(f"group '{'.'.join(path)}' has {count} columns")
        logical = element.get("logical", {})
        converted = element.get("converted")
        repeated = self._peek_repetition() == REPEATED
        if count == 1 and repeated and ("list" in logical or converted == 3):
            return self._list(path, definition, repetition, nullable=nullable)
        if count == 1 and repeated and ("map" in logical or converted in (1, 2)):
            return self._map(path, definition, repetition, nullable=nullable)
        children = tuple(self.node(path, definition, repetition) for _ in range(count))
        return Struct(path[-1], nullable, definition, repetition, children)

    def _peek_repetition(self) -> int | None:
        if self.position < len(self._elements):
            repetition: int | None = self._elements[self.position].get("repetition")
            return repetition
        return None

    def _list(
        self, path: tuple[str, ...], definition: int, repetition: int, *, nullable: bool
    ) -> List:
        repeated = self.next_element()
        inner = (*path, require(repeated, "name"))
        item_levels = (definition + 1, repetition + 1)
        item: Node
        if _is_wrapper(repeated, path[-1], self._peek_repetition()):
            item = self.node(inner, *item_levels)
        else:
            item = self._body(repeated, inner, *item_levels, nullable=False)
        return List(path[-1], nullable, definition, item_levels[0], item_levels[1], item)

    def _map(
        self, path: tuple[str, ...], definition: int, repetition: int, *, nullable: bool
    ) -> List:
        repeated = self.next_element()
        inner = (*path, require(repeated, "name"))
        if repeated.get("num_children") != 2:
            raise Unsupported(f"map '{'.'.join(path)}' without key and value")
        pair = tuple(self.node(inner, definition + 1, repetition + 1) for _ in range(2))
        entries = Struct(inner[-1], False, definition + 1, repetition + 1, pair)
        return List(
            path[-1], nullable, definition, definition + 1, repetition + 1, entries, is_map=True
        )

    def _leaf(
        self,
        element: Fields,
        path: tuple[str, ...],
        definition: int,
        repetition: int,
        *,
        nullable: bool,
    ) -> Leaf:
        dotted = ".".join(path)
        physical: int = require(element, "physical")
        if not BOOLEAN <= physical <= FIXED_LEN_BYTE_ARRAY:
            raise MalformedError(f"unknown physical type {physical} of column '{dotted}'")
        if definition > MAX_LEVEL or repetition > MAX_LEVEL:
            raise Unsupported(f"column '{dotted}' nested deeper than {MAX_LEVEL} levels")
        type_length: int = element.get("type_length", 0)
        if physical == FIXED_LEN_BYTE_ARRAY and type_length < 1:
            raise Unsupported(
                f"fixed-length byte arrays of {type_length} bytes in column '{dotted}'"
            )
        chunk = self._leaf_count
        self._leaf_count += 1
        return Leaf(
            name=path[-1],
            path=path,
            nullable=nullable,
            max_definition=definition,
            max_repetition=repetition,
            chunk=chunk,
            physical=physical,
            type_length=type_length,
            logical=_checked(_logical(element), physical, type_length, dotted),
        )


def _is_wrapper(repeated: Fields, list_name: str, child_repetition: int | None) -> bool:
    """Whether the repeated group only wraps the item, as all but very old writers make it."""
    if repeated.get("num_children") != 1:
        return False
    if child_repetition == REPEATED:
        return False
    return repeated.get("name") not in ("array", f"{list_name}_tuple")


_CONVERTED: dict[int, Logical] = {
    0: Logical("string"),
    4: Logical("enum"),
    6: Logical("date"),
    7: Logical("time", unit="ms", utc=True),
    8: Logical("time", unit="us", utc=True),
    9: Logical("timestamp", unit="ms", utc=True),
    10: Logical("timestamp", unit="us", utc=True),
    11: Logical("integer", bits=8, signed=False),
    12: Logical("integer", bits=16, signed=False),
    13: Logical("integer", bits=32, signed=False),
    14: Logical("integer", bits=64, signed=False),
    15: Logical("integer", bits=8),
    16: Logical("integer", bits=16),
    17: Logical("integer", bits=32),
    18: Logical("integer", bits=64),
    19: Logical("json"),
    20: Logical("bson"),
}


def _logical(element: Fields) -> Logical:
    """The logical type, or else the older converted type; none where neither is known."""
    converted = element.get("converted")
    for kind, fields in element.get("logical", {}).items():
        if kind == "unknown" and converted is not None:
            continue  # said of intervals, for which there is no logical type
        if kind == "decimal":
            return Logical(
                kind, precision=require(fields, "precision"), scale=require(fields, "scale")
            )
        if kind in ("time", "timestamp"):
            unit = next(iter(require(fields, "unit")), "")
            if not unit:
                raise MalformedError(f"a {kind} column names no unit")
            return Logical(kind, unit=unit, utc=require(fields, "utc"))
        if kind == "integer":
            return Logical(kind, bits=require(fields, "bits"), signed=require(fields, "signed"))
        if kind not in ("list", "map"):
            return Logical(kind)
    if converted == 5:
        return Logical(
            "decimal", precision=require(element, "precision"), scale=element.get("scale", 0)
        )
    return _CONVERTED.get(converted, Logical()) if converted is not None else Logical()


def _checked(logical: Logical, physical: int, type_length: int, dotted: str) -> Logical:
    """The logical type, if the physical one can carry it. Raises MalformedError."""
    kind = logical.kind
    if kind in ("string", "enum", "json", "bson"):
        valid = physical == BYTE_ARRAY
    elif kind == "date":
        valid = physical == INT32
    elif kind == "time":
        valid = physical == (INT32 if logical.unit == "ms" else INT64)
    elif kind == "timestamp":
        valid = physical == INT64
    elif kind == "integer":
        valid = logical.bits in ((8, 16, 32) if physical == INT32 else (64,)) and physical in (
            INT32,
            INT64,
        )
    elif kind == "decimal":
        valid = physical in (INT32, INT64, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY) and (
            logical.precision > 0 and 0 <= logical.scale <= logical.precision
        )
    elif kind in ("uuid", "float16"):
        valid = physical == FIXED_LEN_BYTE_ARRAY and type_length == (16 if kind == "uuid" else 2)
    else:
        valid = True
    if not valid:
        raise MalformedError(f"column '{dotted}' cannot be of logical type {kind}")
    return logical
