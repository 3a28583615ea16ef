"""A dataset scan reads column chunks through a cache that evicts nothing until the scan ends.

With `pre_buffer`, the default, the compressed bytes of every row group stay in the pool although
their batches were dropped: at the end of the scan the pool holds about the whole file. Read-ahead
is off, so nothing else explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import many_row_groups
from firstbyte.cases.tools import highest, pool_bytes

LINKS = (
    "https://github.com/apache/arrow/issues/39808",
    "https://github.com/apache/arrow/issues/45439",
    "https://github.com/ray-project/ray/issues/49158",
    "https://github.com/ray-project/ray/issues/62745",
)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 15 and later"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("peak of the pool / size of the file", 0.3, 0.6)


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow.dataset as ds

    path = many_row_groups(data)
    options = ds.ParquetFragmentScanOptions(pre_buffer=arm == AS_REPORTED)
    batches = ds.dataset(path).to_batches(
        batch_size=1024, batch_readahead=0, fragment_readahead=0, fragment_scan_options=options
    )
    return {"peak_pool_bytes": highest(batches, pool_bytes), "file_bytes": path.stat().st_size}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["peak_pool_bytes"] / arms[arm]["file_bytes"]
