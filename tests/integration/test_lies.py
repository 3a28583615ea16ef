"""Every kind of lie is WRONG under every instrument and in every scenario, and says where it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import FAULTY

from firstbyte.engine import registry, session
from firstbyte.engine.plan import Axes
from firstbyte.model import Record, Status

# One process makes the records that these tests look at.
pytestmark = pytest.mark.xdist_group("lies")

LYING = Path(__file__).parent / "lying"
ROWS = 60
EMPTY = 7
"""The row of no text, before that of no number; all others have a blank at their end."""

LIES = {
    "swapped_values": "shard 0, column 'number', row 0: expected 0 (int64), got 1 (int64)",
    "duplicated_row": "shard 0, column 'text', row 1: expected 'row 1 ' (string), got 'row 0 ' (string)",
    "row_more": "shard 0: row count mismatch, expected 60, got 61; first in column 'text', row 1: "
    "expected 'row 1 ' (string), got 'row 0 ' (string)",
    "row_less": "shard 0: row count mismatch, expected 60, got 59; first in column 'text', row 0: "
    "expected 'row 0 ' (string), got 'row 1 ' (string)",
    "reversed_rows": "shard 0, column 'text', row 0: expected 'row 0 ' (string), got 'row 59 ' (string)",
    "swapped_columns": "shard 0: column mismatch, expected the order 'text', 'number', 'real', 'at', "
    "got 'at', 'real', 'number', 'text'",
    "column_left_out": "shard 0: column mismatch, missing: 'at'",
    "renamed_column": "shard 0: column mismatch, missing: 'text'; too much: 'words'",
    "minus_zero": "shard 0, column 'real', row 0: expected 0.0 (double), got -0.0 (double)",
    "nan_for_null": "shard 0, column 'real', row 8: expected None (double), got nan (double)",
    "trimmed_blank": "shard 0, column 'text', row 0: expected 'row 0 ' (string), got 'row 0' (string)",
    "null_for_empty": "shard 0, column 'text', row 7: expected '' (string), got None (string)",
    "truncated_text": "shard 0, column 'text', row 0: expected 'row 0 ' (string), got 'row ' (string)",
    "other_zone": "shard 0, column 'at', row 0: expected 1970-01-01 00:00:00+00:00 "
    "(timestamp[us, tz=UTC]), got 1970-01-01 01:00:00+00:00 (timestamp[us, tz=UTC])",
    "no_zone": "shard 0, column 'at', row 0: expected 1970-01-01 00:00:00+00:00 "
    "(timestamp[us, tz=UTC]), got 1970-01-01 00:00:00 (timestamp[us])",
    "rounded_real": "shard 0, column 'real', row 1: expected 0.25 (double), got 0.2 (double)",
    "number_as_text": "shard 0, column 'number', row 0: expected 0 (int64), got '0' (string)",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two shards of 60 rows with what lies need: blanks, nothing, nulls, zeros, instants."""
    folder = tmp_path_factory.mktemp("lies")
    for shard in range(2):
        rows = range(ROWS)
        table = pa.table(
            {
                "text": ["" if row == EMPTY else f"row {row} " for row in rows],
                "number": list(rows),
                "real": [None if row == EMPTY + 1 else row / 4 for row in rows],
                "at": pa.array([row * 10**6 for row in rows], pa.timestamp("us", "UTC")),
            }
        )
        pq.write_table(table, folder / f"{shard}.parquet")
    return f"files:{folder}/*.parquet"


def records(
    corpus: str,
    scenario: str,
    instrument: str,
    backends: list[str],
    repetitions: int = 1,
    **params: str,
) -> dict[str, Record]:
    opened = session.open_session(
        Axes(
            scenarios=(scenario,),
            backends=backends,
            instruments=(instrument,),
            corpora=(corpus,),
            params={name: (value,) for name, value in params.items()},
            profile="full",
        )
    )
    cells = [
        replace(
            one, warmup_processes=0, cell=replace(one.cell, processes=1, repetitions=repetitions)
        )
        for one in opened.plan.cells
    ]
    return {record.cell.variant: record for record in opened.engine("lies").records(cells)}


@pytest.fixture(scope="module")
def here(cache_home: Path) -> Iterator[None]:
    """This process sees the planted backends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv(registry.PLUGINS_VARIABLE, f"{LYING}{os.pathsep}{FAULTY}")
        yield


@pytest.fixture(scope="module")
def memory(here: None, corpus: str) -> dict[str, Record]:
    return records(corpus, "full_scan", "proc_memory", [f"lying:{lie}" for lie in LIES])


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_wrong_where_memory_is_measured(memory: dict[str, Record], lie: str) -> None:
    record = memory[lie]
    assert (record.status, record.reason) == (Status.WRONG, LIES[lie])


@pytest.mark.parametrize("repetitions", [1, 2, 3])
def test_a_lie_in_what_is_timed_alone_is_wrong(here: None, corpus: str, repetitions: int) -> None:
    """The first scan of both shards lies; those after it, and what makes the digests, do not."""
    backends = ["lying:first_passes_only", "sound"]
    found = records(corpus, "full_scan", "clock", backends, repetitions)
    lie = found["first_passes_only"]
    assert lie.status is Status.WRONG
    assert "column 'text', row " in lie.reason
    assert found["default"].status is Status.OK


AT_TIMES = [
    ("again", "full_scan", {}),
    ("clocked", "full_scan", {}),
    ("threads", "concurrent_reads", {"mode": "threads", "readers": "2"}),
]


@pytest.mark.parametrize(("when", "scenario", "params"), AT_TIMES)
def test_a_lie_that_is_told_at_times_is_located_all_the_same(
    here: None, corpus: str, when: str, scenario: str, params: dict[str, str]
) -> None:
    (lie,) = records(corpus, scenario, "clock", [f"lying:{when}"], repetitions=2, **params).values()
    assert (lie.status, lie.reason) == (Status.WRONG, LIES["trimmed_blank"])


def test_counts_may_be_numpys(here: None, corpus: str) -> None:
    for instrument in ("clock", "proc_memory"):
        (record,) = records(corpus, "full_scan", instrument, ["lying:numpy_counts"]).values()
        assert (record.status, record.reason) == (Status.OK, "")


SCENARIOS = [
    ("full_scan", "heap", {}),
    ("allocator_slack", "proc_memory", {"pool": "shipped"}),
    ("concurrent_reads", "proc_memory", {"mode": "threads", "readers": "2"}),
    ("concurrent_reads", "proc_memory", {"mode": "processes", "readers": "2"}),
    ("visibility", "heap", {}),
]


@pytest.mark.parametrize(("scenario", "instrument", "params"), SCENARIOS)
def test_a_lie_in_the_last_shard_is_wrong_wherever_that_is_read(
    here: None, corpus: str, scenario: str, instrument: str, params: dict[str, str]
) -> None:
    backends = ["lying:last_shard_only", "sound"]
    found = records(corpus, scenario, instrument, backends, **params)
    lie = found["last_shard_only"]
    assert (lie.status, lie.reason) == (
        Status.WRONG,
        "shard 1, column 'text', row 0: expected 'row 0 ' (string), got 'row 0' (string)",
    )
    assert found["default"].status is Status.OK, found["default"]
