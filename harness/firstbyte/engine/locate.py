"""Where what a reader delivers differs from what a shard holds: asked only once a digest has differed.

The reader reads the shard again in a worker of its own and writes down all that it delivers; it is held
against the shard row by row. Where Arrow C++ itself does not read the rows that were agreed on, another
witness is asked for them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from firstbyte.corpora import shards
from firstbyte.corpora.differing import DifferingRow, first_differing_row
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.manifest import ShardEntry
from firstbyte.errors import CorpusError
from firstbyte.worker.order import dump_path

Dump = Callable[[Path], bool]
"""Has a reader write what it delivers of the shard into that folder; False where it could not."""
Batches = Sequence[pa.RecordBatch]


def locate(
    path: Path, entry: ShardEntry, columns: Sequence[str], dump: Dump, witnesses: Iterator[Dump]
) -> DifferingRow | None:
    """The first row of these columns that the reader of `dump` delivers otherwise.

    None where that cannot be told: it reads rightly when it reads alone, or nobody here reads what was
    agreed on.
    """
    got = _dumped(dump)
    if got is None:
        return None
    found = []
    for name in columns:
        expected = _agreed(path, entry, name, witnesses)
        if expected is None:
            continue
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
    with tempfile.TemporaryDirectory(prefix="firstbyte-rows-") as folder:
        if not dump(Path(folder)):
            return None
        try:
            with pa.OSFile(str(dump_path(folder, 0))) as file, pa.ipc.open_stream(file) as stream:
                return list(stream)
        except (OSError, pa.ArrowInvalid):  # it wrote none, as where there was no batch
            return None
