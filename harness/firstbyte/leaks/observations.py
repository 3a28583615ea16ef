"""From the samples of `leak_scan` to what the leak rules look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firstbyte.leaks.accumulation import Accumulation, Pass, judge_passes
from firstbyte.leaks.rules import LIVE_SUFFIX, RESIDENT, Observation
from firstbyte.model import Sample

ROLES = ("distinct", "again", "short", "long", "repeated_long")


def observation(sample: Sample) -> Observation:
    """What one process of `leak_scan` under `proc_memory` saw."""
    return Observation(
        repeats=_ledgers(sample.series, ""),
        values=sample.values,
        distinct=_ledgers(sample.series, "distinct_"),
        again=_ledgers(sample.series, "again_"),
        accumulation=_accumulation(sample),
        quiet=bool(sample.values.get("quiet", 0.0)),
    )


def _ledgers(series: Mapping[str, Sequence[float]], prefix: str) -> dict[str, Sequence[float]]:
    """The series of a role by ledger; those of other roles are named after them."""
    chosen = {}
    for name, values in series.items():
        ledger = name.removeprefix(prefix)
        known = ledger == RESIDENT or ledger.endswith(LIVE_SUFFIX)
        other = any(ledger.startswith(f"{role}_") for role in ROLES)
        if name.startswith(prefix) and known and not other:
            chosen[ledger] = values
    return chosen


def _accumulation(sample: Sample) -> Accumulation | None:
    if "long_consumed_bytes" not in sample.series:
        return None
    return judge_passes(*(_pass(sample, role) for role in ("short", "long", "repeated_long")))


def _pass(sample: Sample, role: str) -> Pass:
    held = _ledgers(sample.series, f"{role}_")
    return Pass(
        consumed_bytes=sample.series[f"{role}_consumed_bytes"],
        held=held,
        after={ledger: sample.values[f"{role}_after_{ledger}"] for ledger in held},
        file_bytes=sample.values[f"{role}_file_bytes"],
    )
