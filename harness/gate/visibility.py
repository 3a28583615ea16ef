"""Whether the heap tracer saw what the kernel saw: a figure that is blind must not be gated.

A tracer of malloc neither sees an allocator that is linked into a library nor knows how much of a
reservation is ever touched. So the traced peak is held against the growth of RssAnon in a process of
its own that did the same work.
"""

from __future__ import annotations

SEEN_SHARE = 0.5
"""Least share of the resident growth that must have been traced."""
RESERVED_FACTOR = 4.0
"""From how many times the resident growth on the trace counts reservations, not use."""
SLACK_BYTES = 8e6
"""Differences up to this are no evidence: caches of allocators, samples a millisecond apart."""


def hidden(traced_peak_bytes: float, resident_growth_bytes: float | None) -> str:
    """Why the traced figures must be withheld; empty where they agree with the kernel's."""
    if resident_growth_bytes is None:
        return "there is no resident figure to hold the traced one against"
    traced, resident = traced_peak_bytes, resident_growth_bytes
    shown = f"traced {traced / 1e6:,.0f} MB, resident {resident / 1e6:,.0f} MB"
    if resident - traced > SLACK_BYTES and traced < SEEN_SHARE * resident:
        return f"an allocator is hidden from the heap tracer ({shown})"
    if traced - resident > SLACK_BYTES and traced > RESERVED_FACTOR * resident:
        return f"the heap tracer counts reservations that are never touched ({shown})"
    return ""
