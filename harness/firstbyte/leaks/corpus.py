"""The files that leak checks read: a short one for many scans, and two of which one is twice as
long.

Made from the first shard with rows of any corpus, with its rows, columns and codec, so that a backend is
tried on the data that it is measured on.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.witnesses import resolve
from firstbyte.errors import CorpusError

REPEATED_ROWS = 2560
"""Several batches and row groups, and still a scan of milliseconds for most readers."""
REPEATED_ROW_GROUP_ROWS = 640
SHORT_BYTES = 4 << 20
"""Compressed size of the shorter of the two long files."""
ROW_GROUP_ROWS = 2048
LAYOUT = 1
"""Part of the folder's name; raised when the files would come out differently."""


def leak_corpus(source: Manifest, cache: Path) -> Manifest:
    """The corpus for leak checks, built in `cache` if it is not there yet.

    Its shards are, in order: the repeated file, the short one and the long one. Raises CorpusError
    where a shard cannot be read, and where there are no rows to read again and again.
    """
    shard = next((number for number, one in enumerate(source.shards) if one.rows), None)
    if shard is None:
        raise CorpusError(
            f"corpus '{source.spec}' has no rows, and a leak shows only where some are read again and "
            "again; name one that has"
        )
    name = f"{LAYOUT}-{pa.__version__}-{source.shards[shard].sha256}-{REPEATED_ROWS}-{SHORT_BYTES}"
    folder = cache / "leaks" / hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.parquet" for name in ("a-repeated", "b-short", "c-long")]
    if not all(path.exists() for path in files):
        _build(source.paths[shard], *files)
    return resolve(f"files:{folder}/*.parquet")


def _build(shard: Path, repeated: Path, short: Path, long: Path) -> None:
    with pq.ParquetFile(shard, pre_buffer=False) as file:
        rows = file.metadata.num_rows
        share = min(1.0, SHORT_BYTES / max(1, shard.stat().st_size))
        options = {"compression": file.metadata.row_group(0).column(0).compression}
        table = pa.Table.from_batches(file.iter_batches(), schema=file.schema_arrow)
    _write(repeated, table.slice(0, REPEATED_ROWS), REPEATED_ROW_GROUP_ROWS, 1, options)
    part = table.slice(0, max(1, int(rows * share)))
    copies = max(1, SHORT_BYTES // max(1, shard.stat().st_size))
    _write(short, part, ROW_GROUP_ROWS, copies, options)
    _write(long, part, ROW_GROUP_ROWS, 2 * copies, options)


def _write(
    path: Path, table: pa.Table, row_group_rows: int, copies: int, options: dict[str, str]
) -> None:
    """`table` `copies` times over, complete or not at all."""
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, table.schema, **options) as writer:
        for _ in range(copies):
            writer.write_table(table, row_group_size=row_group_rows)
    partial.replace(path)
