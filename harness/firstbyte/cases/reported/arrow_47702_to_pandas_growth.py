"""`to_pandas` in a loop: with the mimalloc that pyarrow 21 bundled, freed blocks were not used
again.

Each conversion is dropped before the next. Resident memory grew by many times the table's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstbyte.cases.case import AS_REPORTED, Signature
from firstbyte.cases.tools import settled_rss_anon_bytes

LINKS = (
    "https://github.com/apache/arrow/issues/47702",
    "https://github.com/apache/arrow/issues/47266",
)
DISTRIBUTION = "pyarrow"
REPORTED = "pyarrow 21.0"
ARMS = (AS_REPORTED,)
SIGNATURE = Signature("RssAnon gained over 36 conversions / size of the table", 1.0, 3.0)

ROWS = 500_000
COLUMNS = 12
FIRST, LAST = 4, 40


def run(arm: str, data: Path) -> dict[str, float]:
    import numpy as np
    import pyarrow as pa

    numbers = np.random.default_rng(0)
    table = pa.table({f"c{index}": numbers.random(ROWS) for index in range(COLUMNS)})
    readings = []
    for number in range(LAST):
        frame = table.to_pandas()
        del frame
        if number + 1 in (FIRST, LAST):
            readings.append(settled_rss_anon_bytes())
    return {"gained_rss_anon_bytes": readings[1] - readings[0], "table_bytes": table.nbytes}


def figure(arms: Mapping[str, Mapping[str, float]], arm: str) -> float:
    return arms[arm]["gained_rss_anon_bytes"] / arms[arm]["table_bytes"]
