"""The footer: where it lies in the file and what it says about schema, row groups and columns.

Source: parquet.thrift and README.md of apache/parquet-format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from firstbyte.api import Unsupported

from .errors import MalformedError
from .thrift import Fields, ListOf, Spec, read_struct

if TYPE_CHECKING:
    from .source import Source

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
TAIL_BYTES = 64 * 1024
"""Read at once from the end of the file: holds the whole footer of most files."""

_UNIT: Spec = {1: ("ms", {}), 2: ("us", {}), 3: ("ns", {})}
_TIME: Spec = {1: ("utc", "bool"), 2: ("unit", _UNIT)}
_LOGICAL_TYPE: Spec = {
    1: ("string", {}),
    2: ("map", {}),
    3: ("list", {}),
    4: ("enum", {}),
    5: ("decimal", {1: ("scale", "int"), 2: ("precision", "int")}),
    6: ("date", {}),
    7: ("time", _TIME),
    8: ("timestamp", _TIME),
    10: ("integer", {1: ("bits", "int"), 2: ("signed", "bool")}),
    11: ("unknown", {}),
    12: ("json", {}),
    13: ("bson", {}),
    14: ("uuid", {}),
    15: ("float16", {}),
}
_SCHEMA_ELEMENT: Spec = {
    1: ("physical", "int"),
    2: ("type_length", "int"),
    3: ("repetition", "int"),
    4: ("name", "text"),
    5: ("num_children", "int"),
    6: ("converted", "int"),
    7: ("scale", "int"),
    8: ("precision", "int"),
    10: ("logical", _LOGICAL_TYPE),
}
_COLUMN_META_DATA: Spec = {
    1: ("physical", "int"),
    3: ("path", ListOf("text")),
    4: ("codec", "int"),
    5: ("num_values", "int"),
    6: ("total_uncompressed_size", "int"),
    7: ("total_compressed_size", "int"),
    9: ("data_page_offset", "int"),
    11: ("dictionary_page_offset", "int"),
}
_COLUMN_CHUNK: Spec = {
    1: ("file_path", "text"),
    3: ("meta_data", _COLUMN_META_DATA),
    8: ("crypto_metadata", {}),
}
_ARROW_SCHEMA = b"ARROW:schema"
_FILE_META_DATA: Spec = {
    2: ("schema", ListOf(_SCHEMA_ELEMENT)),
    3: ("num_rows", "int"),
    4: ("row_groups", ListOf({1: ("columns", ListOf(_COLUMN_CHUNK)), 3: ("num_rows", "int")})),
    5: ("key_values", ListOf({1: ("key", "bytes"), 2: ("value", "bytes")})),
}


class ChunkMeta(NamedTuple):
    """One column of one row group: `size` compressed bytes of pages from `start` on."""

    physical: int
    path: tuple[str, ...]
    codec: int
    num_values: int
    uncompressed_size: int
    start: int
    size: int


class RowGroupMeta(NamedTuple):
    """Rows and column chunks, the latter in the order of the schema's leaves."""

    num_rows: int
    columns: list[Fields]

    def chunk(self, index: int, dotted: str) -> ChunkMeta:
        """The chunk of a leaf, checked only when it is wanted: footers can be long.

        `dotted` is the leaf's name. Raises MalformedError, and Unsupported for a chunk in another
        file or an encrypted one.
        """
        return _chunk(self.columns[index], dotted)


class Footer(NamedTuple):
    """What the footer says. `elements` is the schema as stored: a tree in depth-first order.

    The rows are those of the row groups: the file's own total is not kept up by all writers that append.
    `arrow_schema` is what an Arrow writer left under that key, empty if none did.
    """

    offset: int
    elements: list[Fields]
    row_groups: list[RowGroupMeta]
    arrow_schema: bytes


def locate(source: Source) -> tuple[bytes, int]:
    """The bytes of the footer and their offset in the file.

    Raises MalformedError where the file is no Parquet file, Unsupported for an encrypted footer.
    """
    size = source.size
    tail = source.read(max(0, size - TAIL_BYTES), min(size, TAIL_BYTES))
    if tail[-4:] == ENCRYPTED_MAGIC:
        raise Unsupported(f"encrypted footer in {source.name}")
    if size < 12 or tail[-4:] != MAGIC or source.read(0, 4) != MAGIC:
        raise MalformedError("not a Parquet file: the magic bytes PAR1 are missing")
    length = int.from_bytes(tail[-8:-4], "little")
    offset = size - 8 - length
    if offset < 4:
        raise MalformedError(f"the footer claims {length} bytes, the file has {size}")
    if length + 8 <= len(tail):
        return tail[len(tail) - 8 - length : -8], offset
    return source.read(offset, length), offset


def read_footer(source: Source) -> Footer:
    """Read and check the footer. Raises MalformedError, Unsupported."""
    data, offset = locate(source)
    fields, _ = read_struct(data, 0, _FILE_META_DATA)
    groups = [
        RowGroupMeta(_count(group, "num_rows"), require(group, "columns"))
        for group in require(fields, "row_groups")
    ]
    _count(fields, "num_rows")
    pairs = fields.get("key_values", [])
    arrow = [pair.get("value", b"") for pair in pairs if pair.get("key") == _ARROW_SCHEMA]
    return Footer(offset, require(fields, "schema"), groups, b"".join(arrow[:1]))


def require(fields: Fields, name: str) -> Any:
    """A field that the format makes mandatory. Raises MalformedError where it is missing."""
    try:
        return fields[name]
    except KeyError:
        raise MalformedError(f"the required field {name} is missing") from None


def _chunk(column: Fields, dotted: str) -> ChunkMeta:
    if column.get("file_path"):
        raise Unsupported(f"column '{dotted}' is stored in another file, '{column['file_path']}'")
    if "crypto_metadata" in column:
        raise Unsupported(f"column '{dotted}' is encrypted")
    meta: Fields = require(column, "meta_data")
    start = _count(meta, "data_page_offset")
    # Some writers store 0 for "no dictionary"; byte 0 is the magic, so it can never be a page.
    dictionary = meta.get("dictionary_page_offset", 0)
    if 0 < dictionary < start:
        start = dictionary
    return ChunkMeta(
        physical=require(meta, "physical"),
        path=tuple(require(meta, "path")),
        codec=require(meta, "codec"),
        num_values=_count(meta, "num_values"),
        uncompressed_size=_count(meta, "total_uncompressed_size"),
        start=start,
        size=_count(meta, "total_compressed_size"),
    )


def _count(fields: Fields, name: str) -> int:
    value: int = require(fields, name)
    if value < 0:
        raise MalformedError(f"the field {name} is negative: {value}")
    return value
