"""The leak scenario itself, run in this process over a reader that keeps what it is told to keep."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from firstbyte.api import Bench, Purpose, Shard
from firstbyte.engine.registry import discover
from firstbyte.model import Param, Sample

ALLOCATOR = "long arena"
"""Named like a role on purpose."""
LEDGER = "long_arena_live_bytes"
BATCH_ROWS = 100
FILES = {"a-repeated": 300, "b-short": 3_000, "c-long": 6_000}
"""Rows by name; a row takes BYTES_PER_ROW in the file."""
BYTES_PER_ROW = 1_000
SCANS = 100


@dataclass
class Arena:
    """A backend that counts its live bytes exactly."""

    leaked_bytes: int = 0
    """Lost with every scan."""
    held_per_byte: float = 0.0
    """Kept within a scan for each byte read, and given back at its end."""
    live_bytes: int = 1_000_000

    def allocator_bytes(self) -> dict[str, int]:
        return {ALLOCATOR: self.live_bytes}

    @contextmanager
    def open(
        self, shard: Path, *, columns: Sequence[str] | None, batch_rows: int
    ) -> Iterator[Pages]:
        before = self.live_bytes
        yield Pages(self, shard.stat().st_size // BYTES_PER_ROW, batch_rows)
        self.live_bytes = before + self.leaked_bytes


@dataclass
class Pages:
    """One pass over a file; a batch is its number of rows."""

    arena: Arena
    left: int
    batch_rows: int

    def __iter__(self) -> Pages:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        batch = min(self.left, self.batch_rows)
        self.left -= batch
        self.arena.live_bytes += int(batch * BYTES_PER_ROW * self.arena.held_per_byte)
        return batch

    def rows(self, batch: int) -> int:
        return batch


@dataclass
class InProcess:
    """A bench without a worker: what a scenario emits is kept as the parent would read it."""

    backend: Arena
    shards: Sequence[Shard]
    params: Mapping[str, Param] = field(default_factory=dict)
    repetitions: int = SCANS
    instrument: str = "proc_memory"
    columns: None = None
    batch_rows: int = BATCH_ROWS
    final_process: bool = False

    create_backend: None = None

    def __post_init__(self) -> None:
        self.samples: list[Sample] = []

    @contextmanager
    def span(self) -> Iterator[dict[str, float]]:
        yield {}

    def emit(
        self, values: Mapping[str, float], series: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        listed = {name: list(points) for name, points in (series or {}).items()}
        sent = json.loads(json.dumps({"values": dict(values), "series": listed}))
        self.samples.append(Sample(**sent))

    def check_rows(self, shard: int, rows: int) -> None:
        assert rows == self.shards[shard].rows


def leak_sample(folder: Path, rows: Mapping[str, int] = FILES, **arena: Any) -> Sample:
    """What the project's own leak scenario emits for such a reader and files of so many rows."""
    shards = []
    for name, count in rows.items():
        path = folder / name
        path.write_bytes(bytes(count * BYTES_PER_ROW))
        shards.append(Shard(path, count))
    bench = InProcess(Arena(**arena), shards)
    try:
        discover().scenario_for(Purpose.LEAKS).module.run(cast(Bench, bench))
    finally:
        gc.unfreeze()
    (sample,) = bench.samples
    return sample
