"""The figures of a run as CSV or JSON, for tools of your own.

Both hold every raw sample under every instrument. Times under an instrument other than the clock are
in there, with the instrument's name beside them: filter before you compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from firstbyte.analysis import frames
from firstbyte.model import Record, Run


def csv_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row per sample and metric of OK cells, and one row without figures for each other cell.

    Columns: those of `frames.samples`, then status and reason.
    """
    kept = frames.latest(records)
    states = frames.statuses(kept)[[*frames.CELL, "status", "reason"]]
    return states.merge(frames.samples(kept), on=frames.CELL, how="left").astype(
        {"process": "Int64", "sample": "Int64"}
    )


def write_csv(path: Path, records: Iterable[Record]) -> None:
    """Write `csv_frame` to `path`. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    csv_frame(records).to_csv(path, index=False)


def write_json(path: Path, run: Run, records: Iterable[Record]) -> None:
    """Write the run's description, its records as stored and their summary. Raises OSError."""
    kept = frames.latest(records)
    document = {
        "run": asdict(run),
        "summary": list(frames.rows_of(frames.summary(frames.samples(kept)))),
        "records": [json.loads(record.to_json()) for record in kept],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
