"""Which rule judges which metric, and the tolerances that a policy may set.

A metric is recognised by its name: the unit is its suffix. What cannot be judged without inventing
a rule (rates, splits, ranks) is not gated: a gate is a short list of figures that are understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from firstbyte.errors import UnknownNameError
from firstbyte.gate.growth import GrowthRule, GrowthTrial
from firstbyte.gate.paired import TIME_TOLERANCE, PairedRule, PairedTrial
from firstbyte.gate.steady import SIZE_TOLERANCE, SteadyRule, SteadyTrial
from firstbyte.gate.trials import Trial
from firstbyte.worker.instruments.clock import CPU, WALL
from firstbyte.worker.instruments.heap import ALLOCATED, ALLOCATIONS, PEAK_HEAP
from firstbyte.worker.instruments.proc_memory import PEAK
from firstbyte.worker.leak_series import LEFT_CHILDREN, LEFT_DESCRIPTORS, LEFT_THREADS
from firstbyte.worker.ledgers import PEAKS

MEMORY_TOLERANCE = 0.03


class MetricKind(StrEnum):
    """How a metric behaves, hence how it is judged."""

    TIME = "time"
    """Noisy: pairs, screen, confirmation."""
    MEMORY = "memory"
    """What the kernel counts: pages more or less, whoever allocates. Judged like a time."""
    SIZE = "size"
    """Repeats exactly in a single-thread process: two processes a side."""
    GROWTH = "growth"
    """Near zero when healthy: judged by an absolute threshold."""


@dataclass(frozen=True, slots=True)
class GatedMetric:
    """A metric that the gate understands."""

    name: str
    kind: MetricKind
    help: str
    threshold: float = 0.0
    unit: str = "ratio"


NET_WALL = "net_wall_ns"
LIVE_GROWTH = "live_bytes_per_scan"
RESIDENT_GROWTH = "resident_bytes_per_scan"
RHO = "accumulation_rho"
RETAINED = "retained_bytes"
DERIVED = (NET_WALL, LIVE_GROWTH, RESIDENT_GROWTH, RHO, RETAINED)
"""What the gate makes of a sample; the others are figures of instruments and scenarios."""

GATED_METRICS: Mapping[str, GatedMetric] = {
    metric.name: metric
    for metric in (
        GatedMetric(NET_WALL, MetricKind.TIME, "wall clock less the wait for a processor"),
        GatedMetric(WALL.name, MetricKind.TIME, "wall clock, only where the kernel keeps no wait"),
        GatedMetric(CPU.name, MetricKind.TIME, "processor time of all threads"),
        GatedMetric("first_batch_ns", MetricKind.TIME, "first batch out of an open reader"),
        GatedMetric(
            PEAK.name, MetricKind.MEMORY, "peak of private and shared memory, children included"
        ),
        GatedMetric(PEAKS, MetricKind.SIZE, "peak live bytes of the library's allocator"),
        GatedMetric(
            PEAK_HEAP.name, MetricKind.SIZE, "peak requested bytes, as the heap tracer saw it"
        ),
        GatedMetric(ALLOCATED.name, MetricKind.SIZE, "bytes requested in all"),
        GatedMetric(ALLOCATIONS.name, MetricKind.SIZE, "allocations made"),
        GatedMetric(
            LIVE_GROWTH,
            MetricKind.GROWTH,
            "slope of all allocators' live bytes over repeated scans",
            threshold=1024.0,
            unit="B/scan",
        ),
        GatedMetric(
            RESIDENT_GROWTH,
            MetricKind.GROWTH,
            "slope of private and shared memory, with that of children, over repeated scans",
            threshold=32 * 1024.0,
            unit="B/scan",
        ),
        GatedMetric(
            RHO,
            MetricKind.GROWTH,
            "live bytes gained per compressed byte consumed, within one scan",
            threshold=0.1,
            unit="B/B",
        ),
        GatedMetric(
            RETAINED,
            MetricKind.GROWTH,
            "private and shared memory, children's included, that stays when all was dropped and trimmed",
            threshold=512 * 1024.0,
            unit="B",
        ),
        GatedMetric(
            LEFT_DESCRIPTORS, MetricKind.GROWTH, "open files left behind by a scan", 0.5, "per scan"
        ),
        GatedMetric(
            LEFT_THREADS, MetricKind.GROWTH, "threads left behind by a scan", 0.5, "per scan"
        ),
        GatedMetric(
            LEFT_CHILDREN, MetricKind.GROWTH, "processes left behind by a scan", 0.5, "per scan"
        ),
    )
}


MEMORY_METRICS = (PEAK.name, PEAK_HEAP.name, PEAKS)
"""Of these one at least must be judged, or a reader's memory is not gated at all."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Tolerated change by metric, by `scenario.metric`, or by kind where nothing is named."""

    time: float = TIME_TOLERANCE
    size: float = SIZE_TOLERANCE
    memory: float = MEMORY_TOLERANCE
    named: Mapping[str, float] = field(default_factory=dict)

    def of(self, scenario: str, metric: GatedMetric) -> float:
        """The most specific tolerance: scenario and metric, metric, then kind."""
        default = {
            MetricKind.TIME: self.time,
            MetricKind.MEMORY: self.memory,
            MetricKind.SIZE: self.size,
            MetricKind.GROWTH: metric.threshold,
        }[metric.kind]
        return self.named.get(f"{scenario}.{metric.name}", self.named.get(metric.name, default))


def gated_metric(name: str) -> GatedMetric:
    """The metric of that name. Raises UnknownNameError listing the allowed ones."""
    try:
        return GATED_METRICS[name]
    except KeyError:
        raise UnknownNameError("gated metric", name, GATED_METRICS) from None


def trial_for(
    scenario: str, metric: GatedMetric, tolerances: Tolerances, paired: PairedRule
) -> Trial:
    """A fresh trial of the metric's kind. `paired` carries screen size, looks and alarm rate."""
    tolerance = tolerances.of(scenario, metric)
    if metric.kind in (MetricKind.TIME, MetricKind.MEMORY):
        return PairedTrial(replace(paired, tolerance=tolerance))
    if metric.kind is MetricKind.SIZE:
        noisy = replace(paired, tolerance=max(tolerance, paired.tolerance))
        return SteadyTrial(SteadyRule(tolerance=tolerance, otherwise=noisy))
    return GrowthTrial(GrowthRule(threshold=tolerance, unit=metric.unit))
