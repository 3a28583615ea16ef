"""The timer of pytest-benchmark: one call in the mean over a round, as many rounds as it finds worth it.

It calibrates how many calls make a round, so that what is short is not lost in the clock's own time.
"""

from __future__ import annotations

from firstbyte.api import Metric

METRICS = (Metric("call_ns", "one call, the mean over a round of calls"),)


class Probe:
    """pytest-benchmark reads the clock around its rounds: nothing is left to do around the span."""

    def begin(self) -> None:
        pass

    def end(self) -> dict[str, float]:
        return {}
