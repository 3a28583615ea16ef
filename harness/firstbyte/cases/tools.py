"""What cases look at: resident memory, the Arrow pool, and the highest of either over a scan."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable

from firstbyte.worker.status import own_status

SETTLE_SECONDS = 0.3


def rss_anon_bytes() -> float:
    """RssAnon of this process now."""
    return float(own_status().anon)


def rss_file_bytes() -> float:
    """RssFile of this process now."""
    return float(own_status().file)


def settled_rss_anon_bytes() -> float:
    """RssAnon after garbage collection and a moment for the allocators' own threads."""
    gc.collect()
    time.sleep(SETTLE_SECONDS)
    return rss_anon_bytes()


def pool_bytes() -> float:
    """Live bytes of Arrow's default memory pool."""
    import pyarrow as pa

    return float(pa.default_memory_pool().bytes_allocated())


def highest(batches: Iterable[object], reading: Callable[[], float]) -> float:
    """The highest reading after any batch; batches are dropped as they come."""
    top = reading()
    for _ in batches:
        top = max(top, reading())
    return top
