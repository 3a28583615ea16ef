"""The reader in pure Python."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
from firstbyte.backends.pure_python.errors import CorruptParquetError
from firstbyte.backends.pure_python.reader import PureReader

from firstbyte.api import Unsupported

from .canonical import Columns, columns
from .crate import differs

ERRORS = (CorruptParquetError, Unsupported, OSError)
BATCHES = (1, 3, 32, 1024)


def scan(path: Path, *, names: list[str] | None = None, batch_rows: int = 1024) -> Columns:
    """The rows of one pass."""
    with PureReader(path, columns=names, batch_rows=batch_rows) as reader:
        batches = [reader.canonical(batch) for batch in reader]
    if not batches:
        return {}
    return columns(pa.Table.from_batches(batches))


def modes(path: Path, whole: Columns, draw: random.Random) -> None:
    """Other batches, fewer columns. Raises WrongRows, and what the reader raises."""
    if not whole:
        return
    names = [name for name in whole if draw.random() < 0.6] or [next(iter(whole))]
    rows = draw.choice(BATCHES)
    expected = {name: whole[name] for name in names}
    differs(scan(path, names=names, batch_rows=rows), expected, f"{names}, batches of {rows}")
