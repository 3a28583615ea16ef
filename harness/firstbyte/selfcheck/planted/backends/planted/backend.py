"""The planted backend: reads a plain format of its own, and does one thing wrong on demand.

It is an ordinary backend in every respect, so that the same scenarios, instruments and rules run on
it as on a real one. Pure standard library apart from the faults: its own memory use is small and
steady, and what a verdict says about it is about the fault.
"""

from __future__ import annotations

import json
import pickle
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from . import faults

if TYPE_CHECKING:
    import pyarrow

FRAME_ROWS = 256
SUFFIX = ".planted"


class Batch:
    """Some rows as tuples, and whatever a fault wants to live as long as they do."""

    __slots__ = ("companion", "rows")

    def __init__(self, rows: list[tuple[object, ...]], companion: object) -> None:
        self.rows = rows
        self.companion = companion


class PlantedReader:
    """One pass over one file: a JSON line with names, schema and rows, then pickled frames."""

    def __init__(
        self, path: Path, columns: Sequence[str] | None, batch_rows: int, fault: faults.Fault
    ) -> None:
        self._file: BinaryIO | None = path.open("rb")
        header = json.loads(self._file.readline())
        names: list[str] = header["names"]
        self._names = names if columns is None else [name for name in names if name in columns]
        self._places = [names.index(name) for name in self._names]
        self._schema = bytes.fromhex(header["schema"])
        self._batch_rows = batch_rows
        self._pending: list[tuple[object, ...]] = []
        self._fault = fault
        self._scan = faults.Scan(
            path=path,
            file_bytes=path.stat().st_size,
            batches=max(1, -(-int(header["rows"]) // batch_rows)),
        )
        fault.opened(self._scan)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        if self._file is None:
            raise StopIteration
        while len(self._pending) < self._batch_rows:
            try:
                frame = pickle.load(self._file)
            except EOFError:
                break
            self._pending.extend(tuple(row[place] for place in self._places) for row in frame)
        if not self._pending:
            raise StopIteration
        rows = self._pending[: self._batch_rows]
        del self._pending[: self._batch_rows]
        self._scan.batch += 1
        return Batch(rows, self._fault.delivered(self._scan))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._fault.closed(self._scan)
            self._scan.held.clear()
            self._pending.clear()

    def rows(self, batch: Batch) -> int:
        return len(batch.rows)

    def first_value(self, batch: Batch, column: str) -> object:
        return batch.rows[0][self._names.index(column)]

    def canonical(self, batch: Batch) -> pyarrow.RecordBatch:
        import pyarrow

        whole = pyarrow.ipc.read_schema(pyarrow.py_buffer(self._schema))
        fields = [whole.field(name) for name in self._names]
        columns = zip(*batch.rows, strict=True)
        return pyarrow.record_batch(
            [pyarrow.array(column, f.type) for column, f in zip(columns, fields, strict=True)],
            schema=pyarrow.schema(fields),
        )


class PlantedBackend:
    """The planted format with one fault."""

    def __init__(self, fault: faults.Fault) -> None:
        self._fault = fault

    def versions(self) -> dict[str, str]:
        return {"planted": "1", "python": platform.python_version()}

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        return [_convert(shard, directory) for shard in shards]

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> PlantedReader:
        return PlantedReader(shard, columns, batch_rows, self._fault)

    def allocator_bytes(self) -> dict[str, int]:
        return self._fault.allocator_bytes()


def _convert(shard: Path, directory: Path) -> Path:
    target = directory / f"{shard.stem}{SUFFIX}"
    if target.exists():
        return target
    import pyarrow.parquet

    directory.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with pyarrow.parquet.ParquetFile(shard) as source, partial.open("wb") as out:
        schema = source.schema_arrow.remove_metadata()
        header = {
            "names": schema.names,
            "schema": schema.serialize().to_pybytes().hex(),
            "rows": source.metadata.num_rows,
        }
        out.write(json.dumps(header).encode() + b"\n")
        for batch in source.iter_batches(FRAME_ROWS):
            pickle.dump(list(zip(*(c.to_pylist() for c in batch.columns), strict=True)), out)
    partial.rename(target)
    return target


def create(
    *,
    fault: str = "none",
    bytes: int = 0,  # noqa: A002 (the option's name in backend.toml)
    per: str = "scan",
    every: int = 1,
    capacity: int = 0,
    bundled: bool = False,
    counted: bool = False,
) -> PlantedBackend:
    """The backend with that fault. Raises ValueError for an unknown one, Unsupported without cc."""
    return PlantedBackend(
        _fault(
            fault, bytes, per=per, every=every, capacity=capacity, bundled=bundled, counted=counted
        )
    )


def _fault(
    name: str, size: int, *, per: str, every: int, capacity: int, bundled: bool, counted: bool
) -> faults.Fault:
    def allocator(*, own: bool = bundled) -> faults.Allocator:
        return faults.Allocator(bundled=own)

    leak: dict[str, Any] = {"size": size, "per": per, "every": every}
    match name:
        case "none":
            return faults.Fault()
        case "malloc_leak":
            return faults.Leak(allocator(), **leak)
        case "bundled_leak":
            kind = faults.CountedLeak if counted else faults.Leak
            return kind(allocator(own=True), **leak)
        case "python_leak":
            return faults.PythonLeak(size=size)
        case "mmap_leak":
            return faults.MapLeak(size=size)
        case "retention":
            return faults.Retention(size=size)
        case "fragmentation":
            return faults.Fragmentation(size=size)
        case "cache":
            return faults.Cache(size=size, capacity=capacity)
        case "accumulation":
            return faults.Accumulation(allocator())
        case "read_ahead":
            return faults.ReadAhead(allocator(), size=size)
        case "reference_cycle":
            return faults.ReferenceCycle(size=size)
        case "thread_leak":
            return faults.ThreadLeak()
        case "descriptor_leak":
            return faults.DescriptorLeak()
        case "peak":
            return faults.Peak(allocator(), size=size)
        case "batches":
            kind_of_batches = faults.CountedBatches if counted else faults.Batches
            return kind_of_batches(allocator())
    raise ValueError(f"no planted fault {name!r}")
