"""A dataset scan holds a row group as a whole, and reads ahead on top of that.

For a file of one row group `to_batches` takes the memory of the whole file, whatever the batch
size. A buffered `ParquetFile` reads the same rows page by page.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import one_row_group
from firstbyte.cases.tools import highest, rss_anon_bytes

LINKS = ("https://github.com/apache/arrow/issues/33759",)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 9 and later"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("RssAnon gained / size of the file", 0.3, 0.8)


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    path = one_row_group(data)
    before = rss_anon_bytes()
    if arm == AS_REPORTED:
        batches = ds.dataset(path).to_batches(batch_size=1024)
    else:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)
        batches = file.iter_batches(1024, use_threads=False)
    top = highest(batches, rss_anon_bytes)
    return {"gained_rss_anon_bytes": top - before, "file_bytes": path.stat().st_size}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["gained_rss_anon_bytes"] / arms[arm]["file_bytes"]
