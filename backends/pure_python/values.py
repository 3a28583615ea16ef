"""Which decoder reads the values of a page: the choice by encoding and physical type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firstbyte.api import Unsupported

from . import pages
from .encodings.booleans import PlainBooleans, RleBooleans
from .encodings.byte_stream_split import joined
from .encodings.delta import (
    DeltaBinaryPacked,
    DeltaByteArrays,
    DeltaLengthByteArrays,
)
from .encodings.dictionary import Decoder, NoValues
from .encodings.plain import (
    ByteArrays,
    FixedBytes,
    FixedWidth,
    Int96,
    MachineFormat,
)
from .errors import MalformedError
from .logical import converter
from .schema import (
    BOOLEAN,
    BYTE_ARRAY,
    DOUBLE,
    FIXED_LEN_BYTE_ARRAY,
    FLOAT,
    INT32,
    INT64,
    INT96,
    Leaf,
)

_BYTE_WIDTHS = {INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8}
_SIGNED_FORMATS: dict[int, MachineFormat] = {INT32: "i", INT64: "q", FLOAT: "f", DOUBLE: "d"}
_UNSIGNED_FORMATS: dict[int, MachineFormat] = {INT32: "I", INT64: "Q"}
_ENCODING_NAMES = {
    pages.PLAIN: "PLAIN",
    pages.PLAIN_DICTIONARY: "PLAIN_DICTIONARY",
    pages.RLE: "RLE",
    pages.BIT_PACKED: "BIT_PACKED (deprecated)",
    pages.DELTA_BINARY_PACKED: "DELTA_BINARY_PACKED",
    pages.DELTA_LENGTH_BYTE_ARRAY: "DELTA_LENGTH_BYTE_ARRAY",
    pages.DELTA_BYTE_ARRAY: "DELTA_BYTE_ARRAY",
    pages.RLE_DICTIONARY: "RLE_DICTIONARY",
    pages.BYTE_STREAM_SPLIT: "BYTE_STREAM_SPLIT",
}


class Converted:
    """A decoder whose values get their logical meaning as they are taken."""

    __slots__ = ("_convert", "_decoder")

    def __init__(self, decoder: Decoder, convert: Callable[[list[Any]], list[Any]]) -> None:
        self._decoder = decoder
        self._convert = convert

    def take(self, count: int) -> list[Any]:
        """The next `count` values, converted. Raises MalformedError, Unsupported."""
        return self._convert(self._decoder.take(count))


class ValueDecoders:
    """Makes the decoder for each page of one leaf."""

    __slots__ = ("_convert", "_leaf", "_text")

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf
        self._text = leaf.logical.kind in ("string", "enum", "json")
        self._convert = converter(leaf)

    def decoder(self, encoding: int, data: bytes, position: int, num_values: int) -> Decoder:
        """The decoder of a page that is not dictionary-encoded.

        `num_values` is that of the page, nulls included. Raises MalformedError, Unsupported.
        """
        if position == len(data) and encoding != pages.PLAIN:
            return NoValues()
        raw = self._raw(encoding, data, position, num_values)
        return raw if self._convert is None else Converted(raw, self._convert)

    def _raw(self, encoding: int, data: bytes, position: int, num_values: int) -> Decoder:
        physical = self._leaf.physical
        if encoding == pages.PLAIN:
            return self._plain(data, position)
        if encoding == pages.RLE and physical == BOOLEAN:
            return RleBooleans(data, position)
        if encoding == pages.DELTA_BINARY_PACKED and physical in (INT32, INT64):
            bits = 32 if physical == INT32 else 64
            return DeltaBinaryPacked(data, position, bits, signed=self._leaf.logical.signed)
        if encoding == pages.DELTA_LENGTH_BYTE_ARRAY and physical == BYTE_ARRAY:
            return DeltaLengthByteArrays(data, position, num_values, text=self._text)
        if encoding == pages.DELTA_BYTE_ARRAY and physical in (BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY):
            return DeltaByteArrays(data, position, num_values, text=self._text)
        if encoding == pages.BYTE_STREAM_SPLIT:
            width = _BYTE_WIDTHS.get(physical, self._leaf.type_length)
            if physical in _BYTE_WIDTHS or physical == FIXED_LEN_BYTE_ARRAY:
                return self._plain(joined(data, position, width), 0)
        if encoding not in _ENCODING_NAMES:
            raise MalformedError(f"unknown encoding {encoding}")
        raise Unsupported(
            f"encoding {_ENCODING_NAMES[encoding]} of this type in column '{self._leaf.dotted}'"
        )

    def _plain(self, data: bytes, position: int) -> Decoder:
        physical = self._leaf.physical
        if physical == BYTE_ARRAY:
            return ByteArrays(data, position, text=self._text)
        if physical == FIXED_LEN_BYTE_ARRAY:
            return FixedBytes(data, position, self._leaf.type_length)
        if physical == BOOLEAN:
            return PlainBooleans(data, position)
        if physical == INT96:
            return Int96(data, position)
        formats = _SIGNED_FORMATS if self._leaf.logical.signed else _UNSIGNED_FORMATS
        return FixedWidth(data, position, formats[physical])
