"""The order that a parent writes to a worker: everything the worker needs, as one JSON line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from firstbyte.api import Shard
from firstbyte.model import Cell, cell_from_dict
from firstbyte.worker.turns import Turns

MEASURE = "measure"
PREPARE = "prepare"
DIGEST = "digest"
DUMP = "dump"

BATCH_ROWS = 1024
"""How many rows of a batch readers are asked for."""


class Pass(StrEnum):
    """How a shard is read for a `dump`, in this order by one process: readers can lie in one of them only."""

    FIRST = "first"
    AGAIN = "again"
    THREAD = "thread"
    """Once more, by another thread than the main one."""


def dump_path(folder: str | Path, shard: int, pass_: Pass = Pass.FIRST) -> Path:
    """Where a worker writes what a reader delivers of that shard, as a stream of Arrow IPC."""
    return Path(folder) / f"{shard}-{pass_}.arrows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One worker process's work. Paths are text, as it crosses a pipe as JSON."""

    task: str
    """`measure`; `prepare`: convert the shards to the backend's own format; `digest`: read every shard and
    say what it holds, measuring nothing; or `dump`: write all of it into `prepared_directory`."""
    cell: Cell
    plugin_roots: tuple[str, ...]
    """Folders whose `backends/` and `scenarios/` are mounted beside the project's own."""
    backend_module: str
    backend_options: Mapping[str, Any]
    batch_rows: int
    shards: tuple[str, ...]
    shard_rows: tuple[int, ...]
    """As many as there are shards; of a `digest`, which finds them, zeros."""
    prepared_directory: str = ""
    """Where the backend keeps the shards in its own format; empty where it is asked for none."""
    scenario_module: str = ""
    instrument_module: str = ""
    """Import names of the scenario and the instrument; empty where nothing is measured. A `dump` has the
    instrument of its cell, as readers can see it."""
    text_column: str = ""
    settles: bool = True
    """Whether the worker waits before its first span until the process stands still."""
    final_process: bool = True
    spawned_ns: int = 0
    """CLOCK_MONOTONIC of the parent just before it started the process; 0 for a worker run by hand."""
    passes: tuple[Pass, ...] = (Pass.FIRST,)
    """Of a `dump`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the parent starts the process with, beside its own."""
    go_on_descriptor: int | None = None
    """Where the parent lets a worker go on that stands still to be looked at; None where nobody looks."""
    copies: tuple[str, ...] = ()
    """Copies of the first shard, to be opened once all is measured, under names that nobody has read."""
    rests: bool = False
    """Whether a reader has nothing left to do after a span, so that the parent waits for it to rest there."""
    turns: Turns | None = None
    """Where this worker measures in turns with another."""

    def readable_shards(self) -> list[Shard]:
        """The files of the order, for a backend."""
        pairs = zip(self.shards, self.shard_rows, strict=True)
        return [Shard(Path(path), rows) for path, rows in pairs]

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> Order:
        """The inverse of `to_json`. Raises ValueError, KeyError or TypeError for anything else."""
        raw = json.loads(line)
        raw["cell"] = cell_from_dict(raw["cell"])
        raw["plugin_roots"] = tuple(raw["plugin_roots"])
        raw["shards"] = tuple(raw["shards"])
        raw["shard_rows"] = tuple(raw["shard_rows"])
        raw["passes"] = tuple(map(Pass, raw["passes"]))
        raw["copies"] = tuple(raw["copies"])
        raw["turns"] = Turns(**raw["turns"]) if raw["turns"] else None
        return Order(**raw)
