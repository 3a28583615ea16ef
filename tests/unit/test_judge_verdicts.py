"""Each kind of difference is found, named, and makes the cell WRONG; nothing checked is no pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_fixtures import good_outcome, manifest

from firstbyte.engine.judge import judge
from firstbyte.engine.launch import Outcome
from firstbyte.model import Sample, Status
from firstbyte.worker.protocol import Counted, Digested, FirstValue

CORPUS = manifest(rows=(3, 2), first_values=("one", "two"))
GOOD = good_outcome(CORPUS)


def test_what_agrees_is_ok() -> None:
    assert judge([GOOD, GOOD], CORPUS) == (Status.OK, "")


COLUMNS = {"text": "text-digest-1", "number": "number-digest-1"}

DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "row count of a pass": (
        {"rows": [Counted(0, 3), Counted(1, 3)]},
        "shard 1: row count mismatch, expected 2, got 3",
    ),
    "row count of one of two readers of a shard": (
        {"rows": [Counted(0, 3), Counted(0, 2)]},
        "shard 0: row count mismatch, expected 3, got 2",
    ),
    "first value": (
        {"first_values": [FirstValue(1, "three")]},
        "shard 1: first value mismatch, expected 'two', got 'three'",
    ),
    "type of the first value": (
        {"first_values": [FirstValue(0, ["one"])]},
        "shard 0: first value mismatch, expected 'one', got ['one']",
    ),
    "missing first value": (
        {"first_values": [FirstValue(0, None)]},
        "shard 0: first value mismatch, expected 'one', got None",
    ),
    "row count of the digests": (
        {"digests": [Digested(1, 1, COLUMNS)]},
        "shard 1: row count mismatch, expected 2, got 1",
    ),
    "no batch where rows were due": (
        {"digests": [Digested(1, 0, None)]},
        "shard 1: row count mismatch, expected 2, got 0",
    ),
    "order of the columns": (
        {"digests": [Digested(1, 2, dict(reversed(COLUMNS.items())))]},
        "shard 1: column mismatch, expected the order 'text', 'number', got 'number', 'text'",
    ),
    "name of a column": (
        {"digests": [Digested(1, 2, {"text": "text-digest-1", "n": "x"})]},
        "shard 1: column mismatch, missing: 'number'; too much: 'n'",
    ),
    "column left out": (
        {"digests": [Digested(1, 2, {"text": "text-digest-1"})]},
        "shard 1: column mismatch, missing: 'number'",
    ),
    "column that nobody asked for": (
        {"digests": [Digested(1, 2, COLUMNS, ["text"])]},
        "shard 1: column mismatch, too much: 'number'",
    ),
    "digest of one of the columns that were asked for": (
        {"digests": [Digested(1, 2, {"text": "wrong"}, ["text"])]},
        "shard 1, column 'text': digest mismatch, expected text-digest-, got wrong",
    ),
    "digest": (
        {"digests": [Digested(1, 2, COLUMNS | {"number": "other-digest-of-it"})]},
        "shard 1, column 'number': digest mismatch, expected number-diges, got other-digest",
    ),
    "digest of one of two readers of a shard": (
        {
            "digests": [
                Digested(1, 2, COLUMNS | {"text": "wrong"}),
                Digested(1, 2, COLUMNS),
            ]
        },
        "shard 1, column 'text': digest mismatch, expected text-digest-, got wrong",
    ),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_a_difference_is_wrong(kind: str) -> None:
    changes, reason = DIFFERENCES[kind]
    wrong = replace(GOOD, **changes)
    assert judge([wrong], CORPUS) == (Status.WRONG, reason)
    assert judge([GOOD, wrong, GOOD], CORPUS) == (Status.WRONG, reason)


def test_a_long_value_is_shortened() -> None:
    status, reason = judge([replace(GOOD, first_values=[FirstValue(0, "x" * 10_000)])], CORPUS)
    assert status is Status.WRONG
    assert len(reason) < 200


def test_what_witnesses_do_not_agree_on_is_not_judged() -> None:
    first, *others = CORPUS.shards
    unsure = replace(first, digests=dict(first.digests) | {"number": None})
    digests = [Digested(0, first.rows, dict(first.digests) | {"number": "any"})]
    outcome = replace(GOOD, digests=digests)
    assert judge([outcome], CORPUS)[0] is Status.WRONG
    assert judge([outcome], replace(CORPUS, shards=(unsure, *others))) == (Status.OK, "")


def test_no_rows_and_no_batch_agree() -> None:
    empty = manifest(rows=(0,), first_values=(None,))
    outcome = good_outcome(empty, digests=[Digested(0, 0, None)], first_values=[])
    assert judge([outcome], empty) == (Status.OK, "")


def test_a_first_value_that_json_cannot_hold_is_not_compared() -> None:
    unknown = manifest(rows=(1,), first_values=(None,))
    outcome = good_outcome(unknown, first_values=[FirstValue(0, "anything")])
    assert judge([outcome], unknown) == (Status.OK, "")


def test_some_of_the_columns_are_enough_where_no_others_were_asked_for() -> None:
    some = replace(GOOD, digests=[Digested(1, 2, {"text": "text-digest-1"}, ["text"])])
    assert judge([some], CORPUS) == (Status.OK, "")


def test_nothing_verified_is_an_error() -> None:
    """Counting rows is not enough, nor is a first value: a reader can count without decoding."""
    unverified = replace(GOOD, digests=[])
    status, reason = judge([unverified, unverified], CORPUS)
    assert (status, "nothing was verified" in reason) == (Status.ERROR, True)
    assert judge([unverified, GOOD], CORPUS)[0] is Status.OK


def test_thousands_of_columns_are_not_all_named() -> None:
    wide = {f"column {number}": "digest" for number in range(3000)}
    status, reason = judge([replace(GOOD, digests=[Digested(1, 2, COLUMNS | wide)])], CORPUS)
    assert (status, "'column 0'" in reason) == (Status.WRONG, True)
    assert len(reason) < 300


def test_names_of_columns_stay_in_their_line() -> None:
    _, reason = judge([replace(GOOD, digests=[Digested(1, 2, {"a\nb\x1b": "x"})])], CORPUS)
    assert reason.isprintable()


def test_no_version_is_an_error() -> None:
    status, reason = judge([GOOD, replace(GOOD, versions={})], CORPUS)
    assert (status, "no version, no measurement" in reason) == (Status.ERROR, True)


def test_no_sample_is_an_error() -> None:
    status, reason = judge([replace(GOOD, samples=[])], CORPUS)
    assert (status, reason) == (Status.ERROR, "the workers ended without a single sample")


BAD = [status for status in Status if status is not Status.OK]


@given(st.lists(st.sampled_from([None, *BAD]), min_size=1, max_size=6))
def test_the_first_process_that_did_not_end_well_decides(ends: list[Status | None]) -> None:
    outcomes = [
        GOOD if end is None else Outcome(status=end, reason=f"reason {number}")
        for number, end in enumerate(ends)
    ]
    status, reason = judge(outcomes, CORPUS)
    first = next((number for number, end in enumerate(ends) if end is not None), None)
    if first is None:
        assert (status, reason) == (Status.OK, "")
    else:
        where = f" (process {first + 1} of {len(ends)})" if len(ends) > 1 else ""
        assert (status, reason) == (ends[first], f"reason {first}{where}")


def test_failures_come_before_differences() -> None:
    wrong = replace(GOOD, rows=[Counted(0, 99)])
    crashed = Outcome(status=Status.CRASHED, reason="killed by SIGSEGV", samples=[Sample({})])
    assert judge([wrong, crashed], CORPUS)[0] is Status.CRASHED


@pytest.mark.parametrize(
    ("rows", "status"),
    [(None, Status.OK), (1024, Status.OK), (256, Status.OK), (255, Status.SUSPECT)],
)
def test_a_first_value_in_far_fewer_rows_than_were_asked_for_is_suspect(
    rows: int | None, status: Status
) -> None:
    large = manifest(rows=(3000,), first_values=("one",))
    outcome = good_outcome(large, first_values=[FirstValue(0, "one", rows)])
    said, reason = judge([outcome], large)
    assert said is status
    assert ("first batch of shard 0 has 255 rows, where 1,024 were due" in reason) == (rows == 255)


def test_a_first_batch_is_no_larger_than_a_row_group() -> None:
    one = manifest(rows=(3000,), first_values=("one",))
    grouped = replace(one, shards=(replace(one.shards[0], row_groups=30),))
    outcome = good_outcome(grouped, first_values=[FirstValue(0, "one", 100)])
    assert judge([outcome], grouped) == (Status.OK, "")
