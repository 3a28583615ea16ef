"""Whether the figures of a worker can be true: what it said, held against what was seen of it from outside.

A rule is a function of the evidence that gives reasons. None of them knows what a reader is: each holds
figures against what no machine and no format allows, with room for whatever an honest one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from firstbyte.engine.looks import Evidence
from firstbyte.engine.plan import Planned
from firstbyte.model import Sample

CLOCK_SLACK_NS = 1_000_000
"""Parent and worker read the same clock; this is for nothing but clocks of processors that differ."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a process of a cell gave, and what was seen of it meanwhile."""

    planned: Planned
    samples: list[Sample]
    evidence: Evidence


def suspicions(claim: Claim) -> tuple[str, ...]:
    """Why the figures cannot be true, a reason for each rule that they break; none where they can."""
    found = (next(rule(claim), None) for rule in RULES)
    return tuple(reason for reason in found if reason is not None)


def clock(claim: Claim) -> Iterator[str]:
    """A span begins after the parent let the worker go on, and ends before it says that it has."""
    spans = claim.evidence.spans
    for number, stamps in enumerate(claim.evidence.stamps, 1):
        if stamps.span is None:
            if stamps.end_ns:
                yield f"sample {number} is of a span that nobody saw"
            continue
        span = spans[stamps.span]
        early_ns = span.before.ended_ns - stamps.begin_ns
        late_ns = stamps.end_ns - span.after.began_ns
        took_ns = span.after.began_ns - span.before.ended_ns
        if max(early_ns, late_ns) > CLOCK_SLACK_NS or stamps.end_ns < stamps.begin_ns:
            yield (
                f"its clock is not the machine's: it says that span {stamps.span + 1} took "
                f"{_time(stamps.end_ns - stamps.begin_ns)} and began "
                f"{_time(abs(early_ns))} {'before' if early_ns > 0 else 'after'} it could; "
                f"from outside it took {_time(took_ns)}"
            )


def zero(claim: Claim) -> Iterator[str]:
    """No time that is headlined is nothing."""
    times = {
        metric.name
        for metric in claim.planned.scenario.metrics
        if metric.headline and metric.name.endswith("_ns")
    }
    for number, sample in enumerate(claim.samples, 1):
        for name in sorted(times & sample.values.keys()):
            if sample.values[name] <= 0:
                yield f"{name} of sample {number} is {sample.values[name]:g}"


RULES: tuple[Callable[[Claim], Iterator[str]], ...] = (clock, zero)


def _time(took_ns: float) -> str:
    return f"{took_ns / 1e6:,.3f} ms"
