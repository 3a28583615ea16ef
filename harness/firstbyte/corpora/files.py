"""The user's own Parquet files as a corpus: read, described, never modified."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from firstbyte.corpora import shards
from firstbyte.corpora.manifest import ShardEntry
from firstbyte.corpora.progress import OnProgress
from firstbyte.corpora.reference import Witness, hear
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


@dataclass(frozen=True, slots=True)
class Described:
    """The files of a pattern as the manifest states them."""

    schema: pa.Schema
    text_column: str
    entries: tuple[ShardEntry, ...]
    witnesses: tuple[str, ...]
    refusals: tuple[str, ...]


def describe(paths: list[Path], witnesses: Iterable[Witness], progress: OnProgress) -> Described:
    """The files, by what witnesses agree on.

    Raises CorpusError for a file that is not Parquet, has other columns than the first, or of which nobody
    knows how many rows it has.
    """
    schema = shards.schema_of(paths[0])
    text_column = shards.text_column_of(schema)
    for path in paths[1:]:
        other = shards.schema_of(path)
        if _readable(other) != _readable(schema):
            raise CorpusError(
                f"{path} has other columns than {paths[0]}:"
                f" expected {_readable(schema)}, got {_readable(other)};"
                " narrow the pattern to files with one schema"
            )
    found = []
    for index, path in enumerate(paths):
        progress(f"reading {path.name}", index / len(paths))
        found.append(shards.describe(path, text_column))
    references, refusals, decoders = hear(
        paths,
        schema.names,
        [one.footer_rows for one in found],
        [one.reading for one in found],
        witnesses,
    )
    entries = tuple(
        one.entry(str(path), text_column, reference)
        for one, path, reference in zip(found, paths, references, strict=True)
    )
    reasons = tuple(f"{one.decoder}: {one.reason}" for one in refusals)
    return Described(schema, text_column, entries, tuple(decoders), reasons)


def _readable(schema: pa.Schema) -> str:
    """Names and types. Whether a column may hold nulls is none of its rows' business."""
    kinds = (f"{field.name}: {field.type}" for field in schema)
    return ", ".join(kinds).replace(" not null", "")
