"""Sound Parquet files written byte by byte, with all that writers of ten years were free to do.

What each file does is drawn: encodings, codecs, page versions, where pages and row groups end, checksums,
statistics, indexes, and the habits of old writers. A `Tamper` sees each page on its way and may change it:
what it does is compressed and given a right checksum like everything else, so that it goes deep.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from crafted import (
    BIT_PACKED,
    BOOLEAN,
    BYTE_ARRAY,
    FIXED,
    INT32,
    INT64,
    INT96,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE,
    RLE_DICTIONARY,
    Long,
    structure,
)

from . import encoders
from .canonical import Columns
from .leaves import Kind
from .trees import Field, Node, Stream, draw_field, shred

DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT = 5, 6, 7, 9
NONE, SNAPPY, GZIP, BROTLI, LZ4_HADOOP, ZSTD, LZ4_RAW = 0, 1, 2, 4, 5, 6, 7
CODECS = {SNAPPY: "snappy", GZIP: "gzip", BROTLI: "brotli", ZSTD: "zstd", LZ4_RAW: "lz4_raw"}
OLD_PARQUET_CPP = "parquet-cpp version 1.3.1-SNAPSHOT"
"""Its word that pages are not compressed is not believed by readers, rightly."""
WRITERS = (
    None,
    "parquet-mr version 1.6.0",
    "parquet-mr version 1.12.3 (build f8dced182c4c1fbdec6ccb3185537b5a01e6ed6b)",
    OLD_PARQUET_CPP,
    "impala version 2.8.0",
    "DuckDB",
)


@dataclass
class Page:
    """A data page in the making."""

    repetition: list[int]
    definition: list[int]
    values: list[Any]
    rows: int
    node: Node
    repetition_bytes: bytes = b""
    definition_bytes: bytes = b""
    value_bytes: bytes = b""
    header: dict[int, Any] = field(default_factory=dict)
    """Once the body is made."""
    body: bytes = b""


Tamper = Callable[[str, Page], None]
"""Called at "levels" (lists), at "bytes" (encoded, not compressed) and at "header" (all is made)."""


def _honest(_stage: str, _page: Page) -> None:
    """Changes nothing."""


@dataclass
class Habits:
    """What one file does throughout."""

    codec: int
    version: int
    checksums: bool
    statistics: str
    orders: bool
    index: bool
    bit_packed: bool
    short_tails: bool
    split_rows: bool
    empty_pages: bool
    dictionary_offset: str
    sizes: str
    plain_dictionary: bool
    omit_is_compressed: bool
    page_values: int
    created_by: str | None
    wide_deltas: bool
    stale_rows: bool
    """The file's number of rows is that of before an append."""


def _habits(draw: random.Random) -> Habits:
    version = draw.choice((1, 1, 2))
    old = version == 1
    return Habits(
        codec=draw.choice((NONE, NONE, SNAPPY, GZIP, BROTLI, LZ4_HADOOP, ZSTD, LZ4_RAW)),
        version=version,
        checksums=draw.random() < 0.4,
        statistics=draw.choice(("none", "right", "right", "deprecated", "cut")),
        orders=draw.random() < 0.7,
        index=draw.random() < 0.3,
        bit_packed=old and draw.random() < 0.1,
        short_tails=draw.random() < 0.04,
        split_rows=old and draw.random() < 0.04,
        empty_pages=draw.random() < 0.05,
        dictionary_offset=draw.choice(("right",) * 12 + ("absent", "absent", "zero")),
        sizes=draw.choice(("right",) * 40 + ("zero", "compressed", "no dictionary header")),
        plain_dictionary=old and draw.random() < 0.5,
        omit_is_compressed=draw.random() < 0.3,
        page_values=draw.choice((1, 3, 10, 40, 1000, 1000)),
        created_by=draw.choice(WRITERS),
        wide_deltas=draw.random() < 0.1,
        stale_rows=draw.random() < 0.02,
    )


@dataclass(frozen=True)
class Written:
    """A file and what is in it."""

    data: bytes
    columns: Columns
    has_checksums: bool
    bit_packed: bool
    """Its levels are in the deprecated encoding."""


