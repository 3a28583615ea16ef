"""What `head` reads ahead outlives the call: it goes on in the background, over several files.

Ten rows are asked for, and a second after they are there the pool holds several whole files.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import many_row_groups
from firstbyte.cases.tools import pool_bytes

LINKS = (
    "https://github.com/apache/arrow/issues/36754",
    "https://github.com/apache/arrow/issues/45882",
)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 12 and later"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("pool held a second after head(10) / size of one file", 0.5, 2.0)

FILES = 8
WAIT_SECONDS = 1.0


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    path = many_row_groups(data)
    if arm == AS_REPORTED:
        source = ds.dataset([str(path)] * FILES)
        rows = source.head(10)
    else:
        source = pq.ParquetFile(path, pre_buffer=False)
        rows = next(source.iter_batches(10))
    time.sleep(WAIT_SECONDS)
    held = pool_bytes() - rows.nbytes
    return {"held_pool_bytes": held, "file_bytes": path.stat().st_size}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["held_pool_bytes"] / arms[arm]["file_bytes"]
