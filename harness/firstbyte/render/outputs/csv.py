"""Every raw sample as CSV, with the reason in the place of a figure that is withheld.

It holds all instruments. Times under an instrument other than the clock are in there, with the
instrument's name beside them: filter before you compare.
"""

from __future__ import annotations

import pandas as pd

from firstbyte.analysis import frames
from firstbyte.render.request import Request
from firstbyte.render.tables import RunView


def render(given: Request) -> str:
    text: str = frame(given.view).to_csv(index=False)
    return text


def frame(view: RunView) -> pd.DataFrame:
    """One row per sample and chosen metric of OK cells, one without figures for each other cell.

    Columns: those of `frames.figures`, with status and reason after those of the cell.
    """
    records = view.records
    figures = frames.figures(records)
    states = frames.statuses(records)[[*frames.CELL, "status", "reason"]]
    every = states.merge(figures, on=frames.CELL, how="left").astype(
        {"process": "Int64", "sample": "Int64"}
    )
    if not view.chosen:
        return every
    # A cell without figures has no metric; it stays, as it may be the answer.
    return every[every["metric"].isin(view.chosen) | every["metric"].isna()]
