"""The first row in which two readings of a shard differ, by the equality of digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pyarrow as pa

from firstbyte.corpora.digest import ColumnDigests
from firstbyte.inert import inert

BLOCK_ROWS = 1024
MOST_CHARACTERS = 60
"""Of a value that is shown."""
CONTEXT_CHARACTERS = 10
"""Of what two long values have in common, before they differ."""
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """The first row, counted from 0, in which a column is not what it should be."""

    row: int
    column: str
    expected: str
    """The value and its Arrow type; NOTHING where there should be no such row."""
    got: str

    def __str__(self) -> str:
        return f"column {self.column!r}, row {self.row}: expected {self.expected}, got {self.got}"


class ColumnRows:
    """A column of all batches of a reading."""

    def __init__(self, name: str, pieces: Iterable[pa.Array]) -> None:
        self._name = name
        self._pieces = [piece for piece in pieces if len(piece)]
        self.rows = sum(map(len, self._pieces))

    def digest(self, start: int, stop: int) -> str:
        """Of some rows in a row. Raises CorpusError for types without one."""
        made = ColumnDigests([self._name])
        for piece in self._between(start, stop):
            made.update(pa.record_batch([piece], [self._name]))
        return made.hexdigests()[self._name]

    def scalar(self, row: int) -> pa.Scalar | None:
        """The value of that row; None where there is no such row."""
        return next((piece[0] for piece in self._between(row, row + 1)), None)

    def _between(self, start: int, stop: int) -> Iterator[pa.Array]:
        begin = 0
        for piece in self._pieces:
            first, last = max(start - begin, 0), min(stop - begin, len(piece))
            if first < last:
                yield piece.slice(first, last - first)
            begin += len(piece)


def first_differing_row(
    columns: Sequence[str], expected: Sequence[pa.RecordBatch], got: Sequence[pa.RecordBatch]
) -> DifferingRow | None:
    """The first row in which any of these columns differs; None where none does.

    Raises KeyError for a column that one of them lacks, CorpusError for a type without digest.
    """
    found = (_in_column(name, _rows(name, expected), _rows(name, got)) for name in columns)
    return min((one for one in found if one), key=lambda one: one.row, default=None)


def _rows(name: str, batches: Sequence[pa.RecordBatch]) -> ColumnRows:
    return ColumnRows(name, (batch.column(name) for batch in batches))


def _in_column(name: str, expected: ColumnRows, got: ColumnRows) -> DifferingRow | None:
    row = _first_row(expected, got)
    if row is None:
        return None
    wanted, found = expected.scalar(row), got.scalar(row)
    shown = _shown(
        None if wanted is None else _text(wanted), None if found is None else _text(found)
    )
    texts = [
        NOTHING if scalar is None else f"{text} ({_cut(inert(str(scalar.type)), 0)})"
        for text, scalar in zip(shown, (wanted, found), strict=True)
    ]
    return DifferingRow(row, name, *texts)


def _first_row(expected: ColumnRows, got: ColumnRows) -> int | None:
    common = min(expected.rows, got.rows)
    for start in range(0, common, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, common)
        if expected.digest(start, stop) == got.digest(start, stop):
            continue
        for row in range(start, stop):
            if expected.digest(row, row + 1) != got.digest(row, row + 1):
                return row
    return common if expected.rows != got.rows else None


def _text(scalar: pa.Scalar) -> str:
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):  # a time beyond what Python knows
        return " ".join(pa.array([scalar], scalar.type).to_string().split())
    return str(value) if isinstance(value, datetime | date | time | timedelta) else repr(value)


def _shown(expected: str | None, got: str | None) -> tuple[str, str]:
    """Both values short enough for a line, from a little before the place where they differ."""
    one, other = expected or "", got or ""
    start = 0
    if max(len(one), len(other)) > MOST_CHARACTERS and expected is not None and got is not None:
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        differ = min(len(one), len(other)) if same is None else same
        start = max(0, differ - CONTEXT_CHARACTERS)
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    before = "..." if start else ""
    kept = text[start : start + MOST_CHARACTERS]
    after = "..." if start + MOST_CHARACTERS < len(text) else ""
    return f"{before}{kept}{after}"
