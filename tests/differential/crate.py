"""The crate in all its modes: each must give the same rows as a plain scan."""

from __future__ import annotations

import datetime
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import firstbyte_arrow
import pyarrow as pa
from comparisons import PYTHON

from .canonical import Columns, columns
from .faults import WrongRows, WrongWhere

ERRORS = (firstbyte_arrow.ParquetError,)
STRINGS = ("utf8", "view", "dictionary")
OF_VALUES = ("does not fit in precision", "is not within the acceptable range")
"""Whether digits fit a precision and times a day is the values' matter, not the decoder's."""
BATCHES = (1, 3, 7, 32, 100, 1024)


def table(reader: Any) -> pa.Table:
    """All batches of a reader, each valid in itself."""
    with reader:
        schema = pa.schema(reader.schema)
        batches = [pa.record_batch(batch) for batch in reader]
    found = pa.Table.from_batches(batches, schema)
    _validate(found)
    return found


def _validate(found: pa.Table) -> None:
    try:
        for column in found.columns:
            column.validate(full=True)
    except pa.ArrowInvalid as error:
        if not any(words in str(error) for words in OF_VALUES):
            raise WrongRows(f"a batch that contradicts itself: {error}") from error


def scan(dataset: Any, **options: Any) -> Columns:
    """The rows of one pass."""
    return columns(table(dataset.scan(**options)))


def rows_of(found: Columns) -> int:
    """How many there are."""
    return max((len(values) for values in found.values()), default=0)


def differs(found: Columns, expected: Columns, mode: str) -> None:
    """Raises WrongRows where they are not the same."""
    if found == expected:
        return
    if list(found) != list(expected):
        raise WrongRows(f"{mode}: columns {list(found)}, not {list(expected)}")
    for name, values in found.items():
        other = expected[name]
        if len(values) != len(other):
            raise WrongRows(f"{mode}: column {name}: {len(values)} rows, not {len(other)}")
        for row, (one, two) in enumerate(zip(values, other, strict=True)):
            if one != two:
                raise WrongRows(f"{mode}: column {name}, row {row}: {one!r:.80}, not {two!r:.80}")


def picked(found: Columns, rows: Sequence[int]) -> Columns:
    """Only these rows."""
    return {name: [values[row] for row in rows] for name, values in found.items()}


class Modes:
    """One file, open: every way through it against the rows of a plain scan."""

    def __init__(self, dataset: Any, whole: Columns, draw: random.Random, **limits: Any) -> None:
        self._dataset, self._whole, self._draw = dataset, whole, draw
        self._limits = limits
        self.comparisons = 0

    def all(self) -> None:
        """Raises WrongRows or WrongWhere, and what the crate raises."""
        for mode in (
            self.strings,
            self.threads,
            self.projection,
            self.take,
            self.shards,
            self.resume,
            self.row_groups,
            self.shuffle,
            *[self.where] * 4,
        ):
            mode()

    def any(self, count: int) -> None:
        """Some of them."""
        ways: list[Callable[[], None]] = [
            self.strings,
            self.threads,
            self.take,
            self.shards,
            self.resume,
            self.projection,
            self.row_groups,
        ]
        for mode in self._draw.sample(ways, count):
            mode()

    def _options(self, **more: Any) -> dict[str, Any]:
        draw = self._draw
        return {
            "batch_size": draw.choice(BATCHES),
            "strings": draw.choice(STRINGS),
            **self._limits,
            **more,
        }

    def strings(self) -> None:
        """Each representation of text."""
        for strings in STRINGS:
            options = self._options(strings=strings)
            differs(scan(self._dataset, **options), self._whole, f"{options}")

    def threads(self) -> None:
        """Decoded ahead."""
        budget = self._draw.choice((1, 1 << 12, 32 << 20))
        options = self._options(threads=self._draw.choice((1, 2, 3)), memory_budget=budget)
        differs(scan(self._dataset, **options), self._whole, f"{options}")

    def projection(self) -> None:
        """Some columns."""
        names = [name for name in self._whole if self._draw.random() < 0.5]
        if len(set(self._dataset.schema.names)) < len(self._whole) or not names:
            return
        options = self._options(columns=names)
        expected = {name: self._whole[name] for name in names}
        differs(scan(self._dataset, **options), expected, f"{options}")

    def take(self) -> None:
        """Single rows, some of them several times."""
        rows = rows_of(self._whole)
        if not rows or self._dataset.num_rows != rows:
            return
        wanted = [self._draw.randrange(rows) for _ in range(self._draw.choice((1, 4, 20)))]
        limits = {name: it for name, it in self._limits.items() if name != "memory_budget"}
        strings = self._draw.choice(STRINGS)
        batch = pa.record_batch(self._dataset.take(wanted, strings=strings, **limits))
        differs(columns(batch), picked(self._whole, wanted), f"take({wanted}, {strings})")

    def shards(self) -> None:
        """All shares together are the whole."""
        world = self._draw.choice((2, 3, 5))
        found: Columns = {name: [] for name in self._whole}
        for rank in range(world):
            options = self._options(shard=(rank, world), threads=self._draw.choice((0, 0, 2)))
            for name, values in scan(self._dataset, **options).items():
                found[name] += values
        differs(found, self._whole, f"{world} shards")

    def resume(self) -> None:
        """Left in the middle and gone on with."""
        options = self._options(batch_size=self._draw.choice((1, 3, 7, 32)))
        batches: list[Any] = []
        stop = self._draw.randrange(4)
        with self._dataset.scan(**options) as reader:
            for batch in reader:
                batches.append(pa.record_batch(batch))
                if len(batches) > stop:
                    break
            position = json.loads(json.dumps(reader.position))
        reader = self._dataset.scan(**options, resume=position)
        rest = table(reader)
        first = pa.Table.from_batches(batches, rest.schema)
        found = {
            name: one + two
            for (name, one), two in zip(columns(first).items(), columns(rest).values(), strict=True)
        }
        differs(found, self._whole, f"resumed after {len(batches)} batches, {options}")

    def row_groups(self) -> None:
        """Some row groups, in another order."""
        sizes = self._dataset.row_groups
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        chosen = self._draw.sample(range(len(sizes)), self._draw.randint(0, len(sizes)))
        rows = [starts[group] + row for group in chosen for row in range(sizes[group])]
        if rows and max(rows) >= rows_of(self._whole):
            return  # of columns without leaves nobody knows
        options = self._options(row_groups=chosen)
        differs(scan(self._dataset, **options), picked(self._whole, rows), f"{options}")

    def shuffle(self) -> None:
        """Another order of the same rows."""
        options = self._options(
            seed=self._draw.randrange(9), shuffle_rows=self._draw.choice((0, 10))
        )
        found, expected = (
            Counter(map(repr, zip(*it.values(), strict=True)))
            for it in (scan(self._dataset, **options), self._whole)
        )
        if found != expected:
            raise WrongRows(f"{options}: {(found - expected).total()} rows are not of the file")

    def where(self) -> None:
        """A comparison with a value, and the same in Python."""
        schema = pa.schema(self._dataset.schema)
        number = self._draw.randrange(max(len(schema), 1))
        if len(schema) == 0 or len(set(schema.names)) < len(schema):
            return
        values = python_values(self._dataset, schema.field(number))
        if values is None:
            return
        name = schema.names[number]
        comparison = _comparison(self._draw, name, values)
        rows = matching(comparison, values)
        shown = [it for it in schema.names if self._draw.random() < 0.6] or [name]
        options = self._options(where=[comparison], columns=shown)
        if self._draw.random() < 0.2:
            options["threads"] = 2
        expected = picked({it: self._whole[it] for it in shown}, rows)
        try:
            differs(scan(self._dataset, **options), expected, f"{options}")
        except WrongRows as error:
            raise WrongWhere(str(error)) from error
        self.comparisons += 1


