"""The parent's verdict on a cell: did every process deliver the corpus's rows, and nothing else?

The worker times, the parent judges: what the workers sent (rows, first values, digests) is held
against the manifest here, after the last of them has ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.launch import Outcome
from firstbyte.model import Sample, Status
from firstbyte.worker.order import BATCH_ROWS
from firstbyte.worker.protocol import Digested

SMALL_BATCH = 4
"""A first batch of so many times fewer rows than were due is no batch."""


def judge(outcomes: Sequence[Outcome], manifest: Manifest) -> tuple[Status, str]:
    """Status and reason of a cell whose processes ended so.

    What witnesses of the corpus do not agree on is not judged (`firstbyte.corpora.reference`).

    The first process that did not end well decides; then rows, first values and digests; a cell in
    which nothing was verified is an ERROR, since nobody knows what it measured. What is right may still be
    too good to be true: SUSPECT.
    """
    for number, outcome in enumerate(outcomes, 1):
        if outcome.status is not Status.OK:
            where = f" (process {number} of {len(outcomes)})" if len(outcomes) > 1 else ""
            return outcome.status, outcome.reason + where
    if found := first_difference(outcomes, manifest):
        return Status.WRONG, str(found)
    if not any(outcome.samples for outcome in outcomes):
        return Status.ERROR, "the workers ended without a single sample"
    if not all(outcome.versions for outcome in outcomes):
        return Status.ERROR, "the backend states no version: no version, no measurement"
    if not any(outcome.digests for outcome in outcomes):
        return Status.ERROR, "nothing was verified: the scenario opened no reader over a shard"
    reasons = dict.fromkeys(
        reason
        for outcome in outcomes
        for reason in (*outcome.suspicions, *_small_first_batches(outcome, manifest))
    )
    if reasons:
        return Status.SUSPECT, "; ".join(reasons)
    return Status.OK, ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a worker delivered and the corpus does not have, or the other way round."""

    shard: int
    what: str
    column: str = ""
    """The one whose digest differs; empty where all may differ, or none does."""
    lies_in_rows: bool = True
    """Whether the rows that were read again are not those of the shard."""

    def __str__(self) -> str:
        column = f", column {_short(self.column)}" if self.column else ""
        return f"shard {self.shard}{column}: {self.what}"


def first_difference(outcomes: Sequence[Outcome], manifest: Manifest) -> Difference | None:
    """The first thing that is WRONG; None where nothing is."""
    found = (one for outcome in outcomes for one in _differences(outcome, manifest))
    return next(found, None)


def _small_first_batches(outcome: Outcome, manifest: Manifest) -> Iterator[str]:
    """Where a first value came in far fewer rows than were asked for and stand together in the shard: it did
    not wait for what others wait for.
    """
    for first in outcome.first_values:
        entry = manifest.shards[first.shard]
        due = min(BATCH_ROWS, entry.rows // max(1, entry.row_groups))
        if first.rows is not None and first.rows * SMALL_BATCH < due:
            yield (
                f"its first batch of shard {first.shard} has {first.rows} rows, where {due:,} were due: the "
                f"first value did not wait for a batch"
            )


class UnfitError(ValueError):
    """The figures of a cell cannot be kept; the message says why."""


def fit(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """The samples, all of whose figures are finite numbers. Raises UnfitError."""
    kept = tuple(samples)
    for sample in kept:
        series = ((name, value) for name, values in sample.series.items() for value in values)
        for name, value in (*sample.values.items(), *series):
            if type(value) not in (int, float) or not math.isfinite(value):
                raise UnfitError(
                    f"'{name}' in process {sample.process + 1} is {value!r}, not a finite number"
                )
    return kept


def _differences(outcome: Outcome, manifest: Manifest) -> Iterator[Difference]:
    for count in outcome.rows:
        expected = manifest.shards[count.shard].rows
        if count.rows != expected:
            yield Difference(count.shard, _row_count(expected, count.rows))
    for first in outcome.first_values:
        wanted = manifest.shards[first.shard].first_value
        # By their texts: -0.0 is 0.0, and true is 1, for whoever compares values.
        if wanted is not None and repr(first.value) != repr(wanted):
            what = f"first value mismatch, expected {_short(wanted)}, got {_short(first.value)}"
            yield Difference(first.shard, what, lies_in_rows=False)
    for digested in outcome.digests:
        yield from _digest_differences(digested, manifest)


def _digest_differences(digested: Digested, manifest: Manifest) -> Iterator[Difference]:
    shard, rows, columns = digested.shard, digested.rows, digested.columns
    entry = manifest.shards[shard]
    if rows != entry.rows:
        yield Difference(shard, _row_count(entry.rows, rows))
    if columns is None:  # no batch at all
        return
    due = list(entry.digests if digested.asked is None else digested.asked)
    if list(columns) != due:
        what = f"column mismatch, {_column_difference(due, list(columns))}"
        yield Difference(shard, what, lies_in_rows=False)
        return
    for name in due:
        expected = entry.digests.get(name)
        if expected is not None and columns[name] != expected:
            what = f"digest mismatch, expected {expected[:12]}, got {columns[name][:12]}"
            yield Difference(shard, what, name)


def _row_count(expected: int, got: int) -> str:
    return f"row count mismatch, expected {expected}, got {got}"


def _column_difference(due: Sequence[str], got: Sequence[str]) -> str:
    """What is missing and what is too much; or the order, where that alone differs."""
    missing = [name for name in due if name not in got]
    surplus = [name for name in got if name not in due]
    if not missing and not surplus:
        return f"expected the order {_names(due)}, got {_names(got)}"
    found = {"missing": missing, "too much": surplus}
    return "; ".join(f"{what}: {_names(names)}" for what, names in found.items() if names)


MOST_NAMES = 8
"""A file can have thousands of columns."""


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(_short, names[:MOST_NAMES]))
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