def own_file(draw: random.Random, tamper: Tamper = _honest) -> Written:
    """Any sound file, as far as `tamper` leaves it so."""
    habits = _habits(draw)
    fields = [draw_field(draw, f"c{i}") for i in range(draw.choice((1, 1, 2, 3, 5)))]
    for one in fields:
        one.node.place()
    sizes = [draw.choice((0, 1, 7, 30, 100)) for _ in range(draw.choice((1, 1, 2, 3)))]
    if not any(sizes):
        sizes[0] = draw.randint(1, 20)
    writer = _Writer(draw, habits, tamper)
    columns: Columns = {one.node.name: [] for one in fields}
    for size in sizes:
        rows = {one.node.name: [one.value(draw) for _ in range(size)] for one in fields}
        writer.row_group(fields, rows, size)
        for one in fields:
            columns[one.node.name] += map(one.meaning, rows[one.node.name])
    return Written(writer.finish(fields, sum(sizes)), columns, habits.checksums, habits.bit_packed)


class _Writer:
    def __init__(self, draw: random.Random, habits: Habits, tamper: Tamper) -> None:
        self._draw, self._habits, self._tamper = draw, habits, tamper
        self._out = bytearray(b"PAR1")
        self._groups: list[dict[int, Any]] = []
        self._indexes: list[tuple[dict[int, Any], list[_Placed]]] = []

    def row_group(self, fields: Sequence[Field], rows: dict[str, list[Any]], size: int) -> None:
        chunks, total = [], 0
        for one in fields:
            streams = shred(one.node, rows[one.node.name])
            for (path, leaf), stream in zip(one.node.leaves(), streams, strict=True):
                chunk, length = self._chunk(path, leaf, stream)
                chunks.append(chunk)
                total += length
        self._groups.append({1: chunks, 2: Long(total), 3: Long(size)})

    def _chunk(
        self, path: tuple[str, ...], leaf: Node, stream: Stream
    ) -> tuple[dict[int, Any], int]:
        draw, habits, kind = self._draw, self._habits, leaf.kind
        assert kind is not None
        start = len(self._out)
        raw = dictionary_header = 0
        encodings = _encodings(kind)
        encoding = draw.choice(encodings)
        dictionary: list[Any] = []
        if encoding == RLE_DICTIONARY:
            dictionary = list(dict.fromkeys(stream.values))
            draw.shuffle(dictionary)
            dictionary = dictionary[: 1 << 20]
            size, dictionary_header = self._dictionary_page(kind, dictionary)
            raw += size
        placed: list[_Placed] = []
        listed = {RLE, PLAIN, encoding}
        first = len(self._out)
        fall_back = draw.random() < 0.3
        pieces = self._pieces(stream, leaf)
        for number, (page, row) in enumerate(pieces):
            used = encoding
            if encoding == RLE_DICTIONARY and fall_back and number >= len(pieces) // 2:
                used = draw.choice([it for it in encodings if it != RLE_DICTIONARY])
            at = len(self._out)
            nulls = sum(level < leaf.max_definition for level in page.definition)
            bounds = _bounds(kind, page.values)
            listed.add(used)
            raw += self._data_page(page, used, dictionary)
            placed.append(
                _Placed(at, len(self._out) - at, row, bounds, nulls, len(page.definition))
            )
        length = len(self._out) - start
        uncompressed, compressed = raw, length
        match habits.sizes:
            case "zero":
                uncompressed = 0
            case "compressed":
                uncompressed = length
            case "no dictionary header":
                compressed -= dictionary_header
                uncompressed -= dictionary_header
        offsets: dict[int, Any] = {9: Long(first)}
        if dictionary_header:
            match habits.dictionary_offset:
                case "right":
                    offsets[11] = Long(start)
                case "absent":
                    offsets[9] = Long(start)
                case "zero":
                    offsets = {9: Long(start), 11: Long(0)}
        metadata = {
            1: kind.physical,
            2: sorted(listed),
            3: list(path),
            4: habits.codec,
            5: Long(len(stream.definition)),
            6: Long(uncompressed),
            7: Long(compressed),
            **offsets,
            12: self._statistics(leaf, stream),
        }
        column: dict[int, Any] = {
            2: Long(start if draw.random() < 0.5 else 0),
            3: metadata,
        }
        if habits.index and placed and not habits.split_rows:
            self._indexes.append((column, placed))
        return column, length

    def _pieces(self, stream: Stream, leaf: Node) -> list[tuple[Page, int]]:
        """Pages, each with its first row."""
        habits = self._habits
        ends: list[int] = []
        at, total = 0, len(stream.repetition)
        while at < total:
            end = min(at + self._draw.randint(1, habits.page_values), total)
            if not habits.split_rows:
                while end < total and stream.repetition[end]:
                    end += 1
            ends.append(end)
            at = end
        if habits.empty_pages or not ends:
            ends = ([0] if self._draw.random() < 0.5 or not ends else []) + ends
            ends.append(total)
        pieces, at, value, row = [], 0, 0, 0
        for end in ends:
            definition = stream.definition[at:end]
            found = definition.count(leaf.max_definition)
            rows = stream.repetition[at:end].count(0)
            pieces.append(
                (
                    Page(
                        stream.repetition[at:end],
                        definition,
                        stream.values[value : value + found],
                        rows,
                        leaf,
                    ),
                    row,
                )
            )
            at, value, row = end, value + found, row + rows
        return pieces

    def _dictionary_page(self, kind: Kind, dictionary: list[Any]) -> tuple[int, int]:
        """Written: its size when not compressed, and the bytes of its header."""
        body = _plain(kind, dictionary)
        stored = compressed(self._habits.codec, body, self._draw)
        encoding = PLAIN_DICTIONARY if self._habits.plain_dictionary else PLAIN
        header: dict[int, Any] = {
            1: 2,
            2: len(body),
            3: len(stored),
            7: {1: len(dictionary), 2: encoding},
        }
        if self._habits.checksums:
            header[4] = _signed_crc(stored)
        head = structure(header)
        self._out += head + stored
        return len(head) + len(body), len(head)

    def _data_page(self, page: Page, encoding: int, dictionary: list[Any]) -> int:
        """Written: its size when not compressed."""
        draw, habits, node = self._draw, self._habits, page.node
        assert node.kind is not None
        self._tamper("levels", page)
        page.repetition_bytes = self._levels(page.repetition, node.max_repetition)
        page.definition_bytes = self._levels(page.definition, node.max_definition)
        page.value_bytes = _encode(node.kind, encoding, page.values, dictionary, draw, habits)
        self._tamper("bytes", page)
        count = len(page.definition)
        if encoding == RLE_DICTIONARY and habits.plain_dictionary:
            encoding = PLAIN_DICTIONARY
        if habits.version == 1:
            body = b"".join(
                self._framed(levels, most)
                for levels, most in (
                    (page.repetition_bytes, node.max_repetition),
                    (page.definition_bytes, node.max_definition),
                )
            )
            body += page.value_bytes
            stored = compressed(habits.codec, body, draw)
            used = BIT_PACKED if habits.bit_packed else RLE
            data = {1: count, 2: encoding, 3: used, 4: used}
            page.header = {1: 0, 2: len(body), 3: len(stored), 5: data}
            raw = len(body)
        else:
            levels = page.repetition_bytes + page.definition_bytes
            plain = draw.random() < 0.2 and habits.created_by != OLD_PARQUET_CPP
            stored = page.value_bytes
            if not plain:
                stored = compressed(habits.codec, page.value_bytes, draw)
            stored = levels + stored
            data = {
                1: count,
                2: sum(level < node.max_definition for level in page.definition),
                3: page.rows,
                4: encoding,
                5: len(page.definition_bytes),
                6: len(page.repetition_bytes),
                7: not plain,
            }
            if habits.omit_is_compressed and not plain:
                del data[7]
            raw = len(levels) + len(page.value_bytes)
            page.header = {1: 3, 2: raw, 3: len(stored), 8: data}
        page.body = stored
        self._tamper("header", page)
        if habits.checksums:
            page.header[4] = _signed_crc(page.body)
        head = structure(page.header)
        self._out += head + page.body
        return len(head) + raw

    def _levels(self, levels: list[int], most: int) -> bytes:
        if not most:
            return b""
        width = most.bit_length()
        if self._habits.bit_packed:
            return encoders.bit_pack_high_first(levels, width)
        return encoders.hybrid(levels, width, self._draw, short=self._habits.short_tails)

    def _framed(self, levels: bytes, most: int) -> bytes:
        """As version 1 has them: behind their length, unless they are the deprecated ones."""
        if not most or self._habits.bit_packed:
            return levels
        return struct.pack("<I", len(levels)) + levels

    def _statistics(self, leaf: Node, stream: Stream) -> dict[int, Any] | None:
        kind, style = leaf.kind, self._habits.statistics
        assert kind is not None
        nulls = sum(level < leaf.max_definition for level in stream.definition)
        if style == "none":
            return None
        found = {3: Long(nulls)}
        if style == "deprecated":
            bounds = _deprecated_bounds(kind, stream.values)
            return found | ({1: bounds[1], 2: bounds[0]} if bounds else {})
        bounds = _bounds(kind, stream.values)
        if bounds is None:
            return found
        low, high = bounds
        if style == "cut" and kind.physical == BYTE_ARRAY and kind.converted != 5:
            # As the format has it: cut, and the largest rounded up; or, as some do, not rounded up.
            return found | {6: low[:2], 5: high[:2], 7: False, 8: False}
        return found | {6: low, 5: high}

    def finish(self, fields: Sequence[Field], rows: int) -> bytes:
        """Index, footer and trailer. Returns the file."""
        self._write_indexes()
        draw = self._draw
        elements: list[dict[int, Any]] = [
            {4: draw.choice(("schema", "root", "hive_schema", "m")), 5: len(fields)}
        ]
        style = draw.choice(("both", "both", "converted", "logical"))
        no_children = draw.random() < 0.05
        for one in fields:
            elements += _elements(one.node, style, no_children)
        leaves = sum(1 for one in fields for _ in one.node.leaves())
        footer = {
            1: draw.choice((1, 2)),
            2: elements,
            3: Long(max(rows // 2, 1) if self._habits.stale_rows else rows),
            4: self._groups,
            6: self._habits.created_by,
            7: [{1: {}} for _ in range(leaves)] if self._habits.orders else None,
        }
        data = structure(footer)
        return bytes(self._out) + data + struct.pack("<I", len(data)) + b"PAR1"

    def _write_indexes(self) -> None:
        for column, pages in self._indexes:
            kept = [page for page in pages if page.slots]
            if len(kept) < len(pages):
                continue  # an index has no place for empty pages
            places = [{1: Long(it.offset), 2: it.size, 3: Long(it.first_row)} for it in kept]
            column[4], column[5] = self._place({1: places})
            if any(it.bounds is None and it.nulls < it.slots for it in kept):
                continue
            empty = [it.bounds is None for it in kept]
            index = {
                1: empty,
                2: [b"" if it.bounds is None else it.bounds[0] for it in kept],
                3: [b"" if it.bounds is None else it.bounds[1] for it in kept],
                4: 0,
                5: [Long(it.nulls) for it in kept],
            }
            column[6], column[7] = self._place(index)

    def _place(self, index: dict[int, Any]) -> tuple[Long, int]:
        written = structure(index)
        at = Long(len(self._out))
        self._out += written
        return at, len(written)


@dataclass(frozen=True)
class _Placed:
    offset: int
    size: int
    first_row: int
    bounds: tuple[bytes, bytes] | None
    nulls: int
    slots: int


def _elements(node: Node, style: str, no_children: bool) -> list[dict[int, Any]]:
    """`no_children`: columns of values state that they have none, as old parquet-cpp did."""
    kind = node.kind
    element: dict[int, Any] = {3: node.repetition, 4: node.name}
    if kind is None:
        element |= {5: len(node.children), 6: node.converted, 10: node.logical}
        below = (_elements(child, style, no_children) for child in node.children)
        return [element, *(line for lines in below for line in lines)]
    has_old = style != "logical" or kind.logical is None
    has_new = style != "converted" or kind.converted is None
    element |= {
        1: kind.physical,
        2: kind.width or None,
        5: 0 if no_children else None,
        6: kind.converted if has_old else None,
        7: kind.scale,
        8: kind.precision,
        10: kind.logical if has_new else None,
    }
    return [element]


def _encodings(kind: Kind) -> list[int]:
    match kind.physical:
        case physical if physical == BOOLEAN:
            return [PLAIN, RLE]
        case physical if physical in (INT32, INT64):
            return [PLAIN, RLE_DICTIONARY, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT]
        case physical if physical == INT96:
            return [PLAIN, RLE_DICTIONARY]
        case physical if physical == BYTE_ARRAY:
            return [PLAIN, RLE_DICTIONARY, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY]
        case physical if physical == FIXED:
            return [PLAIN, RLE_DICTIONARY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT]
    return [PLAIN, RLE_DICTIONARY, BYTE_STREAM_SPLIT]


def _little(kind: Kind, value: Any) -> bytes:
    """A number as it is stored; what is bytes already stays."""
    if isinstance(value, bytes):
        return value
    return int(value).to_bytes(8 if kind.physical == INT64 else 4, "little", signed=True)


def _plain(kind: Kind, values: Sequence[Any]) -> bytes:
    if kind.physical == BOOLEAN:
        return encoders.bit_pack(values, 1)
    if kind.physical == BYTE_ARRAY:
        return encoders.plain_byte_arrays(values)
    return b"".join(_little(kind, value) for value in values)


def _encode(
    kind: Kind,
    encoding: int,
    values: Sequence[Any],
    dictionary: list[Any],
    draw: random.Random,
    habits: Habits,
) -> bytes:
    match encoding:
        case 0:
            return _plain(kind, values)
        case 3:
            runs = encoders.hybrid(values, 1, draw)
            return struct.pack("<I", len(runs)) + runs
        case 5:
            # duckdb writes differences of 32-bit numbers with more bits, and readers wrap them.
            bits = 64 if kind.physical == INT64 or habits.wide_deltas else 32
            return encoders.delta_binary_packed(values, bits, draw)
        case 6:
            return encoders.delta_length(values, draw)
        case 7:
            return encoders.delta_byte_array(values, draw)
        case 8:
            places = {value: place for place, value in enumerate(dictionary)}
            width = max(len(dictionary) - 1, 0).bit_length()
            width = min(width + draw.choice((0, 0, 1)), 32)
            indices = [places[value] for value in values]
            runs = encoders.hybrid(indices, width, draw, short=habits.short_tails)
            return bytes([width]) + runs
    return encoders.byte_stream_split([_little(kind, value) for value in values])


def compressed(codec: int, body: bytes, draw: random.Random) -> bytes:
    """The body as the codec stores it."""
    if codec == NONE:
        return body
    if codec == LZ4_HADOOP:
        return _hadoop(body, draw)
    return bytes(pa.compress(body, codec=CODECS[codec], asbytes=True))


def _hadoop(body: bytes, draw: random.Random) -> bytes:
    """Blocks of LZ4, each behind its two lengths."""
    if draw.random() < 0.1:
        return bytes(pa.compress(body, codec="lz4_raw", asbytes=True))
    middle = draw.choice((len(body), draw.randint(0, len(body))))
    out = b""
    for piece in (body[:middle], body[middle:]):
        if piece or not body:
            block = pa.compress(piece, codec="lz4_raw", asbytes=True)
            out += struct.pack(">II", len(piece), len(block)) + block
        if not body:
            break
    return out


def _signed_crc(body: bytes) -> int:
    crc = zlib.crc32(body)
    return crc - (1 << 32) if crc >> 31 else crc


def _bounds(kind: Kind, values: Sequence[Any]) -> tuple[bytes, bytes] | None:
    """The least and the largest value in the order that the format defines."""
    if kind.order is None or not values:
        return None
    order = kind.order
    known = [value for value in values if order(value) == order(value)]
    if not known or len(known) < len(values):
        return None  # a NaN: no bounds at all is the only safe thing to say
    low, high = min(known, key=order), max(known, key=order)
    if kind.name in ("float", "double", "float16") and (order(low) == 0 or order(high) == 0):
        return None  # zeros of both signs
    return _bound(kind, low), _bound(kind, high)


def _bound(kind: Kind, value: Any) -> bytes:
    return bytes([value]) if kind.physical == BOOLEAN else _little(kind, value)


def _deprecated_bounds(kind: Kind, values: Sequence[Any]) -> tuple[bytes, bytes] | None:
    """As writers before column orders had them: numbers and bytes with a sign, whatever they mean."""
    if not values or kind.physical == INT96:
        return None
    if isinstance(values[0], bytes):
        if kind.name in ("float", "double"):
            return _bounds(kind, values)
        signed = sorted(values, key=lambda value: [byte - 256 * (byte > 127) for byte in value])
        return signed[0], signed[-1]
    return _bound(kind, min(values)), _bound(kind, max(values))