def python_values(dataset: Any, field: pa.Field) -> list[Any] | None:
    """The column as Python compares it; None where Python has no type that holds all of it."""
    is_, kind = pa.types, field.type
    if pa.types.is_nested(kind) or is_.is_null(kind):
        return None
    try:
        column = pa.table(dataset.scan(columns=[field.name])).column(0)
        if is_.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = kind.value_type
        if is_.is_floating(kind):
            column = column.cast(pa.float64())
        if is_.is_timestamp(kind):
            column = column.cast(pa.timestamp("us", kind.tz))
        if is_.is_time64(kind):
            column = column.cast(pa.time64("us"))
        if is_.is_duration(kind):
            column = column.cast(pa.duration("us"))
        values: list[Any] = column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError, KeyError):
        return None
    return values


def matching(comparison: tuple[str, str, Any], values: Sequence[Any]) -> list[int]:
    """The rows that match, according to Python."""
    _, asked, operand = comparison
    if asked.startswith("is"):
        return [row for row, it in enumerate(values) if (it is None) == (asked == "is null")]
    holds = PYTHON[asked]
    return [row for row, it in enumerate(values) if it is not None and holds(it, operand)]


def _comparison(draw: random.Random, name: str, values: Sequence[Any]) -> tuple[str, str, Any]:
    known = [value for value in values if value is not None]
    asked = draw.choice((*PYTHON, "is null", "is not null"))
    if asked.startswith("is") or not known:
        return name, draw.choice(("is null", "is not null")), None
    operands = [_near(draw, draw.choice(known)) for _ in range(draw.randint(1, 4))]
    return name, asked, operands if "in" in asked else operands[0]


def _near(draw: random.Random, value: Any) -> Any:
    """The value, or one that is like it."""
    if draw.random() < 0.4:
        return value
    match value:
        case bool():
            return draw.choice((0, 1, 0.5, True, False))
        case int():
            return draw.choice(
                (value + 1, value - 1, Decimal(value) + Decimal("0.5"), Fits.real(value), -value)
            )
        case float():
            finite = value == value and abs(value) < 1e300
            return draw.choice((-value, int(value), value + 0.25) if finite else (0.0, value))
        case Decimal():
            return draw.choice((value + Decimal("0.0001"), -value, int(value), Fits.real(value)))
        case str():
            return draw.choice((value[:-1], value + "x", value + "\x00", value[:1], ""))
        case bytes():
            return draw.choice((value[:-1], value + b"x", value + b"\xff", value[:1], b""))
        case datetime.datetime():
            return Fits.shifted(value, datetime.timedelta(microseconds=draw.choice((-1, 1, 999))))
        case datetime.date():
            return Fits.shifted(value, datetime.timedelta(days=draw.choice((-1, 1))))
        case datetime.timedelta():
            return value + datetime.timedelta(microseconds=draw.choice((-1, 1)))
    return value


class Fits:
    """Neighbours that may be out of a type's range."""

    @staticmethod
    def real(value: Any) -> Any:
        """As a float."""
        try:
            return float(value)
        except OverflowError:
            return value

    @staticmethod
    def shifted(value: Any, by: datetime.timedelta) -> Any:
        """Later or earlier."""
        try:
            return value + by
        except OverflowError:
            return value


def open_file(path: Path) -> Any:
    """The dataset of a file."""
    return firstbyte_arrow.open(path)
