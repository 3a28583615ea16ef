"""Decoding does not wait for the consumer: what is held grows with the rows of the whole file.

`sink_batches` blocks while its callback works, and the Parquet source decodes on regardless. Were
it held back, the peak would not depend on the length of the file; the figure is how much of the
longer file's extra decoded bytes the peak gains.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, Signature
from firstbyte.cases.data import NUMBER_COLUMNS, NUMBER_ROWS, numbers
from firstbyte.cases.peak import peak_rss_anon_bytes
from firstbyte.cases.tools import rss_anon_bytes

LINKS = ("https://github.com/pola-rs/polars/issues/28569",)
DISTRIBUTION = "polars"
REPORTED = "polars 1.43 and later"
SHORT = "short_file"
ARMS = (AS_REPORTED, SHORT)
SIGNATURE = Signature("peak of RssAnon gained / decoded bytes that the file is longer", 0.1, 0.4)

LONG_GROUPS, SHORT_GROUPS = 60, 20
PAUSE_SECONDS = 0.01


def run(arm: str, data: Path) -> dict[str, float]:
    import polars as pl

    path = numbers(data, LONG_GROUPS if arm == AS_REPORTED else SHORT_GROUPS)
    before = rss_anon_bytes()
    with peak_rss_anon_bytes() as peak:
        pl.scan_parquet(path).sink_batches(lambda _: time.sleep(PAUSE_SECONDS), chunk_size=1000)
    return {"gained_rss_anon_bytes": peak() - before}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    longer = 4 * NUMBER_COLUMNS * NUMBER_ROWS * (LONG_GROUPS - SHORT_GROUPS)
    gained = arms[AS_REPORTED]["gained_rss_anon_bytes"] - arms[SHORT]["gained_rss_anon_bytes"]
    return gained / longer
