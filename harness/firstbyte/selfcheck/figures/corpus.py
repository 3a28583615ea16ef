"""The corpus on which kinds are tried: what readers get wrong is in it, and its rows are known.

Eight shards of 2,400 rows in three row groups, each with a long text, blanks at ends, empty and missing
values, both zeros, NaN, letters with marks apart, numbers of more than 53 bits, bytes that are no text,
and lists, some empty. The rows that were written are what readers are judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from firstbyte import places
from firstbyte.corpora import cache as store
from firstbyte.corpora import catalogue as corpora
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.corpora.manifest import Manifest
from firstbyte.corpora.reference import WRITER, Reading

VERSION = 2
"""Changes whenever other rows would be written."""
SHARDS = 8
ROWS = 2400
ROW_GROUP_ROWS = 800
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.int64()),
        ("twin", pa.int64()),
        ("small", pa.int32()),
        ("score", pa.float64()),
        ("at", pa.timestamp("us", "UTC")),
        ("flag", pa.bool_()),
        ("raw", pa.binary()),
        ("ids", pa.list_(pa.int32())),
    ]
)
"""Beside `id`, whose numbers have 62 bits, stands `twin`, of the same type."""
LONG_TEXT_ROW = 500
_BEGAN = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
_TEXTS = ("Word {n}", "blank {n} ", "", None, "cafe\u0301 {n}", "caf\u00e9 {n}", "zażółć {n}")
_SCORES = (0.1, -0.0, 0.0, None, float("nan"), 1e300)


def corpus() -> Manifest:
    """The corpus, written and described first where the cache lacks it. Raises CorpusError."""
    root = places.cache() / "selfcheck-figures"
    folder = root / store.key(VERSION, pa.__version__)
    with store.locked(root, folder.name, lambda: None):
        if not folder.exists():
            with store.appearing(folder) as partial:
                for shard in range(SHARDS):
                    _write(partial / f"{shard:02d}.parquet", table(shard))
    return corpora.resolve(f"files:{folder}/*.parquet", witnesses=lambda: [written])


def written(shards: Sequence[Path]) -> list[Reading]:
    """The witness: what went into the files."""
    return [_reading(table(int(shard.stem))) for shard in shards]


@cache
def table(shard: int) -> pa.Table:
    """The rows of a shard."""
    rows = [_row(shard * ROWS + n, n) for n in range(ROWS)]
    return pa.Table.from_pylist(rows, SCHEMA)


def _row(n: int, at: int) -> dict[str, object]:
    """Row `at` of a shard, which is row `n` of the corpus: in every shard the same rows are odd."""
    text = _TEXTS[at % len(_TEXTS)]
    return {
        "text": "long " * 14_000 if at == LONG_TEXT_ROW else text and text.format(n=n),
        "id": (1 << 61) + n * 1_000_003,
        "twin": n,
        "small": n % 1000,
        "score": _SCORES[at % len(_SCORES)],
        "at": None if at % 11 == 3 else _BEGAN + timedelta(seconds=n, microseconds=n % 1000),
        "flag": n % 3 == 0,
        "raw": None if at % 13 == 5 else bytes([n % 256, 0xFF, 0xFE]),
        "ids": None if at % 17 == 2 else list(range(n, n + at % 5)),
    }


def _write(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path, row_group_size=ROW_GROUP_ROWS, compression="zstd")


def _reading(rows: pa.Table) -> Reading:
    digests = ColumnDigests(SCHEMA.names)
    for batch in rows.to_batches():
        digests.update(batch)
    return Reading(WRITER, digests.rows, digests.hexdigests())
