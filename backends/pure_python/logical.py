"""From stored values to Python values with their meaning.

Source: LogicalTypes.md of apache/parquet-format. Nanoseconds stay integers, as Python's own
date and time types end at microseconds, and dates and timestamps outside the years 1 to 9999 stay
integers as well, as stored. `decimal` and `datetime` are imported only where needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import MalformedError
from .schema import INT32, INT64, Leaf

if TYPE_CHECKING:
    from decimal import Decimal

Convert = Callable[[list[Any]], list[Any]]

_DAY_US = 86_400_000_000
_EPOCH_ORDINAL = 719_163
"""`date.toordinal` of 1970-01-01."""


def converter(leaf: Leaf) -> Convert | None:
    """What turns stored values of this leaf into Python values; None where they are the same."""
    logical = leaf.logical
    if logical.kind == "decimal":
        return _decimals(leaf)
    if logical.kind == "date":
        return _dates
    if logical.kind == "time" and logical.unit != "ns":
        return _times(leaf, 1000 if logical.unit == "ms" else 1)
    if logical.kind == "timestamp" and logical.unit != "ns":
        return _timestamps(leaf, 1000 if logical.unit == "ms" else 1)
    if logical.kind == "float16":
        return _halves
    return None


def _decimals(leaf: Leaf) -> Convert:
    from decimal import Context, Decimal

    scale = leaf.logical.scale
    # Exact for any precision: the context only moves the point, and has room for every digit.
    context = Context(prec=max(leaf.logical.precision, 1) + 400)
    is_integer = leaf.physical in (INT32, INT64)

    def convert(values: list[Any]) -> list[Decimal]:
        if not is_integer:
            if values and max(map(len, values)) > 128:
                raise MalformedError("a decimal is longer than 128 bytes")
            values = [int.from_bytes(value, "big", signed=True) for value in values]
        return [Decimal(value).scaleb(-scale, context) for value in values]

    return convert


def _dates(values: list[int]) -> list[Any]:
    from datetime import date

    def one(value: int) -> Any:
        try:
            return date.fromordinal(value + _EPOCH_ORDINAL)
        except (ValueError, OverflowError):
            return value

    return [one(value) for value in values]


def _times(leaf: Leaf, unit_us: int) -> Convert:
    from datetime import datetime, timedelta

    midnight = datetime(2000, 1, 1)

    def convert(values: list[int]) -> list[Any]:
        if values and not (min(values) >= 0 and max(values) * unit_us < _DAY_US):
            raise MalformedError("a time of day lies outside the day")
        return [(midnight + timedelta(microseconds=value * unit_us)).time() for value in values]

    return convert


def _timestamps(leaf: Leaf, unit_us: int) -> Convert:
    from datetime import UTC, datetime, timedelta

    epoch = datetime(1970, 1, 1, tzinfo=UTC if leaf.logical.utc else None)

    def one(value: int) -> Any:
        try:
            return epoch + timedelta(microseconds=value * unit_us)
        except OverflowError:
            return value

    return lambda values: [one(value) for value in values]


def _halves(values: list[bytes]) -> list[float]:
    return list(struct.unpack(f"<{len(values)}e", b"".join(values)))
