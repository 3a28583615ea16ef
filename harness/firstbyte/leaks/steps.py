"""Takes out of a series what is no part of a rate: readings that stand alone, and a few steps.

Lone readings go by running medians, which leave lines and steps as they are (Tukey, Exploratory Data
Analysis, 1977, chapter 7). Steps are level shifts: they show as outlying first differences, and are taken
out one after another, the largest first, as long as what is left is much quieter (level shifts of Chen and
Liu, JASA 88 (1993) 284-297; the slope of what is left by Theil and Sen instead of least squares).

A leak never gives back, so a few drops may go; one rise may, as a warm-up makes it, and no more: a leak of
whole pages or chunks is a staircase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median

import numpy as np

from firstbyte.analysis.stats import Floats, Slope, theil_sen

CONFIDENCE = 0.99
FIT_POINTS = 300
"""Longer series are condensed to about this many block medians: Theil-Sen looks at all pairs."""
LONE = 2
"""So many readings in a row count as standing alone."""
MOST_DROPS = 3
MOST_RISES = 1
QUIETER = 0.5
"""Steps go where the range of the noise falls to this share."""


@dataclass(frozen=True, slots=True)
class Level:
    """A series without its steps; sizes are in the unit of its readings."""

    values: list[float]
    """Without lone readings as well."""
    slope: Slope
    """Of all readings: running medians depend on each other, so their interval would be too narrow."""
    noise: float
    """Range of the residuals of `values` about a line of that slope."""
    gained: float
    """From the first fifth to the last, with all steps in."""
    dropped: float = 0.0
    """The largest drop that was taken out."""
    risen: float = 0.0
    """The rise that was taken out."""


def without_lone_readings(values: Sequence[float]) -> list[float]:
    """Running medians of 2 LONE + 1 readings, of fewer near the ends."""
    return [
        median(values[place - reach : place + reach + 1])
        for place in range(len(values))
        if (reach := min(LONE, place, len(values) - 1 - place)) >= 0
    ]


def without_steps(values: Sequence[float], quiet_enough: float = 0.0) -> Level:
    """The series without its steps, or with them where its noise is no more than `quiet_enough`.

    Raises ValueError for fewer than three readings.
    """
    readings = np.asarray(values, dtype=np.float64)
    smooth = np.asarray(without_lone_readings(values))
    whole = _level(readings, smooth, {})
    if whole.noise <= quiet_enough:
        return whole
    moves = np.diff(smooth)
    usual = float(np.median(moves))
    order = [int(place) for place in np.argsort(moves)]
    drops = [place for place in order[:MOST_DROPS] if moves[place] < usual]
    rises = [place for place in order[: -MOST_RISES - 1 : -1] if moves[place] > usual]
    heights = {place: _height(readings, place, usual) for place in (*drops, *rises)}
    counts = product(range(len(drops) + 1), range(len(rises) + 1))
    for dropped, risen in sorted(counts, key=sum):
        chosen = (*drops[:dropped], *rises[:risen])
        level = _level(readings, smooth, {place: heights[place] for place in chosen})
        if level.noise <= QUIETER * whole.noise:
            return level
    return whole


def fitted(values: Sequence[float]) -> Slope:
    """The Theil-Sen slope per reading. Raises ValueError for fewer than three readings."""
    return theil_sen(*condensed(values), CONFIDENCE)


def condensed(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Positions and medians of consecutive blocks, at most about FIT_POINTS of them."""
    size = -(-len(values) // FIT_POINTS)
    starts = range(0, len(values) - size + 1, size)
    medians = [sorted(values[start : start + size])[size // 2] for start in starts]
    return [start + (size - 1) / 2 for start in starts], medians


def _height(readings: Floats, place: int, usual: float) -> float:
    """How much the level after that place is above the one before it, beyond the usual move.

    From the readings themselves, as running medians cut the corners of a step on a slope.
    """
    reach = min(2 * LONE + 1, place + 1, len(readings) - place - 1)
    before, after = readings[place + 1 - reach : place + 1], readings[place + 1 : place + 1 + reach]
    return float(np.median(after) - np.median(before)) - reach * usual


def _level(readings: Floats, smooth: Floats, heights: Mapping[int, float]) -> Level:
    """The series without steps of these heights, each after its place."""
    steps = np.zeros(len(readings))
    for place, height in heights.items():
        steps[place + 1 :] += height
    level = np.asarray(without_lone_readings((readings - steps).tolist()))
    slope = fitted((readings - steps).tolist())
    fifth = max(1, len(smooth) // 5)
    return Level(
        level.tolist(),
        slope,
        noise=float(np.ptp(level - slope.estimate * np.arange(len(level)))),
        gained=float(np.median(smooth[-fifth:]) - np.median(smooth[:fifth])),
        dropped=max((-height for height in heights.values() if height < 0), default=0.0),
        risen=sum(height for height in heights.values() if height > 0),
    )
