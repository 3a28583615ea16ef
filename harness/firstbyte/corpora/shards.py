"""Reads a shard once to say what it holds, and says where that differs from what was recorded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.manifest import JsonScalar, ShardEntry
from firstbyte.corpora.reference import Reading, Reference
from firstbyte.errors import CorpusError

_BATCH_ROWS = 1024


DECODER = "arrow-cpp"
"""Whose reading a description holds (`firstbyte.corpora.reference`)."""


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What a file is, and what Arrow C++ reads of it."""

    footer_rows: int
    row_groups: int
    bytes: int
    raw_bytes: int
    sha256: str
    reading: Reading
    first_value: JsonScalar
    """Of the text column, as Arrow C++ reads it."""

    def entry(self, recorded_path: str, text_column: str, reference: Reference) -> ShardEntry:
        """The shard as the manifest states it. Raises CorpusError where its rows are in doubt."""
        if reference.rows is None:
            raise CorpusError(
                f"{recorded_path} cannot be measured: nobody knows how many rows it has "
                f"({'; '.join(reference.doubts)})"
            )
        agreed = reference.digests.get(text_column)
        trusted = agreed is not None and self.reading.digests.get(text_column) == agreed
        return ShardEntry(
            path=recorded_path,
            rows=reference.rows,
            row_groups=self.row_groups,
            bytes=self.bytes,
            raw_bytes=self.raw_bytes,
            sha256=self.sha256,
            digests=reference.digests,
            first_value=self.first_value if trusted else None,
            doubts=reference.doubts,
        )


def describe(path: Path, text_column: str) -> ShardFacts:
    """A file from its bytes and content. Raises CorpusError if it is unreadable."""
    with _opened(path, _int96_unit(path)) as file:
        digests = ColumnDigests(file.schema_arrow.names)
        first_value: JsonScalar = None
        for batch in file.iter_batches(_BATCH_ROWS):
            if digests.rows == 0 and batch.num_rows:
                first_value = _json_scalar(batch.column(text_column)[0].as_py())
            digests.update(batch)
        footer = file.metadata
        groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
        return ShardFacts(
            footer_rows=sum(group.num_rows for group in groups),
            row_groups=footer.num_row_groups,
            bytes=path.stat().st_size,
            raw_bytes=sum(group.total_byte_size for group in groups),
            sha256=_sha256(path),
            reading=Reading(DECODER, digests.rows, digests.hexdigests()),
            first_value=first_value,
        )


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Those columns of a shard as Arrow C++ reads them. Raises CorpusError where it cannot."""
    with _opened(path, _int96_unit(path)) as file:
        yield from file.iter_batches(_BATCH_ROWS, columns=list(columns))


def schema_of(path: Path) -> pa.Schema:
    """The Arrow schema of a shard. Raises CorpusError if it is not a Parquet file."""
    with _opened(path) as file:
        return file.schema_arrow


def text_column_of(schema: pa.Schema) -> str:
    """The first column of strings, else the first column. Raises CorpusError without columns."""
    if not schema.names:
        raise CorpusError("a Parquet file without columns cannot be measured")
    names: list[str] = schema.names
    return next((field.name for field in schema if _holds_strings(field.type)), names[0])


def problems(path: Path, expected: ShardEntry, text_column: str) -> Iterator[str]:
    """What differs between a shard and its entry, one line each."""
    try:
        size, sha256 = path.stat().st_size, _sha256(path)
    except OSError as error:
        yield f"cannot be read: {error.strerror}"
        return
    if size != expected.bytes:
        yield f"size differs, expected {expected.bytes} bytes, got {size}"
    if sha256 != expected.sha256:
        yield f"sha256 differs, expected {expected.sha256}, got {sha256}"
    if expected.doubts:
        return  # Arrow C++ may be one of those who read it otherwise
    try:
        found = describe(path, text_column)
    except CorpusError as error:
        yield str(error)
        yield from _unreadable_columns(path, expected)
        return
    said = found.reading
    if said.rows != expected.rows:
        yield f"row count differs, expected {expected.rows}, got {said.rows}"
    for column, digest in expected.digests.items():
        if digest is not None and said.digests.get(column) != digest:
            yield (
                f"column '{column}': content differs,"
                f" expected digest {digest}, got {said.digests.get(column, 'no such column')}"
            )
    if expected.first_value is not None and found.first_value != expected.first_value:
        yield (
            f"column '{text_column}': first value differs,"
            f" expected {expected.first_value!r}, got {found.first_value!r}"
        )


def _unreadable_columns(path: Path, expected: ShardEntry) -> Iterator[str]:
    """Which columns of a damaged file are the damaged ones, where its footer is still whole."""
    for column, digest in expected.digests.items():
        found = ColumnDigests([column])
        try:
            with _opened(path) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=[column]):
                    found.update(batch)
        except CorpusError as error:
            yield f"column '{column}': {error}"
        else:
            if digest is not None and found.hexdigests()[column] != digest:
                yield f"column '{column}': content differs"


def _int96_unit(path: Path) -> str:
    """The unit in which Arrow C++ gives the shard's INT96 timestamps without wrapping any around."""
    with _opened(path, "us") as file:
        schema = file.schema
        if not any(schema.column(i).physical_type == "INT96" for i in range(len(schema))):
            return "ns"
        with _opened(path, "ns") as other:
            in_nanoseconds = other.schema_arrow
        for batch in file.iter_batches(_BATCH_ROWS):
            try:
                pa.Table.from_batches([batch]).cast(in_nanoseconds)
            except pa.ArrowInvalid:
                return "us"
    return "ns"


@contextmanager
def _opened(path: Path, int96_unit: str = "ns") -> Iterator[pq.ParquetFile]:
    """A shard, read-only, a row group at a time; what Arrow finds wrong becomes a CorpusError."""
    try:
        with pq.ParquetFile(path, pre_buffer=False, coerce_int96_timestamp_unit=int96_unit) as file:
            yield file
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{path} cannot be read as Parquet: {reason}") from error


def _holds_strings(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_strings(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _json_scalar(value: object) -> JsonScalar:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
