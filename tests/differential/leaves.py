"""Columns of values: each type that Parquet stores, with the annotations of old and new writers.

Stored values are ints (booleans, too), or bytes: floats, INT96 and byte arrays.
"""

from __future__ import annotations

import decimal
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crafted import BOOLEAN, BYTE_ARRAY, DOUBLE, FIXED, FLOAT, INT32, INT64, INT96, Byte

from .canonical import DAY_NS, NS_PER, float_text

JULIAN_EPOCH = 2_440_588
EXACT = decimal.Context(prec=100)


@dataclass(frozen=True)
class Kind:
    """A type: how it is declared, what it stores and what that means."""

    name: str
    physical: int
    value: Callable[[random.Random], Any]
    """Draws a stored value."""
    meaning: Callable[[Any], Any]
    """A stored value in canonical form."""
    converted: int | None = None
    logical: dict[int, Any] | None = None
    width: int = 0
    precision: int | None = None
    scale: int | None = None
    order: Callable[[Any], Any] | None = None
    """The key that the format orders by; None where it defines no order."""


def _same(value: Any) -> Any:
    return value


def _near(low: int, high: int) -> Callable[[random.Random], int]:
    """Small numbers, ends of the range, any."""

    def one(draw: random.Random) -> int:
        match draw.randrange(5):
            case 0:
                return draw.choice((low, high, low + 1, high - 1))
            case 1:
                return draw.randint(low, high)
            case _:
                return min(max(draw.randrange(-20, 100), low), high)

    return one


def _wrapped(
    draw_value: Callable[[random.Random], int], bits: int
) -> Callable[[random.Random], int]:
    """An unsigned number as the signed one of the same bits, which is what is stored."""

    def one(draw: random.Random) -> int:
        value = draw_value(draw)
        return value - (1 << bits) if value >> (bits - 1) else value

    return one


def integer(bits: int, signed: bool, *, annotated: bool) -> Kind:
    """An integer of so many bits."""
    physical, stored = (INT64, 64) if bits == 64 else (INT32, 32)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    value = _near(low, high) if signed else _wrapped(_near(low, high), stored)
    mask = (1 << stored) - 1
    meaning = _same if signed else mask.__and__
    code = (15 if signed else 11) + {8: 0, 16: 1, 32: 2, 64: 3}[bits]
    return Kind(
        f"{'int' if signed else 'uint'}{bits}",
        physical,
        value,
        meaning,
        converted=code if annotated else None,
        logical={10: {1: Byte(bits), 2: signed}} if annotated else None,
        order=meaning,
    )


def _decimal_meaning(scale: int, stored: Callable[[Any], int]) -> Callable[[Any], decimal.Decimal]:
    return lambda value: decimal.Decimal(stored(value)).scaleb(-scale, EXACT)


