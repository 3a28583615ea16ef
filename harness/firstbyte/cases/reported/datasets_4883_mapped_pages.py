"""Pages of a mapped file look like a leak: they count as resident, and are no memory of the
process.

The resident set grows with every batch of a mapped Arrow file that is touched. The kernel takes
these pages back when it needs them; anonymous memory stays where it was. *Still there* means that
the trap is still there, and that the harness does not fall into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import ipc_file
from firstbyte.cases.tools import rss_anon_bytes, rss_file_bytes

LINKS = ("https://github.com/huggingface/datasets/issues/4883",)
DISTRIBUTION = "pyarrow"
REPORTED = "all versions of datasets"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("(RssFile gained - RssAnon gained) / size of the file", 0.1, 0.5)


def run(arm: str, data: Path) -> dict[str, float]:
    import pyarrow as pa

    path = ipc_file(data)
    before = rss_anon_bytes(), rss_file_bytes()
    mapped = arm == AS_REPORTED
    with pa.memory_map(str(path)) if mapped else pa.OSFile(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            # Every page is touched: the sum of all bytes of all values.
            sum(memoryview(batch.column("value").buffers()[2])[::4096])
        gained = rss_anon_bytes() - before[0], rss_file_bytes() - before[1]
    return {
        "gained_rss_anon_bytes": gained[0],
        "gained_rss_file_bytes": gained[1],
        "file_bytes": path.stat().st_size,
    }


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    seen = arms[arm]
    return (seen["gained_rss_file_bytes"] - seen["gained_rss_anon_bytes"]) / seen["file_bytes"]
