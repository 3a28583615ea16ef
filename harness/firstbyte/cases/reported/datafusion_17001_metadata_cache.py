"""A session keeps the metadata and statistics of the files that it has read, up to a limit.

The growth over many wide files looks like a leak until the limit is reached. With the limit at zero
the same work keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, Signature
from firstbyte.cases.data import WIDE_FILES, wide_files
from firstbyte.cases.tools import settled_rss_anon_bytes

LINKS = (
    "https://github.com/apache/datafusion/issues/17001",
    "https://github.com/apache/datafusion/issues/19052",
)
DISTRIBUTION = "datafusion"
REPORTED = "datafusion 50 and later"
REPEATED = "one_file_repeated"
ARMS = (AS_REPORTED, REPEATED)
SIGNATURE = Signature("RssAnon gained beyond one file read as often, kB per file", 200, 500)


def run(arm: str, data: Path) -> dict[str, float]:
    from datafusion import SessionContext

    paths = wide_files(data)
    context = SessionContext()
    context.read_parquet(str(paths[0])).limit(1).collect()
    before = settled_rss_anon_bytes()
    for path in paths if arm == AS_REPORTED else paths[:1] * len(paths):
        context.read_parquet(str(path)).limit(1).collect()
    return {"gained_rss_anon_bytes": settled_rss_anon_bytes() - before}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    beyond = arms[AS_REPORTED]["gained_rss_anon_bytes"] - arms[REPEATED]["gained_rss_anon_bytes"]
    return beyond / WIDE_FILES / 1e3
