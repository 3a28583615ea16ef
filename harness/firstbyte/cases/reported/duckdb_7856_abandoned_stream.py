"""A stream of Arrow batches that is given up half-way leaves what its result had buffered behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstbyte.cases.case import AS_REPORTED, WORKED_AROUND, Signature
from firstbyte.cases.data import many_row_groups
from firstbyte.cases.tools import settled_rss_anon_bytes

LINKS = ("https://github.com/duckdb/duckdb/issues/7856",)
DISTRIBUTION = "duckdb"
REPORTED = "duckdb 0.8"
ARMS = (AS_REPORTED, WORKED_AROUND)
SIGNATURE = Signature("RssAnon gained over 20 streams / size of the file", 0.3, 1.0)

STREAMS = 20


def run(arm: str, data: Path) -> dict[str, float]:
    import duckdb

    path = many_row_groups(data)
    connection = duckdb.connect()
    rows = 1000 if arm == WORKED_AROUND else None
    connection.execute("select 1").fetchall()
    before = settled_rss_anon_bytes()
    for _ in range(STREAMS):
        limit = f" limit {rows}" if rows else ""
        connection.execute(f"select * from '{path}'{limit}")
        reader: Any = connection.to_arrow_reader(1000)
        reader.read_next_batch()
        del reader
    gained = settled_rss_anon_bytes() - before
    return {"gained_rss_anon_bytes": gained, "file_bytes": path.stat().st_size}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["gained_rss_anon_bytes"] / arms[arm]["file_bytes"]
