"""The streaming engine holds row groups as a whole: the same query takes far more for a large
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, Signature
from firstbyte.cases.data import many_row_groups, one_row_group
from firstbyte.cases.peak import peak_rss_anon_bytes
from firstbyte.cases.tools import rss_anon_bytes

LINKS = ("https://github.com/pola-rs/polars/issues/25307",)
DISTRIBUTION = "polars"
REPORTED = "polars 1.34 and later"
MANY = "many_row_groups"
ARMS = (AS_REPORTED, MANY)
SIGNATURE = Signature("RssAnon gained, one row group / sixty", 1.3, 2.0)


def run(arm: str, data: Path) -> dict[str, float]:
    import polars as pl

    path = (one_row_group if arm == AS_REPORTED else many_row_groups)(data)
    query = pl.scan_parquet(path).select(pl.col("value").bin.size().max())
    before = rss_anon_bytes()
    with peak_rss_anon_bytes() as peak:
        query.collect(engine="streaming")
    return {"gained_rss_anon_bytes": peak() - before}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[AS_REPORTED]["gained_rss_anon_bytes"] / arms[MANY]["gained_rss_anon_bytes"]
