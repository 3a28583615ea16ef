"""The values of one column chunk on demand: only pages that hold wanted rows are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress, islice
from operator import not_
from typing import Any, NamedTuple

from . import pages
from .encodings.dictionary import Decoder, Dictionary, Gather
from .encodings.levels import LevelDecoder
from .errors import CorruptParquetError, MalformedError
from .footer import RowGroupMeta
from .pages import PageReader
from .schema import Leaf
from .source import Source
from .values import ValueDecoders

LEVELS_AT_ONCE = 1024


class Levels(NamedTuple):
    """A stretch of a column: both levels per slot, a value where `definition` is at its top."""

    repetition: bytes
    definition: bytes
    values: list[Any]


class ColumnReader:
    """Reads one leaf of one row group from its first row on."""

    def __init__(self, source: Source, group: RowGroupMeta, leaf: Leaf) -> None:
        self._source = source
        self._leaf = leaf
        self._dictionary: Dictionary | None = None
        self._left = 0
        self._repetition: LevelDecoder | None = None
        self._definition: LevelDecoder | None = None
        self._page: pages.Page | None = None
        self._page_rows = self._page_nulls = 0
        self._values: Decoder
        self._ahead = Levels(b"", b"", [])
        self._decoders = ValueDecoders(leaf)
        self._pages: PageReader | None = None
        with self._faults_named():
            self._pages = PageReader(source, group.chunk(leaf.chunk, leaf.dotted), leaf)

    def flat(self, rows: int) -> list[Any]:
        """The values of the next rows, None for nulls: for leaves at the top of the schema.

        Raises CorruptParquetError, Unsupported.
        """
        with self._faults_named():
            taken = self._flat_piece(rows)
            while len(taken) < rows:
                taken += self._flat_piece(rows - len(taken))
            return taken

    def levels(self, rows: int) -> Levels:
        """Levels and values of the next rows. Raises CorruptParquetError, Unsupported."""
        with self._faults_named():
            return self._repeated(rows) if self._leaf.max_repetition else self._unrepeated(rows)

    def _flat_piece(self, rows: int) -> list[Any]:
        """At most `rows` values, from one page."""
        count = self._available(rows)
        if self._definition is None:
            self._seen(count, 0)
            return self._values.take(count)
        present = self._definition.levels(count)
        found = present.count(1)
        self._seen(count, count - found)
        if found == count:
            return self._values.take(count)
        return scattered(self._values.take(found), present)

    def _unrepeated(self, rows: int) -> Levels:
        """Without repetition a slot is a row."""
        definition = bytearray()
        values: list[Any] = []
        while len(definition) < rows:
            _, found, taken = self._slots(rows - len(definition))
            definition += found
            values += taken
        return Levels(bytes(rows), bytes(definition), values)

    def _repeated(self, rows: int) -> Levels:
        """A row ends where the next one starts or the chunk ends, so slots are read until then."""
        ahead = self._ahead
        repetition, definition = bytearray(ahead.repetition), bytearray(ahead.definition)
        values = ahead.values
        starts = repetition.count(0)
        while starts <= rows and not self._exhausted:
            more, found, taken = self._slots(LEVELS_AT_ONCE)
            starts += more.count(0)
            repetition += more
            definition += found
            values += taken
        if repetition and repetition[0]:
            raise MalformedError("the first value continues a row that never started")
        if starts < rows:
            raise MalformedError(f"{rows} rows wanted, the column chunk has {starts} left")
        if starts == rows:
            cut = len(repetition)
        else:
            row_starts = compress(range(len(repetition)), map(not_, repetition))
            cut = next(islice(row_starts, rows, None))
        present = definition.count(self._leaf.max_definition, 0, cut)
        self._ahead = Levels(bytes(repetition[cut:]), bytes(definition[cut:]), values[present:])
        return Levels(bytes(repetition[:cut]), bytes(definition[:cut]), values[:present])

    def _slots(self, count: int) -> tuple[bytes, bytes, list[Any]]:
        """Repetition levels, definition levels and values of at most `count` slots of one page."""
        count = self._available(count)
        maximum = self._leaf.max_definition
        repetition = self._repetition.levels(count) if self._repetition else bytes(count)
        definition = self._definition.levels(count) if self._definition else bytes(count)
        if count and (max(definition) > maximum or max(repetition) > self._leaf.max_repetition):
            raise MalformedError("a level is beyond the depth of the column")
        found = definition.count(maximum)
        self._seen(repetition.count(0), count - found)
        return repetition, definition, self._values.take(found)

    @property
    def _exhausted(self) -> bool:
        return not self._left and self._reader.exhausted

    @property
    def _reader(self) -> PageReader:
        assert self._pages is not None
        return self._pages

    def _available(self, wanted: int) -> int:
        """How many of the wanted slots the current page has; an empty page is left for the next."""
        while not self._left:
            if self._reader.exhausted:
                raise MalformedError(
                    "the column chunk has fewer values than its row group has rows"
                )
            self._next_data_page()
        count = min(wanted, self._left)
        self._left -= count
        return count

    def _seen(self, rows: int, nulls: int) -> None:
        """Note rows and nulls of the current page; at its end its header must have said so."""
        self._page_rows += rows
        self._page_nulls += nulls
        if self._left or self._page is None:
            return
        for what, seen, stated in (
            ("rows", self._page_rows, self._page.num_rows),
            ("nulls", self._page_nulls, self._page.num_nulls),
        ):
            if stated is not None and seen != stated:
                raise MalformedError(f"a page holds {seen} {what}, its header claims {stated}")

    def _next_data_page(self) -> None:
        page = self._reader.next_page()
        if page.is_dictionary:
            if self._dictionary is not None:
                raise MalformedError("a second dictionary page")
            if page.encoding not in (pages.PLAIN, pages.PLAIN_DICTIONARY):
                raise MalformedError(f"a dictionary page in encoding {page.encoding}")
            decoder = self._decoders.decoder(pages.PLAIN, page.data, 0, page.num_values)
            self._dictionary = Dictionary(decoder, page.num_values)
            return
        self._left = page.num_values
        self._page, self._page_rows, self._page_nulls = page, 0, 0
        self._repetition = page.repetition
        self._definition = page.definition
        if page.encoding in (pages.PLAIN_DICTIONARY, pages.RLE_DICTIONARY):
            self._values = self._gather(page)
        else:
            self._values = self._decoders.decoder(
                page.encoding, page.data, page.position, page.num_values
            )

    def _gather(self, page: pages.Page) -> Decoder:
        if page.position == len(page.data):
            return self._decoders.decoder(page.encoding, page.data, page.position, page.num_values)
        if self._dictionary is None:
            raise MalformedError("dictionary indices without a dictionary page")
        return Gather(self._dictionary, page.data, page.position)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        """Faults of decoders, which know neither file nor column, get both."""
        try:
            yield
        except (MalformedError, UnicodeDecodeError) as fault:
            offset = self._pages.offset if self._pages else 0
            raise CorruptParquetError(
                self._source.name, self._leaf.dotted, offset, str(fault)
            ) from fault


def scattered(values: list[Any], present: bytes) -> list[Any]:
    """The values at the slots where `present` is 1, None at the others."""
    slots: list[Any] = [None] * len(present)
    for slot, value in zip(compress(range(len(present)), present), values, strict=True):
        slots[slot] = value
    return slots
