"""The pages of one column chunk, read, checked and decompressed one at a time.

Source: parquet.thrift and README.md of apache/parquet-format.
"""

from __future__ import annotations

import zlib

from .codecs import check_codec, decompress
from .encodings.hybrid import Hybrid
from .encodings.levels import BitPackedLevels, LevelDecoder
from .errors import MalformedError, TruncatedError
from .footer import ChunkMeta, require
from .schema import Leaf
from .source import Source
from .thrift import Fields, Spec, read_struct

PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED = 0, 2, 3, 4
DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY = 5, 6, 7
RLE_DICTIONARY, BYTE_STREAM_SPLIT = 8, 9
DATA, INDEX, DICTIONARY, DATA_V2 = range(4)

_PAGE_HEADER: Spec = {
    1: ("type", "int"),
    2: ("uncompressed_size", "int"),
    3: ("compressed_size", "int"),
    4: ("crc", "int"),
    5: (
        "data",
        {
            1: ("num_values", "int"),
            2: ("encoding", "int"),
            3: ("definition_encoding", "int"),
            4: ("repetition_encoding", "int"),
        },
    ),
    7: ("dictionary", {1: ("num_values", "int"), 2: ("encoding", "int")}),
    8: (
        "data_v2",
        {
            1: ("num_values", "int"),
            2: ("num_nulls", "int"),
            3: ("num_rows", "int"),
            4: ("encoding", "int"),
            5: ("definition_size", "int"),
            6: ("repetition_size", "int"),
            7: ("is_compressed", "bool"),
        },
    ),
}
FIRST_READ_BYTES = 4096
"""Holds a header with its statistics nearly always, and a small page whole."""
MAX_HEADER_BYTES = 16 * 1024 * 1024


class Page:
    """One decompressed page: values from `position` of `data` on; levels if the column has them.

    `num_rows` and `num_nulls` are what its header says, None where it says nothing of use.
    """

    __slots__ = (
        "data",
        "definition",
        "encoding",
        "is_dictionary",
        "num_nulls",
        "num_rows",
        "num_values",
        "position",
        "repetition",
    )

    def __init__(self, fields: Fields, data: bytes, *, is_dictionary: bool = False) -> None:
        """`fields` is the header of the page's kind."""
        self.is_dictionary = is_dictionary
        self.num_values: int = require(fields, "num_values")
        self.encoding: int = require(fields, "encoding")
        self.data = data
        self.position = 0
        self.num_rows: int | None = None
        self.num_nulls: int | None = None
        self.repetition: LevelDecoder | None = None
        self.definition: LevelDecoder | None = None


