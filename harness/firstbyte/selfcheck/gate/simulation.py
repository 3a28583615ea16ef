"""How often the gate lies and how often it finds: its own rule, replayed on recorded A/A pairs.

The records are log ratios of pairs in which both sides were the same program. Blocks of neighbours
are resampled (drift and bursts survive), the sign of every pair is drawn anew (in a gate, which of
the sides runs first is random), and a planted effect is added. The trials are those that judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log1p

import numpy as np
from numpy.typing import NDArray

from firstbyte.analysis.stats import Floats, block_resample, clopper_pearson, hodges_lehmann
from firstbyte.gate.paired import PairedRule, PairedTrial
from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.verdicts import Gate

BLOCK_PAIRS = 8
"""Neighbouring pairs that stay together; a burst on a shared machine lasts for some processes."""
BATCH = 2_000
"""Screens estimated at once."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A simulated proportion with its exact 95% interval."""

    events: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.events / self.trials

    @staticmethod
    def of(events: int, trials: int) -> Rate:
        return Rate(events, trials, *clopper_pearson(events, trials))


@dataclass(frozen=True, slots=True)
class Power:
    """How a planted change of one metric ends, as proportions of simulated gates."""

    effect: float
    found: Rate
    inconclusive: Rate


def false_alarms(
    null: Mapping[str, Sequence[float]],
    *,
    metrics: int,
    gates: int,
    rule: PairedRule,
    rng: np.random.Generator,
) -> Rate:
    """Proportion of whole gates of `metrics` unchanged metrics that end REGRESSED.

    `null` maps a metric to log ratios of A/A pairs in the order of measurement. Metrics are dealt
    round robin. Most never pass the screen, so screens are estimated in bulk and only gates with a
    suspect are played through, from screens that are known to make the same suspects.
    """
    series = [_as_series(name, values, rule) for name, values in null.items()]
    alarms = 0
    for first in range(0, gates, BATCH):
        count = min(BATCH, gates - first)
        screens = [
            _draw(series[metric % len(series)], rule.longest_screen_pairs, count, rng)
            for metric in range(metrics)
        ]
        rising = np.stack([_rises(screen, rule) for screen in screens])
        for gate_index in np.flatnonzero(rising.any(axis=0)):
            suspects = np.flatnonzero(rising[:, gate_index])
            played = {
                str(metric): (screens[metric][gate_index], series[metric % len(series)])
                for metric in suspects
            }
            alarms += GateOutcome.REGRESSED in play(played, 0.0, rule, rng)
    return Rate.of(alarms, gates)


def replay(null: Mapping[str, Sequence[float]], *, rule: PairedRule) -> Rate:
    """Whole gates over the recorded pairs as they came: nothing resampled, no sign drawn.

    Each gate screens one window of consecutive pairs of every metric and confirms on the pairs that
    follow, going round at the end of the series. Windows do not overlap.
    """
    series = {name: _as_series(name, values, rule) for name, values in null.items()}
    windows = min(values.size for values in series.values()) // rule.screen_pairs
    needed = rule.longest_screen_pairs + rule.looks[-1]
    alarms = 0
    for window in range(windows):
        positions = window * rule.screen_pairs + np.arange(needed)
        taken = {name: values[positions % values.size] for name, values in series.items()}
        gate = Gate({name: {"metric": PairedTrial(rule)} for name in taken})
        following = {name: iter(values) for name, values in taken.items()}
        while wanted := gate.wanted():
            _feed(gate, wanted, following)
        alarms += any(verdict.outcome is GateOutcome.REGRESSED for verdict in gate.verdicts())
    return Rate.of(alarms, windows)


def power(
    null: Sequence[float],
    effect: float,
    *,
    gates: int,
    rule: PairedRule,
    rng: np.random.Generator,
    other_suspects: int = 0,
) -> Power:
    """How often a change by `effect` (0.05 is +5%) of one metric is found, screen included.

    `other_suspects` metrics are forced through the screen beside it, for they raise the price.
    """
    series = _as_series("power", null, rule)
    outcomes: Counter[GateOutcome] = Counter()
    for screen in _draw(series, rule.longest_screen_pairs, gates, rng) + log1p(effect):
        metrics = {"planted": (screen, series)}
        certain = np.full(rule.longest_screen_pairs, 2 * log1p(rule.tolerance))
        metrics |= {f"other {index}": (certain, series) for index in range(other_suspects)}
        outcomes[play(metrics, effect, rule, rng)[0]] += 1
    return Power(
        effect=effect,
        found=Rate.of(outcomes[GateOutcome.REGRESSED], gates),
        inconclusive=Rate.of(outcomes[GateOutcome.INCONCLUSIVE], gates),
    )


def play(
    metrics: Mapping[str, tuple[Floats, Floats]],
    effect: float,
    rule: PairedRule,
    rng: np.random.Generator,
) -> list[GateOutcome]:
    """One whole gate: given screens, and fresh pairs drawn from each metric's series plus effect.

    The effect is added to the first metric only; screens already contain it.
    """
    gate = Gate({name: {"metric": PairedTrial(rule)} for name in metrics})
    screens = {name: iter(screen) for name, (screen, _) in metrics.items()}
    while (wanted := gate.wanted()) and gate.suspects is None:
        _feed(gate, wanted, screens)
    shift = dict.fromkeys(metrics, 0.0)
    shift[next(iter(metrics))] = log1p(effect)
    fresh = {
        name: iter(_draw(series, rule.looks[-1], 1, rng)[0] + shift[name])
        for name, (_, series) in metrics.items()
    }
    while wanted := gate.wanted():
        _feed(gate, wanted, fresh)
    return [verdict.outcome for verdict in gate.verdicts()]


def _feed(gate: Gate, wanted: Mapping[str, int], sources: Mapping[str, Iterator[float]]) -> None:
    for name, pairs in wanted.items():
        for _ in range(pairs):
            gate.add(name, {"metric": (1.0, exp(next(sources[name])))})


def _rises(screens: Floats, rule: PairedRule) -> NDArray[np.bool_]:
    """Whether each row ends its screen as a suspected rise: `PairedTrial` for many rows at once."""
    short = screens[:, : rule.screen_pairs]
    threshold = log1p(rule.tolerance)
    centre = hodges_lehmann(short)
    lengthened = (np.abs(centre) <= threshold) & ~rule.clears(short)
    longer = hodges_lehmann(screens[lengthened])
    final = centre.copy()
    final[lengthened] = longer
    return np.asarray(final > threshold)


def _as_series(name: str, values: Sequence[float], rule: PairedRule) -> Floats:
    series = np.asarray(values, dtype=np.float64)
    if series.size < rule.screen_pairs:
        raise ValueError(
            f"'{name}' has {series.size} A/A pairs; a simulation needs at least {rule.screen_pairs}"
        )
    return series


def _draw(series: Floats, pairs: int, count: int, rng: np.random.Generator) -> Floats:
    """`count` rows of `pairs` log ratios, resampled in blocks, each with a sign of its own."""
    block = min(BLOCK_PAIRS, series.size, pairs)
    per_row = -(-pairs // block)
    rows = block_resample(series.size, block, count * per_row * block, rng)
    drawn = series[rows.reshape(count, per_row * block)[:, :pairs]]
    signs: Floats = rng.choice((-1.0, 1.0), size=drawn.shape)
    return np.asarray(drawn * signs)
