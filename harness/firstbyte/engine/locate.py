"""Where what a reader delivers differs from what a shard holds: asked only once a digest has differed.

The reader reads the shard again in a worker of its own, under the cell's instrument, and writes down all
that it delivers in one pass after another; each is held against the shard row by row. Where Arrow C++ itself
does not read the rows that were agreed on, another witness is asked for them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from firstbyte.corpora import shards
from firstbyte.corpora.differing import DifferingRow, first_differing_row
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.manifest import ShardEntry
from firstbyte.errors import CorpusError
from firstbyte.worker.order import Pass, dump_path

Dump = Callable[[Path], bool]
"""Has a reader write what it delivers of the shard into that folder; False where it could not."""
Batches = Sequence[pa.RecordBatch]
FOLDER_PREFIX = "firstbyte-rows-"


class NotFound(StrEnum):
    """Why no row can be named, in words."""

    NOT_READ = "nothing came of reading it again"
    NOT_AGREED = "no reader here can show the rows that were agreed on"
    NOT_AGAIN = "the difference did not show again in a process of its own"


def locate(
    path: Path, entry: ShardEntry, columns: Sequence[str], dump: Dump, witnesses: Iterator[Dump]
) -> DifferingRow | NotFound:
    """The first row of these columns that the reader of `dump` delivers otherwise, in the first pass of it
    that has one; or why there is none.
    """
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        if not dump(Path(folder)):
            return NotFound.NOT_READ
        agreed: dict[str, Batches] = {}
        for name in columns:
            if batches := _agreed(path, entry, name, witnesses):
                agreed[name] = batches
        if not agreed:
            return NotFound.NOT_AGREED
        for pass_ in Pass:
            if (got := _written(folder, pass_)) and (found := _first_row(agreed, got)):
                return found
    return NotFound.NOT_AGAIN


def _first_row(agreed: Mapping[str, Batches], got: Batches) -> DifferingRow | None:
    found = []
    for name, expected in agreed.items():
        try:
            found.append(first_differing_row([name], expected, got))
        except (KeyError, CorpusError):  # it lacks the column, or the type has no digest
            continue
    return min((one for one in found if one), key=lambda one: one.row, default=None)


def _agreed(path: Path, entry: ShardEntry, name: str, witnesses: Iterator[Dump]) -> Batches | None:
    """Batches that hold the agreed content of a column; None where nobody here reads it so."""
    digest = entry.digests.get(name)
    if digest is None:
        return None
    for batches in _readings(path, name, witnesses):
        made = ColumnDigests([name])
        for batch in batches:
            made.update(batch.select([name]))
        if made.hexdigests()[name] == digest:
            return batches
    return None


def _readings(path: Path, name: str, witnesses: Iterator[Dump]) -> Iterator[Batches]:
    yield _by_arrow(path, name)
    for witness in witnesses:
        read = _dumped(witness)
        if read and name in read[0].schema.names:
            yield read


def _by_arrow(path: Path, name: str) -> Batches:
    try:
        return list(shards.batches(path, [name]))
    except CorpusError:  # nothing is what it reads
        return []


def _dumped(dump: Dump) -> Batches | None:
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        return _written(folder, Pass.FIRST) if dump(Path(folder)) else None


def _written(folder: str, pass_: Pass) -> Batches | None:
    try:
        with (
            pa.OSFile(str(dump_path(folder, 0, pass_))) as file,
            pa.ipc.open_stream(file) as stream,
        ):
            return list(stream)
    except (OSError, pa.ArrowInvalid):  # it wrote none, as where there was no batch
        return None
