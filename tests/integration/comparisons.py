"""Comparisons drawn at random, held against Python: `python tests/integration/comparisons.py --count 99`."""

from __future__ import annotations

import argparse
import datetime
import math
import operator
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_500
UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1)


def _ordered(relate: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(value: Any, other: Any) -> bool:
        try:
            return relate(value, other)
        except InvalidOperation:
            # A decimal number and a NaN, which are in no order.
            return False

    return holds


PYTHON: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": lambda value, many: any(value == one for one in many),
    "not in": lambda value, many: not any(value == one for one in many),
}
Draw = Callable[[random.Random], Any]


def _rising(draw: random.Random, span: int, low: int) -> list[int]:
    """Numbers that mostly rise, so that groups and pages have bounds of their own."""
    step = max(span // ROWS, 1)
    return [low + min(i * step + draw.randrange(20 * step), span - 1) for i in range(ROWS)]


def _integers(low: int, high: int) -> Draw:
    near = (low, low - 1, high, high + 1, 0, 1, -1, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1)

    def one(draw: random.Random) -> Any:
        whole = draw.choice((draw.choice(near), draw.randint(low, high)))
        match draw.randrange(8):
            case 0:
                return whole + 0.5 if abs(whole) < 2**60 else float(whole)
            case 1:
                return float(whole)
            case 2:
                return Decimal(whole) + Decimal("0.25")
            case 3:
                return draw.choice((math.inf, -math.inf, math.nan, True, False))
            case _:
                return whole

    return one


def _floats(scale: float, power: int) -> Draw:
    def one(draw: random.Random) -> Any:
        match draw.randrange(6):
            case 0:
                return draw.choice((0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7e308))
            case 1:
                return draw.choice((2**power, 2**power + 1, -(2**power) - 1, 10**400, -(10**400)))
            case 2:
                return draw.randint(-int(scale), int(scale))
            case 3:
                return Fraction(draw.randint(-1000, 1000), draw.randint(1, 7))
            case 4:
                return Decimal(draw.randint(-1000, 1000)) / 8
            case _:
                return draw.uniform(-scale, scale)

    return one


def _decimals(digits: int, scale: int) -> Draw:
    def one(draw: random.Random) -> Any:
        exact = Decimal(draw.randint(-(10 ** (digits // 2)), 10**digits)).scaleb(-scale)
        match draw.randrange(5):
            case 0:
                return float(exact)
            case 1:
                return int(exact)
            case 2:
                return exact + Decimal(1).scaleb(-scale - 3)
            case 3:
                return Decimal(
                    draw.choice(("1E+30", "-1E+30", "1E-500", "-1E-500", "0", "1E+5000"))
                )
            case _:
                return exact

    return one


def _words(draw: random.Random) -> str:
    return draw.choice(("", "a", "ab", "é", "\U0001f600", "w0", "w1")) + draw.choice(
        ("", "x", str(draw.randrange(2_000)), "\uffff")
    )


def _moments(unit_us: int, zone: datetime.tzinfo | None) -> Draw:
    def one(draw: random.Random) -> datetime.datetime:
        since = datetime.timedelta(microseconds=draw.randrange(-(10**6), 2 * ROWS * 10**6))
        if draw.random() < 0.5:
            since -= since % datetime.timedelta(microseconds=unit_us)
        moment = (EPOCH + since).replace(tzinfo=zone and UTC)
        if zone is not None and draw.random() < 0.5:
            moment = moment.astimezone(datetime.timezone(datetime.timedelta(hours=-7)))
        return moment

    return one


def columns() -> dict[str, tuple[pa.Array, Draw]]:
    """For each column its values and a source of what they are compared with."""
    draw = random.Random(11)
    made: dict[str, tuple[pa.Array, Draw]] = {}
    for bits in (8, 16, 32, 64):
        for kind, low in ((f"int{bits}", -(2 ** (bits - 1))), (f"uint{bits}", 0)):
            values = _rising(draw, 2**bits, low)
            made[kind] = (
                pa.array(_holes(draw, values), kind),
                _integers(low, low + 2**bits - 1),
            )
    special = (0.0, -0.0, math.nan, math.inf, -math.inf)
    for kind, scale, power in (
        ("halffloat", 2_000.0, 11),
        ("float", 1e6, 24),
        ("double", 1e16, 53),
    ):
        values = [
            special[i // 7 % 5] if i // 7 % 9 < 1 else (i - 700) * scale / 800 for i in range(ROWS)
        ]
        values[:3] = [2.0**power, -(2.0**power), 1.0]
        array = pa.array(_holes(draw, values), pa.float64()).cast(kind, safe=False)
        made[kind] = (array, _floats(scale, power))
    for digits, scale in ((8, 2), (17, 3), (30, 10), (60, 20)):
        unscaled = [draw.randrange(10**digits // 2) + i * 10**digits // 4000 for i in range(ROWS)]
        values = [Decimal(n - 10**digits // 3).scaleb(-scale) for n in unscaled]
        kind = pa.decimal128(38, scale) if digits <= 38 else pa.decimal256(70, scale)
        made[f"decimal{digits}"] = (pa.array(_holes(draw, values), kind), _decimals(digits, scale))
    for unit, size in (("ms", 1_000), ("us", 1), ("ns", 1)):
        for zone in (None, "UTC"):
            moments = [
                EPOCH + datetime.timedelta(seconds=i, microseconds=size * (i % 3))
                for i in range(ROWS)
            ]
            array = pa.array(_holes(draw, moments), pa.timestamp(unit)).cast(
                pa.timestamp(unit, zone)
            )
            made[f"timestamp_{unit}_{zone}"] = (array, _moments(size, UTC if zone else None))
        if unit != "ns":
            times = [(EPOCH + datetime.timedelta(seconds=50 * i)).time() for i in range(ROWS)]
            kind = pa.time32("ms") if unit == "ms" else pa.time64("us")
            made[f"time_{unit}"] = (
                pa.array(_holes(draw, times), kind),
                lambda draw: (
                    EPOCH + datetime.timedelta(microseconds=draw.randrange(86_400 * 10**6))
                ).time(),
            )
    days = [datetime.date(1970, 1, 1) + datetime.timedelta(days=i - 500) for i in range(ROWS)]
    made["date"] = (pa.array(_holes(draw, days), pa.date32()), lambda draw: draw.choice(days))
    spans = [datetime.timedelta(milliseconds=i) for i in range(ROWS)]
    made["duration"] = (
        pa.array(spans, pa.duration("us")),
        lambda draw: datetime.timedelta(microseconds=draw.randrange(ROWS * 1_000)),
    )
    made["truth"] = (pa.array(_holes(draw, [i > 900 for i in range(ROWS)])), _integers(0, 1))
    words = sorted(_words(draw) for _ in range(ROWS))
    made["text"] = (pa.array(_holes(draw, words)), _words)
    made["coded"] = (pa.array(_holes(draw, words)).dictionary_encode(), _words)
    binary = [word.encode() for word in words]
    made["binary"] = (pa.array(_holes(draw, binary)), lambda draw: _words(draw).encode())
    fixed = sorted(draw.randbytes(3) for _ in range(ROWS))
    made["fixed"] = (pa.array(_holes(draw, fixed), pa.binary(3)), lambda draw: draw.randbytes(3))
    return made


RECORD = "record"
"""A struct, null here and there, that has all columns once more."""


def _in_record(made: dict[str, tuple[pa.Array, Draw]]) -> tuple[pa.Array, dict[str, Draw]]:
    """The struct, and what its fields are compared with."""
    # An integer of 64 bits stands for a duration where no schema says so.
    fields = {name: it for name, it in made.items() if name != "duration"}
    nulls = pa.array([i // 30 % 7 == 3 for i in range(ROWS)])
    arrays = [array for array, _ in fields.values()]
    record = pa.StructArray.from_arrays(arrays, list(fields), mask=nulls)
    return record, {f"{RECORD}.{name}": one for name, (_, one) in fields.items()}


def _holes(draw: random.Random, values: Sequence[Any]) -> list[Any]:
    return [None if i // 40 % 6 == 2 or draw.random() < 0.05 else it for i, it in enumerate(values)]


LAYOUTS: Sequence[dict[str, Any]] = (
    {"row_group_size": 100},
    {"row_group_size": 600, "data_page_size": 200, "write_batch_size": 20, "write_page_index": True},
    {"row_group_size": 90, "data_page_size": 200, "write_batch_size": 20, "write_page_index": True,
     "data_page_version": "2.0", "use_dictionary": False},
    {"row_group_size": 400, "write_statistics": False, "store_schema": False},
)  # fmt: skip


class Bench:
    """Files of the same rows in several layouts, in a folder."""

    def __init__(self, folder: Path) -> None:
        import firstbyte_arrow

        made = columns()
        record, drawn = _in_record(made)
        table = pa.table({name: array for name, (array, _) in made.items()} | {RECORD: record})
        table = table.add_column(0, "id", pa.array(range(ROWS), pa.int32()))
        self.sources = {name: one for name, (_, one) in made.items()} | drawn
        self.values = {name: _python(array) for name, (array, _) in made.items()}
        for name in drawn:
            inner = self.values[name.removeprefix(f"{RECORD}.")]
            self.values[name] = [
                it if there else None
                for it, there in zip(inner, record.is_valid().to_pylist(), strict=True)
            ]
        self.names = list(self.sources)
        self.datasets = []
        for number, layout in enumerate(LAYOUTS):
            path = folder / f"{number}.parquet"
            kept = table if layout.get("store_schema", True) else table.drop_columns(["duration"])
            pq.write_table(kept, path, **layout)
            self.datasets.append(firstbyte_arrow.open(path))

    def draw(self, draw: random.Random) -> tuple[str, str, Any]:
        """A comparison."""
        name = draw.choice(self.names)
        asked = draw.choice((*PYTHON, "is null", "is not null"))
        one = self.sources[name]
        if asked.startswith("is"):
            return name, asked, None
        known = [value for value in self.values[name] if value is not None]
        drawn = [
            draw.choice(known) if draw.random() < 0.4 else one(draw)
            for _ in range(draw.randrange(5) + 1)
        ]
        return name, asked, drawn if "in" in asked else drawn[0]

    def expected(self, where: tuple[str, str, Any]) -> list[int]:
        """The rows that match, according to Python."""
        name, asked, operand = where
        values = self.values[name]
        if asked.startswith("is"):
            return [row for row, it in enumerate(values) if (it is None) == (asked == "is null")]
        holds = PYTHON[asked]
        return [row for row, it in enumerate(values) if it is not None and holds(it, operand)]

    def differences(self, count: int, seed: int) -> list[str]:
        """Comparisons whose rows are others than Python's."""
        draw, found = random.Random(seed), []
        for number in range(count):
            where = self.draw(draw)
            dataset = draw.choice(
                [it for it in self.datasets if where[0].split(".")[0] in it.schema.names]
            )
            options = {"batch_size": draw.choice((64, 1024)), "columns": ["id"]}
            strings = draw.choice(("utf8", "view", "dictionary"))
            try:
                with dataset.scan(where=[where], strings=strings, **options) as reader:
                    rows = [row for batch in reader for row in batch.column("id").to_list()]
            except Exception as error:
                found.append(f"{number}: {where!r} on {dataset.path.name}: {error!r}")
                continue
            expected = self.expected(where)
            if rows != expected:
                lost, more = set(expected) - set(rows), set(rows) - set(expected)
                found.append(
                    f"{number}: {where!r} on {dataset.path.name}: {len(lost)} lost, {len(more)} more"
                )
        return found


def _python(array: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz))
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float64())
    return array.to_pylist()


def main() -> int:
    """Exit status 0 where all agree, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Bench(Path(folder)).differences(options.count, options.seed)
    print("\n".join(found[:20]))
    print(f"{options.count} comparisons, {len(found)} unlike Python's")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
