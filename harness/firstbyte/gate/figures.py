"""From the samples of processes to one figure a metric: what a pair is made of.

Sizes repeat, so any sample would do; slopes are fitted to the series of one process. Times of two
processes that measured in turns are compared span by span: neighbours saw the same machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import exp, log
from statistics import median

from firstbyte.analysis.stats import Slope, theil_sen
from firstbyte.gate.metrics import (
    GATED_METRICS,
    LIVE_GROWTH,
    NET_WALL,
    RESIDENT_GROWTH,
    RETAINED,
    RHO,
    MetricKind,
)
from firstbyte.gate.trials import GateFigure
from firstbyte.leaks import slopes
from firstbyte.model import Sample
from firstbyte.worker.instruments.clock import WAIT, WALL
from firstbyte.worker.leak_series import (
    LEFT_CHILDREN,
    LEFT_DESCRIPTORS,
    LEFT_THREADS,
    LeakSeries,
    Role,
)
from firstbyte.worker.ledgers import (
    CHILDREN,
    DESCRIPTORS,
    PROCESSES,
    RESIDENT,
    SHARED,
    THREADS,
    Moment,
    counts_live,
)

HELD = (RESIDENT, SHARED, CHILDREN)
"""Ledgers of the kernel that have no memory in common but what processes share."""
MIN_RHO_POINTS = 9


def figures(samples: Sequence[Sample], *, warm_up: bool) -> dict[str, GateFigure]:
    """Gated metrics of one process. `warm_up` drops its first sample, where there are more.

    A time is the minimum, as interruptions only ever add. A metric that not every sample has is left
    out; net wall replaces wall where it can be had.
    """
    kept = _kept(samples, warm_up=warm_up)
    if not kept:
        return {}
    values = [_with_derived(sample.values) for sample in kept]
    found: dict[str, GateFigure] = {
        name: min(value[name] for value in values)
        for name, metric in GATED_METRICS.items()
        if metric.kind is not MetricKind.GROWTH and all(name in value for value in values)
    }
    if NET_WALL in found:
        found.pop(WALL.name, None)
    return found


def spans(samples: Sequence[Sample], *, warm_up: bool) -> dict[str, list[float]]:
    """Gated times of one process, span by span; `warm_up` drops the first."""
    values = [_with_derived(sample.values) for sample in _kept(samples, warm_up=warm_up)]
    return {
        name: [value[name] for value in values]
        for name, metric in GATED_METRICS.items()
        if metric.kind is MetricKind.TIME and all(name in value for value in values)
    }


def in_turns(base: Sequence[float], head: Sequence[float]) -> tuple[float, float]:
    """One figure a side from spans that were measured in turns: their ratio is what counts.

    The ratio is the median over the turns of head to base; base is the median of its spans, and head
    is that times the ratio, so what it would have read at the speed that base had.
    Raises ValueError for spans without partners.
    """
    ratio = median(log(after / before) for before, after in zip(base, head, strict=True))
    middle = median(base)
    return middle, middle * exp(ratio)


def _kept(samples: Sequence[Sample], *, warm_up: bool) -> Sequence[Sample]:
    return samples[1:] if warm_up and len(samples) > 1 else samples


def _with_derived(values: Mapping[str, float]) -> dict[str, float]:
    derived = dict(values)
    if WALL.name in values and WAIT.name in values:
        derived[NET_WALL] = values[WALL.name] - values[WAIT.name]
    return derived


def growth(noted: LeakSeries) -> dict[str, GateFigure]:
    """Slopes over repeated scans, live bytes gained per compressed byte within the long scan, and what
    was left behind.

    What has too few readings for a slope is left out, and so is what nobody counted.
    """
    live, resident = _live_in_all(noted.repeated), _sum(noted.repeated, HELD)
    found: dict[str, GateFigure | None] = {
        LIVE_GROWTH: _slope_over_scans(live),
        RESIDENT_GROWTH: _slope_over_scans(resident),
        RHO: _rho(noted),
        RETAINED: _retained(noted),
        LEFT_DESCRIPTORS: noted.left_per_scan(DESCRIPTORS),
        LEFT_THREADS: noted.left_per_scan(THREADS),
        LEFT_CHILDREN: noted.left_per_scan(PROCESSES),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _retained(noted: LeakSeries) -> float | None:
    """Bytes that the process and its children hold more, once everything was dropped and trimmed."""
    if not {Moment.BASE, Moment.TRIMMED} <= noted.moments.keys():
        return None
    before, after = (
        sum(noted.moments[moment].get(name, 0.0) for name in HELD)
        for moment in (Moment.BASE, Moment.TRIMMED)
    )
    return after - before


def _rho(noted: LeakSeries) -> Slope | None:
    if Role.LONG not in noted.within:
        return None
    scan = noted.within[Role.LONG]
    consumed, held = scan.consumed_bytes, _live_in_all(scan.held)
    start = len(consumed) // 3
    if not held or len(consumed) - start < MIN_RHO_POINTS:
        return None
    return theil_sen(consumed[start:], held[start:])


def _slope_over_scans(readings: Sequence[float]) -> Slope | None:
    return slopes.growth(readings) if len(readings) >= slopes.MIN_SCANS else None


def _live_in_all(ledgers: Mapping[str, Sequence[float]]) -> list[float]:
    """Live bytes of all allocators added up, reading by reading: a leak shows in one of them."""
    return _sum(ledgers, [ledger for ledger in ledgers if counts_live(ledger)])


def _sum(ledgers: Mapping[str, Sequence[float]], some: Collection[str]) -> list[float]:
    """A worker of an older revision may not have all of them."""
    chosen = [readings for ledger, readings in ledgers.items() if ledger in some]
    return [sum(at_once) for at_once in zip(*chosen, strict=True)]
