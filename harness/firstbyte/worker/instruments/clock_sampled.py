"""The clock with the memory sampler running beside it: shows what the sampler costs the worker.

Not for results. `firstbyte selfcheck` sets it beside the plain clock; were the two to differ, the
sampler of `proc_memory` would be changing what it looks at.
"""

from __future__ import annotations

from firstbyte.api import Metric
from firstbyte.worker.instruments import clock, proc_memory
from firstbyte.worker.instruments.clock import Probe

__all__ = ["METRICS", "POLL_SECONDS", "Observer", "Probe"]

METRICS = (
    *clock.METRICS,
    Metric("memory_samples_count", "samples of memory taken during the span", better=""),
)
POLL_SECONDS = proc_memory.POLL_SECONDS


class Observer(proc_memory.Observer):
    """Samples as `proc_memory` does, and reports only how often."""

    def values(self, begin_ns: int, end_ns: int, sample: dict[str, float]) -> dict[str, float]:
        return {"memory_samples_count": float(len(self.samples.between(begin_ns, end_ns)))}
