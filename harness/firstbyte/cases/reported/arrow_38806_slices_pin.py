"""A slice shares the buffers of what it was cut from: one row kept keeps its whole batch alive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import many_row_groups
from firstbyte.cases.tools import pool_bytes

LINKS = ("https://github.com/apache/arrow/issues/38806",)
DISTRIBUTION = "pyarrow"
REPORTED = "all versions of pyarrow"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("pin ratio: bytes kept alive / bytes kept", 20, 100)


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow.parquet as pq

    kept = []
    with pq.ParquetFile(many_row_groups(data), pre_buffer=False) as file:
        for batch in file.iter_batches(1024):
            row = batch.slice(0, 1)
            kept.append(row if arm == AS_REPORTED else row.take([0]))
    del batch, row
    return {"held_pool_bytes": pool_bytes(), "kept_bytes": sum(row.nbytes for row in kept)}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["held_pool_bytes"] / arms[arm]["kept_bytes"]
