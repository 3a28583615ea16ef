"""What a corpus consists of, as JSON beside it: rows, bytes and digests, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstbyte.contracts import Document, as_written
from firstbyte.errors import CorpusError
from firstbyte.whole import write_whole

MANIFEST_NAME = "manifest.json"

FORMAT = 2
"""Version of the JSON layout. 1: the first; its digests were what pyarrow read. 2: digests that independent
witnesses agree on, who they were, and where they do not agree."""

JsonScalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class SchemaColumn:
    """A top-level column: its name and its Arrow type, readable."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One file of a corpus."""

    path: str
    """Relative to the manifest's folder; absolute for the user's own files."""
    rows: int
    """What the footer and at least one reader say, or two readers (`firstbyte.corpora.reference`)."""
    row_groups: int
    bytes: int
    raw_bytes: int
    """Size of all column chunks before compression, as the Parquet footer states it."""
    sha256: str
    """Of the file."""
    digests: Mapping[str, str | None]
    """Column name -> content digest (`firstbyte.corpora.digest`), columns in file order; None where no two
    witnesses agree, so that nobody can be judged by it."""
    first_value: JsonScalar
    """The first row's value of the text column; None where there is none, where JSON cannot hold it, or where
    the column cannot be judged."""
    doubts: tuple[str, ...] = ()
    """What witnesses say differently, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusContent:
    """What a manifest says of a corpus, wherever it lies."""

    name: str
    """Kind of corpus: gettext, mt, llm or files."""
    spec: str
    """What `resolve` was asked for, in its shortest form: `mt:size=1GB`."""
    how: Mapping[str, Any]
    """Command, parameters and versions that decide the content and the bytes."""
    built: str
    """UTC time in ISO 8601."""
    schema: tuple[SchemaColumn, ...]
    text_column: str
    shards: tuple[ShardEntry, ...]
    digest_version: int
    witnesses: tuple[str, ...]
    """The decoders that were heard."""
    refusals: tuple[str, ...]
    """Witnesses that could not read the corpus, and why."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(CorpusContent):
    """A corpus: what a plan names, what a worker opens, what the parent checks against."""

    folder: Path
    """Where the manifest lies; not stored."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the top-level columns, in file order."""
        return tuple(column.name for column in self.schema)

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def raw_bytes(self) -> int:
        """Size of all column chunks before compression."""
        return sum(shard.raw_bytes for shard in self.shards)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The shards' files, in order."""
        return tuple(self.path(shard) for shard in self.shards)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What cannot be judged, and what witnesses disagree about: a line each, for tables and reports."""
        lines = []
        for shard in self.shards:
            name = Path(shard.path).name
            if unjudged := [column for column, digest in shard.digests.items() if digest is None]:
                lines.append(
                    f"{self.spec}: {name}: no two of {', '.join(self.witnesses)} agree on the content of "
                    f"{', '.join(unjudged)}, so that no reader is judged by it"
                )
            lines += [
                f"{self.spec}: {name}: witnesses disagree about {doubt}" for doubt in shard.doubts
            ]
        return tuple(lines)

    def path(self, shard: ShardEntry) -> Path:
        """Where a shard lies."""
        return self.folder / shard.path

    def save(self) -> Path:
        """Write `manifest.json` into the folder, in one step. Returns its path."""
        stored = Stored(
            **as_written(CorpusContent, self),
            rows=self.rows,
            bytes=self.bytes,
            raw_bytes=self.raw_bytes,
        )
        target = self.folder / MANIFEST_NAME
        write_whole(target, json.dumps(asdict(stored), indent=1, ensure_ascii=False))
        return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(CorpusContent):
    """A `manifest.json`: what it says of a corpus, and totals for whoever looks into it."""

    rows: int
    bytes: int
    raw_bytes: int

    def __post_init__(self) -> None:
        for name in ("rows", "bytes", "raw_bytes"):
            stated, total = getattr(self, name), sum(getattr(shard, name) for shard in self.shards)
            if stated != total:
                raise ValueError(f"{name}: {stated} stated, {total} in the shards")


DOCUMENT = Document(
    Stored,
    FORMAT,
    CorpusError,
    remedy="remove its folder and build the corpus again",
    key="format",
)


def load(folder: Path) -> Manifest:
    """The manifest of a folder. Raises CorpusError if it is missing, damaged or of a newer format."""
    stored = DOCUMENT.read(folder / MANIFEST_NAME)
    return Manifest(folder=folder, **as_written(CorpusContent, stored))
