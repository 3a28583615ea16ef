"""The parent's verdict on a cell: did every process deliver the corpus's rows, and nothing else?

The worker times, the parent judges: what the workers sent (rows, first values, digests) is held
against the manifest here, after the last of them has ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.launch import Outcome
from firstbyte.model import Sample, Status
from firstbyte.worker.protocol import Digested


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
    for outcome in outcomes:
        for reason in _differences(outcome, manifest):
            return Status.WRONG, reason
    if not any(outcome.samples for outcome in outcomes):
        return Status.ERROR, "the workers ended without a single sample"
    if not all(outcome.versions for outcome in outcomes):
        return Status.ERROR, "the backend states no version: no version, no measurement"
    if not any(outcome.digests for outcome in outcomes):
        return Status.ERROR, "nothing was verified: the scenario opened no reader over a shard"
    reasons = dict.fromkeys(reason for outcome in outcomes for reason in outcome.suspicions)
    if reasons:
        return Status.SUSPECT, "; ".join(reasons)
    return Status.OK, ""


def difference(outcome: Outcome, manifest: Manifest) -> str:
    """The first thing that a process delivered otherwise than the corpus has it; empty where nothing is."""
    return next(iter(_differences(outcome, manifest)), "")


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


def _differences(outcome: Outcome, manifest: Manifest) -> list[str]:
    found = []
    for count in outcome.rows:
        expected = manifest.shards[count.shard].rows
        if count.rows != expected:
            found.append(
                f"shard {count.shard}: row count mismatch, expected {expected}, got {count.rows}"
            )
    for first in outcome.first_values:
        wanted = manifest.shards[first.shard].first_value
        if wanted is not None and first.value != wanted:
            found.append(
                f"shard {first.shard}: first value mismatch, "
                f"expected {_short(wanted)}, got {_short(first.value)}"
            )
    for digested in outcome.digests:
        found.extend(_digest_differences(digested, manifest))
    return found


def _digest_differences(digested: Digested, manifest: Manifest) -> list[str]:
    shard, rows, columns = digested.shard, digested.rows, digested.columns
    entry = manifest.shards[shard]
    if rows != entry.rows:
        return [f"shard {shard}: row count mismatch, expected {entry.rows}, got {rows}"]
    if columns is None:  # no batch at all, and none was due
        return []
    due = list(entry.digests if digested.asked is None else digested.asked)
    if list(columns) != due:
        return [f"shard {shard}: column mismatch, {_column_difference(due, list(columns))}"]
    return [
        f"shard {shard}, column '{name}': digest mismatch, expected {expected[:12]}, "
        f"got {columns[name][:12]}"
        for name in due
        if (expected := entry.digests.get(name)) is not None and columns[name] != expected
    ]


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