def _big_endian(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def decimals(draw: random.Random) -> Kind:
    """Of any precision, in each of the four forms."""
    physical = draw.choice((INT32, INT64, BYTE_ARRAY, FIXED))
    most = {INT32: 9, INT64: 18}.get(physical, 38)
    precision = draw.randint(1, most)
    scale = draw.randint(0, precision)
    limit = 10**precision - 1
    number = _near(-limit, limit)
    more: dict[str, Any] = {
        "converted": 5,
        "logical": {5: {1: scale, 2: precision}},
        "precision": precision,
        "scale": scale,
    }
    if physical in (INT32, INT64):
        meaning = _decimal_meaning(scale, _same)
        return Kind("decimal", physical, number, meaning, order=_same, **more)
    meaning = _decimal_meaning(scale, _big_endian)
    least = (limit.bit_length() + 8) // 8
    if physical == FIXED:
        width = min(least + draw.choice((0, 0, 1)), 16)

        def fixed(draw: random.Random) -> bytes:
            return number(draw).to_bytes(width, "big", signed=True)

        return Kind("decimal", FIXED, fixed, meaning, width=width, order=_big_endian, **more)

    def shortest(draw: random.Random) -> bytes:
        value = number(draw)
        return value.to_bytes(max((value.bit_length() + 8) // 8, 1), "big", signed=True)

    return Kind("decimal", BYTE_ARRAY, shortest, meaning, order=_big_endian, **more)


def _float_order(code: str) -> Callable[[bytes], float]:
    return lambda value: float(struct.unpack(code, value)[0])


def floating(code: str, name: str, physical: int, **more: Any) -> Kind:
    """IEEE 754 numbers, with all that is special."""

    def one(draw: random.Random) -> bytes:
        special = (0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.0, -1.0)
        number = draw.choice(special) if draw.random() < 0.3 else draw.uniform(-1000, 1000)
        return struct.pack(code, number)

    unpack = _float_order(code)
    return Kind(name, physical, one, lambda value: float_text(unpack(value)), order=unpack, **more)


UNIT_FIELD = {"ms": 1, "us": 2, "ns": 3}


def time_of_day(unit: str, utc: bool) -> Kind:
    """In milliseconds (INT32), micro- or nanoseconds (INT64)."""
    scale = NS_PER[unit]
    return Kind(
        f"time_{unit}",
        INT32 if unit == "ms" else INT64,
        lambda draw: draw.choice((0, DAY_NS // scale - 1, draw.randrange(DAY_NS // scale))),
        scale.__mul__,
        converted={"ms": 7, "us": 8, "ns": None}[unit],
        logical={7: {1: utc, 2: {UNIT_FIELD[unit]: {}}}},
        order=_same,
    )


def timestamp(unit: str, utc: bool) -> Kind:
    """Instants or local times, of this century mostly."""
    scale = NS_PER[unit]

    def one(draw: random.Random) -> int:
        seconds = draw.choice((0, -1, draw.randrange(-(10**9), 4 * 10**9)))
        return (seconds * 10**9 + draw.choice((0, draw.randrange(10**9)))) // scale

    return Kind(
        f"timestamp_{unit}",
        INT64,
        one,
        scale.__mul__,
        converted={"ms": 9, "us": 10, "ns": None}[unit],
        logical={8: {1: utc, 2: {UNIT_FIELD[unit]: {}}}},
        order=_same,
    )


def _int96(draw: random.Random) -> bytes:
    return struct.pack(
        "<qi", draw.randrange(DAY_NS), JULIAN_EPOCH + draw.randrange(-30_000, 60_000)
    )


def _int96_ns(value: bytes) -> int:
    nanoseconds, day = struct.unpack("<qi", value)
    return int((day - JULIAN_EPOCH) * DAY_NS + nanoseconds)


WORDS = (
    "",
    "a",
    "b",
    "ab",
    "grüße",
    "日本語",
    "\U0001f600",
    "zz",
    "a" * 40,
    "row",
    "\x00",
    "\uffff",
)


def text(draw: random.Random) -> bytes:
    """Words of all scripts, often the same ones."""
    return (draw.choice(WORDS) + draw.choice(("", str(draw.randrange(30))))).encode()


def binary(draw: random.Random) -> bytes:
    """Bytes, mostly few."""
    return draw.choice(
        (b"", b"\xff", draw.randbytes(draw.randrange(9)), b"prefix" + draw.randbytes(2))
    )


def fixed_bytes(width: int, **more: Any) -> Kind:
    """Byte arrays of one length."""
    few = [random.Random(width).randbytes(width) for _ in range(3)]

    def one(draw: random.Random) -> bytes:
        return draw.choice((draw.choice(few), draw.randbytes(width)))

    return Kind("fixed", FIXED, one, _same, width=width, order=_same, **more)


def kind(draw: random.Random) -> Kind:
    """Any type."""
    return draw.choice(KINDS)(draw)


def _boolean(_draw: random.Random) -> Kind:
    return Kind("boolean", BOOLEAN, lambda draw: draw.randrange(2), bool, order=_same)


def _date(_draw: random.Random) -> Kind:
    days = _near(-100_000, 100_000)
    return Kind("date", INT32, days, DAY_NS.__mul__, converted=6, logical={6: {}}, order=_same)


def _text_like(name: str, converted: int | None, logical: dict[int, Any]) -> Kind:
    return Kind(name, BYTE_ARRAY, text, _same, converted, logical, order=_same)


def _integers(draw: random.Random) -> Kind:
    return integer(draw.choice((8, 16, 32, 64)), draw.random() < 0.5, annotated=True)


KINDS: Sequence[Callable[[random.Random], Kind]] = (
    _boolean,
    lambda _: integer(32, True, annotated=False),
    lambda _: integer(64, True, annotated=False),
    _integers,
    _integers,
    lambda _: Kind("int96", INT96, _int96, _int96_ns),
    lambda _: floating("<f", "float", FLOAT),
    lambda _: floating("<d", "double", DOUBLE),
    lambda _: floating("<e", "float16", FIXED, width=2, logical={15: {}}),
    decimals,
    decimals,
    _date,
    lambda draw: time_of_day(draw.choice(("ms", "us", "ns")), draw.random() < 0.5),
    lambda draw: timestamp(draw.choice(("ms", "us", "ns")), draw.random() < 0.5),
    lambda _: Kind("binary", BYTE_ARRAY, binary, _same, order=_same),
    lambda _: _text_like("text", 0, {1: {}}),
    lambda _: _text_like("text", 0, {1: {}}),
    lambda _: _text_like("enum", 4, {4: {}}),
    lambda _: Kind(
        "json",
        BYTE_ARRAY,
        lambda draw: b'{"k": %d}' % draw.randrange(9),
        _same,
        19,
        {12: {}},
        order=_same,
    ),
    lambda _: Kind("bson", BYTE_ARRAY, binary, _same, 20, {13: {}}, order=_same),
    lambda draw: fixed_bytes(draw.choice((1, 2, 3, 7, 12, 16, 20))),
    lambda _: fixed_bytes(16, logical={14: {}}),
    lambda _: fixed_bytes(12, converted=21),
)
