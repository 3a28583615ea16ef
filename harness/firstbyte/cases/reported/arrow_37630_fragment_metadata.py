"""The metadata of every file that a dataset has scanned stays with it, for as long as it lives.

With many wide files the metadata outweighs the data. `cache_metadata=False` drops it file by file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import WIDE_FILES, wide_files
from firstbyte.cases.tools import settled_rss_anon_bytes

LINKS = (
    "https://github.com/apache/arrow/issues/37630",
    "https://github.com/apache/arrow/issues/45287",
)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 12 and later"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("malloc's live bytes held by the dataset, kB per file", 200, 500)


def run(arm: str, data: Path) -> dict[str, float]:
    import psutil
    import pyarrow.dataset as ds

    options = {} if arm == AS_REPORTED else {"cache_metadata": False}
    source = ds.dataset([str(path) for path in wide_files(data)])
    for _ in source.to_batches(use_threads=False, columns=["a_column_called_0000"], **options):
        pass
    settled_rss_anon_bytes()
    with_it = psutil.heap_info()
    del source
    settled_rss_anon_bytes()
    without = psutil.heap_info()
    held = with_it.heap_used + with_it.mmap_used - without.heap_used - without.mmap_used
    return {"held_live_bytes": held}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["held_live_bytes"] / WIDE_FILES / 1e3
