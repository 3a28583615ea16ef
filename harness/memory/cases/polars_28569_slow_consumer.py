"""Decoding runs ahead of whoever takes the batches: a slow consumer lets memory rise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from harness.memory.case import AS_REPORTED, Signature
from harness.memory.case_data import many_row_groups
from harness.memory.case_peak import peak_rss_anon_bytes
from harness.memory.case_tools import rss_anon_bytes

LINKS = ("https://github.com/pola-rs/polars/issues/28569",)
DISTRIBUTION = "polars"
REPORTED = "polars 2.0 and later"
FAST = "fast_consumer"
ARMS = (AS_REPORTED, FAST)
SIGNATURE = Signature("RssAnon gained, slow consumer / fast one", 1.15, 1.5)

PAUSE_SECONDS = 0.02


def run(arm: str, data: Path) -> dict[str, float]:
    import polars as pl

    before = rss_anon_bytes()
    with peak_rss_anon_bytes() as peak:
        for _ in pl.scan_parquet(many_row_groups(data)).collect_batches(chunk_size=1024):
            if arm == AS_REPORTED:
                time.sleep(PAUSE_SECONDS)
    return {"gained_rss_anon_bytes": peak() - before}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[AS_REPORTED]["gained_rss_anon_bytes"] / arms[FAST]["gained_rss_anon_bytes"]
