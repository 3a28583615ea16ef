"""Two runs side by side: the ratio of every figure, with an exact interval where one can be had.

The unit is the process: samples of one process share its luck (address layout, hash seed, placement),
so each process is first reduced to the median of its samples. The ratio is the Hodges-Lehmann estimate
on logarithms, the median of all pairwise ratios after/before. Its interval inverts the exact two-sided
Mann-Whitney test (Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963; Lehmann,
Nonparametrics: Statistical Methods Based on Ranks, 1975, chapter 2.6). It covers the true ratio with
at least the stated confidence whatever the distribution, given that both runs differ by a factor only
and that their processes are exchangeable: two runs at different times on a busy machine are not, which
is why the gate measures both sides anew, in turns.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from firstbyte.analysis import frames
from firstbyte.engine.fingerprint import differences
from firstbyte.errors import IncomparableError, UnknownNameError
from firstbyte.model import Cell, CellKey, Run
from firstbyte.visibility.shown import ShownRecord, ShownRun

CONFIDENCE = 0.95

TOO_FEW = "too few processes for an interval"
NOT_POSITIVE = "not all values are positive, so there is no ratio"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one cell in two runs; `before` and `after` are medians over all samples."""

    cell: Cell
    metric: str
    before: float
    after: float
    ratio: float | None
    interval: tuple[float, float] | None
    processes: tuple[int, int]
    note: str = ""
    """Why ratio or interval is missing; empty when both are there."""


@dataclass(frozen=True, slots=True)
class Uncompared:
    """A cell that only one run has, or that is not OK in both."""

    key: CellKey
    reason: str


def compare(
    before: ShownRun,
    after: ShownRun,
    *,
    allow_different_hosts: bool = False,
    metrics: Sequence[str] = (),
) -> tuple[list[Comparison], list[Uncompared]]:
    """Every reported metric of every cell that is OK in both runs, and the cells left out with why.

    Raises IncomparableError when the hosts differ (unless allowed) or a corpus is not the same, naming
    the fields; UnknownNameError for a metric that neither run has.
    """
    check_comparable(before.run, after.run, allow_different_hosts=allow_different_hosts)
    left = {record.cell.key: record for record in before.records}
    right = {record.cell.key: record for record in after.records}
    old, new = _by_process(before.records), _by_process(after.records)
    known = {metric for figures in (old, new) for _, metric in figures}
    for metric in metrics:
        if metric not in known:
            raise UnknownNameError("metric", metric, known)
    rows: list[Comparison] = []
    uncompared: list[Uncompared] = []
    for key in dict.fromkeys([*left, *right]):
        if reason := _obstacle(left.get(key), right.get(key)):
            uncompared.append(Uncompared(key, reason))
            continue
        names = dict.fromkeys(metric for cell, metric in [*old, *new] if cell == key)
        for metric in names:
            if metrics and metric not in metrics:
                continue
            if (key, metric) in old and (key, metric) in new:
                rows.append(
                    _comparison(right[key].cell, metric, old[key, metric], new[key, metric])
                )
            else:
                missing = (
                    ("before", left[key]) if (key, metric) not in old else ("after", right[key])
                )
                uncompared.append(Uncompared(key, _absence(metric, *missing)))
    return rows, uncompared


def check_comparable(before: Run, after: Run, *, allow_different_hosts: bool = False) -> None:
    """Raises IncomparableError, naming the differing fields of the hosts or of a shared corpus."""
    hosts = differences(before.host, after.host)
    if hosts and not allow_different_hosts:
        raise IncomparableError(
            f"runs {before.run_id} and {after.run_id} are of different hosts: {'; '.join(hosts)}"
            " (--allow-different-hosts compares them all the same)"
        )
    for name in before.corpora.keys() & after.corpora.keys():
        one, other = before.corpora[name], after.corpora[name]
        fields = sorted(
            field for field in one.keys() | other.keys() if one.get(field) != other.get(field)
        )
        if fields:
            raise IncomparableError(
                f"runs {before.run_id} and {after.run_id} read different data as corpus '{name}':"
                f" {', '.join(fields)} differ (another version of the library that writes it is enough);"
                " run both on the same files, with --corpus 'files:GLOB'"
            )


def ratio_interval(
    before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, tuple[float, float] | None]:
    """The Hodges-Lehmann ratio after/before and its exact interval; all values must be positive.

    The interval is None where even the widest one would not reach the confidence, as with three
    processes a side. Raises ValueError for an empty side or a value that is not positive.
    """
    if not before or not after or min(*before, *after) <= 0:
        raise ValueError("both sides need values, all of them above zero")
    ratios = sorted(a / b for a in after for b in before)
    depth = _depth(len(before), len(after), confidence)
    interval = (ratios[depth - 1], ratios[-depth]) if depth else None
    return math.exp(statistics.median(math.log(ratio) for ratio in ratios)), interval


def _comparison(
    cell: Cell, metric: str, old: dict[int, list[float]], new: dict[int, list[float]]
) -> Comparison:
    before = [statistics.median(values) for values in old.values()]
    after = [statistics.median(values) for values in new.values()]
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    note = NOT_POSITIVE
    if min(*before, *after) > 0:
        ratio, interval = ratio_interval(before, after)
        note = "" if interval else TOO_FEW
    return Comparison(
        cell,
        metric,
        statistics.median(value for values in old.values() for value in values),
        statistics.median(value for values in new.values() for value in values),
        ratio,
        interval,
        (len(before), len(after)),
        note,
    )


def _by_process(
    records: Sequence[ShownRecord],
) -> dict[tuple[CellKey, str], dict[int, list[float]]]:
    """Values by (cell key, metric) and process, from the reported instrument of each metric."""
    found: dict[tuple[CellKey, str], dict[int, list[float]]] = {}
    for row in frames.rows_of(frames.reportable(frames.samples(records))):
        key = frames.key_of(row)
        processes = found.setdefault((key, row["metric"]), {})
        processes.setdefault(row["process"], []).append(row["value"])
    return found


def _obstacle(before: ShownRecord | None, after: ShownRecord | None) -> str:
    if before is None:
        return "only in the second run"
    if after is None:
        return "only in the first run"
    states = [(name, r) for name, r in (("before", before), ("after", after)) if not r.ok]
    return "; ".join(f"{record.status} {name}: {record.reason}" for name, record in states)


def _absence(metric: str, side: str, record: ShownRecord) -> str:
    why = record.withheld.get(metric)
    return f"{metric} is withheld {side}: {why}" if why else f"{metric} is missing {side}"


def _depth(m: int, n: int, confidence: float) -> int:
    """How many of the sorted pairwise ratios may be cut off at each end; 0 when none may.

    The largest c with P(U < c) <= (1 - confidence) / 2 under the exact null distribution of the
    Mann-Whitney statistic U, whose counts are the coefficients of the Gaussian binomial.
    """
    size = m * n + 1
    counts = [0] * size
    counts[0] = 1
    for i in range(1, m + 1):
        for at in range(size - 1, n + i - 1, -1):  # times (1 - q^(n+i))
            counts[at] -= counts[at - n - i]
        for at in range(i, size):  # over (1 - q^i)
            counts[at] += counts[at - i]
    tail = (1 - confidence) / 2 * math.comb(m + n, m)
    depth, below = 0, 0
    while below + counts[depth] <= tail:
        below += counts[depth]
        depth += 1
    return depth
