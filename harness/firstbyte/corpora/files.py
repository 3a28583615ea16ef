"""The user's own Parquet files as a corpus: read, described, never modified."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import pyarrow as pa

from firstbyte.corpora import shards
from firstbyte.corpora.manifest import ShardEntry
from firstbyte.corpora.progress import OnProgress
from firstbyte.errors import CorpusError


def matches(pattern: str) -> list[Path]:
    """The files that a pattern matches, absolute, sorted by name; `**` goes into folders.

    Raises CorpusError where there is none.
    """
    # Path.glob refuses absolute patterns.
    found = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
    paths = [Path(path).absolute() for path in sorted(found) if Path(path).is_file()]
    if not paths:
        raise CorpusError(
            f"no file matches '{pattern}' (from {Path.cwd()}); give an existing pattern, in quotes,"
            " such as 'files:data/*.parquet'"
        )
    return paths


def state(paths: list[Path]) -> list[dict[str, Any]]:
    """Path, size and time of the last change of each file: a description holds while these do."""
    stats = [(path, path.stat()) for path in paths]
    return [
        {"path": str(path), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        for path, stat in stats
    ]


def describe(
    paths: list[Path], progress: OnProgress
) -> tuple[pa.Schema, str, tuple[ShardEntry, ...]]:
    """Schema, text column and entries of the files.

    Raises CorpusError for a file that is not Parquet or has other columns than the first.
    """
    schema = shards.schema_of(paths[0])
    text_column = shards.text_column_of(schema)
    for path in paths[1:]:
        other = shards.schema_of(path)
        if not other.equals(schema):
            raise CorpusError(
                f"{path} has other columns than {paths[0]}:"
                f" expected {_readable(schema)}, got {_readable(other)};"
                " narrow the pattern to files with one schema"
            )
    entries = []
    for index, path in enumerate(paths):
        progress(f"reading {path.name}", index / len(paths))
        entries.append(shards.describe(path, str(path), text_column))
    return schema, text_column, tuple(entries)


def _readable(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