class PageReader:
    """Reads the pages of a chunk in order. `offset` in the file is where the current one starts."""

    __slots__ = ("_chunk", "_end", "_leaf", "_next", "_source", "_unseen", "offset")

    def __init__(self, source: Source, chunk: ChunkMeta, leaf: Leaf) -> None:
        self.offset = self._next = chunk.start
        self._source = source
        self._chunk = chunk
        self._leaf = leaf
        self._end = chunk.start + chunk.size
        self._unseen = chunk.num_values
        if self._end > source.size:
            raise TruncatedError(f"the column chunk ends at byte {self._end}, beyond the file")
        if chunk.physical != leaf.physical or chunk.path != leaf.path:
            raise MalformedError(f"the column chunk belongs to column '{'.'.join(chunk.path)}'")
        check_codec(chunk.codec)

    @property
    def exhausted(self) -> bool:
        """Whether the pages seen hold all values that the footer promises."""
        return self._unseen == 0

    def next_page(self) -> Page:
        """The next dictionary or data page. Raises MalformedError, Unsupported."""
        while True:
            self.offset = self._next
            header, body = self._read()
            kind = require(header, "type")
            if kind == DICTIONARY:
                return self._dictionary_page(header, body)
            if kind in (DATA, DATA_V2):
                page = (self._data_page if kind == DATA else self._data_page_v2)(header, body)
                if not 0 <= page.num_values <= self._unseen:
                    raise MalformedError(
                        f"a page of {page.num_values} values where {self._unseen} are left"
                    )
                self._unseen -= page.num_values
                if not self._unseen:
                    self._check_end()
                return page
            if kind != INDEX:  # index pages are reserved and carry nothing
                raise MalformedError(f"unknown page type {kind}")

    def _check_end(self) -> None:
        """No page of values comes after the last value: one that claims too many would push others out.

        Raises MalformedError. Whatever else is there is no matter: some chunks are longer than their pages.
        """
        available = self._chunk.start + self._chunk.size - self._next
        if available <= 0:
            return
        try:
            header, _ = read_struct(
                self._source.read(self._next, min(available, FIRST_READ_BYTES)), 0, _PAGE_HEADER
            )
        except MalformedError:
            return
        fields = header.get("data") or header.get("data_v2") or {}
        if fields.get("num_values", 0) > 0:
            raise MalformedError("a page of values after the last one that the footer promises")

    def _read(self) -> tuple[Fields, bytes]:
        """The next page header and its body as stored; moves on to the page behind it."""
        available = self._end - self._next
        if available <= 0:
            raise TruncatedError(f"the pages end with {self._unseen} values missing")
        window = min(available, FIRST_READ_BYTES)
        while True:
            data = self._source.read(self._next, window)
            try:
                header, start = read_struct(data, 0, _PAGE_HEADER)
                break
            except TruncatedError:
                if window >= min(available, MAX_HEADER_BYTES):
                    raise
                window = min(available, window * 16)
        require(header, "type")
        size: int = require(header, "compressed_size")
        if size < 0 or require(header, "uncompressed_size") < 0 or start + size > available:
            raise MalformedError(f"a page body of {size} bytes does not fit its column chunk")
        if start + size <= window:
            body = data[start : start + size]
        else:
            body = self._source.read(self._next + start, size)
        if "crc" in header and zlib.crc32(body) != header["crc"] & 0xFFFFFFFF:
            raise MalformedError("the checksum of the page does not match its bytes")
        self._next += start + size
        if header["type"] == DICTIONARY:
            # Writers before parquet-mr 1.2.9 left the dictionary's header out of the chunk's size
            # (PARQUET-816): the pages may go on for so much longer.
            self._end = min(self._end + start, self._source.size)
        return header, body

    def _dictionary_page(self, header: Fields, body: bytes) -> Page:
        data = self._decompress(body, header["uncompressed_size"])
        page = Page(require(header, "dictionary"), data, is_dictionary=True)
        if not 0 <= page.num_values <= 8 * len(data):
            raise MalformedError(f"a dictionary of {page.num_values} values in {len(data)} bytes")
        return page

    def _data_page(self, header: Fields, body: bytes) -> Page:
        fields: Fields = require(header, "data")
        data = self._decompress(body, header["uncompressed_size"])
        page = Page(fields, data)
        leaf = self._leaf
        if leaf.max_repetition:
            encoding = require(fields, "repetition_encoding")
            page.repetition = self._levels_v1(page, leaf.max_repetition, encoding)
        if leaf.max_definition:
            encoding = require(fields, "definition_encoding")
            page.definition = self._levels_v1(page, leaf.max_definition, encoding)
        return page

    def _levels_v1(self, page: Page, maximum: int, encoding: int) -> LevelDecoder:
        """Levels behind four bytes of length, unless they are the deprecated bit-packed ones.

        The page's position moves behind them.
        """
        if encoding == BIT_PACKED:
            width = maximum.bit_length()
            levels = BitPackedLevels(page.data, page.position, page.num_values, width)
            page.position += levels.size_bytes
            return levels
        if encoding != RLE:
            raise MalformedError(f"levels in encoding {encoding}")
        start = page.position + 4
        end = start + int.from_bytes(page.data[page.position : start], "little")
        if end > len(page.data):
            raise TruncatedError("the levels of a page are cut off")
        page.position = end
        return Hybrid(page.data, start, end, maximum.bit_length())

    def _data_page_v2(self, header: Fields, body: bytes) -> Page:
        fields: Fields = require(header, "data_v2")
        repetition_end: int = require(fields, "repetition_size")
        definition_end: int = repetition_end + require(fields, "definition_size")
        size = header["uncompressed_size"] - definition_end
        if not 0 <= repetition_end <= definition_end <= len(body) or size < 0:
            raise MalformedError(f"{definition_end} bytes of levels do not fit the page")
        data = body[definition_end:]
        # pyarrow 2.0 said of compressed pages that they are not.
        if fields.get("is_compressed", True) or len(data) != size:
            data = self._decompress(data, size)
        page = Page(fields, data)
        leaf = self._leaf
        page.num_rows = require(fields, "num_rows")
        if leaf.max_definition <= 1 and not leaf.max_repetition:
            # In nested columns writers differ about which empty slots are nulls; some state -1 for unknown.
            nulls: int = require(fields, "num_nulls")
            page.num_nulls = nulls if nulls >= 0 else None
        if leaf.max_repetition:
            width = leaf.max_repetition.bit_length()
            page.repetition = Hybrid(body, 0, repetition_end, width)
        if leaf.max_definition:
            width = leaf.max_definition.bit_length()
            page.definition = Hybrid(body, repetition_end, definition_end, width)
        return page

    def _decompress(self, body: bytes, size: int) -> bytes:
        return decompress(self._chunk.codec, body, size, self._chunk.uncompressed_size)
