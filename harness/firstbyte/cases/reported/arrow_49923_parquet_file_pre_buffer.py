"""`ParquetFile` caches column chunks by default since 25.0, and evicts none within a scan.

`iter_batches` then holds the bytes of all row groups that it has passed; before 25 it held one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import many_row_groups
from firstbyte.cases.tools import highest, pool_bytes

LINKS = ("https://github.com/apache/arrow/issues/49923",)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 25 and later"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("peak of the pool / size of the file", 0.3, 0.6)


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow.parquet as pq

    path = many_row_groups(data)
    options = {} if arm == AS_REPORTED else {"pre_buffer": False}
    with pq.ParquetFile(path, **options) as file:
        top = highest(file.iter_batches(1024), pool_bytes)
    return {"peak_pool_bytes": top, "file_bytes": path.stat().st_size}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["peak_pool_bytes"] / arms[arm]["file_bytes"]
