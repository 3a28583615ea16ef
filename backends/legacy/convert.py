"""Parquet shards to LSHD shards: atomic, and skipped where nothing changed."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .encode import RowEncoder
from .format import VERSION
from .schema import schema_text
from .writer import LshdWriter

WRITER_REVISION = 1
"""Counts up when the same source would give other bytes: files of older revisions are rewritten."""

_READ_ROWS = 1024


def convert_all(
    shards: Sequence[Path], directory: Path, *, block_target_bytes: int, created_unix: int
) -> list[Path]:
    """One LSHD file per Parquet file, in order. Raises Unsupported and what `convert` raises."""
    directory.mkdir(parents=True, exist_ok=True)
    targets = _targets(shards, directory)
    for shard, target in zip(shards, targets, strict=True):
        expected = _receipt(shard, block_target_bytes, created_unix)
        if not _is_current(target, expected):
            _receipt_path(target).unlink(missing_ok=True)
            convert(shard, target, block_target_bytes=block_target_bytes, created_unix=created_unix)
            _write_receipt(target, expected)
    return targets


def convert(source: Path, target: Path, *, block_target_bytes: int, created_unix: int) -> None:
    """Write one file beside its final name and rename it when it is complete.

    Memory: some rows of the source and one block. Raises Unsupported for a column that rows cannot
    carry, OSError, and pyarrow's errors for a source that is not Parquet.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with (
            pq.ParquetFile(source, pre_buffer=False, buffer_size=64 << 10) as parquet,
            partial.open("wb") as stream,
        ):
            encoder = RowEncoder(parquet.schema_arrow)
            writer = LshdWriter(
                stream,
                schema_text(encoder.fields),
                block_target_bytes=block_target_bytes,
                created_unix=created_unix,
            )
            for batch in parquet.iter_batches(_READ_ROWS, use_threads=False):
                for record in encoder.rows(batch):
                    writer.write(record)
            writer.finish()
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _targets(shards: Sequence[Path], directory: Path) -> list[Path]:
    """`<stem>.lshd` each; shards of one name from different folders get a number."""
    used: dict[str, int] = {}
    targets = []
    for shard in shards:
        used[shard.stem] = count = used.get(shard.stem, 0) + 1
        targets.append(directory / f"{shard.stem}{f'~{count}' if count > 1 else ''}.lshd")
    return targets


def _receipt(shard: Path, block_target_bytes: int, created_unix: int) -> dict[str, Any]:
    """What decides the content of a converted file."""
    status = shard.stat()
    return {
        "source": str(shard.resolve()),
        "source_bytes": status.st_size,
        "source_mtime_ns": status.st_mtime_ns,
        "block_target_bytes": block_target_bytes,
        "created_unix": created_unix,
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "format": VERSION,
        "writer_revision": WRITER_REVISION,
    }


def _receipt_path(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _is_current(target: Path, expected: dict[str, Any]) -> bool:
    try:
        receipt = json.loads(_receipt_path(target).read_text(encoding="utf-8"))
        return bool(receipt == {**expected, "bytes": target.stat().st_size})
    except (FileNotFoundError, ValueError):
        return False


def _write_receipt(target: Path, expected: dict[str, Any]) -> None:
    path = _receipt_path(target)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps({**expected, "bytes": target.stat().st_size}), encoding="utf-8")
    partial.replace(path)
