"""Leak or not: what the series of one to four processes say together.

A series that grows (rules B and C, `firstbyte.leaks.slopes`) is only a suspicion. A LEAK needs two
of three fresh processes and a slope that persists over four times as many scans. Rule **A**
(`firstbyte.leaks.stacks`) names stacks and decides nothing. **D**: threads, open files or processes
that uses leave behind again and again are leaks whatever their memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from firstbyte.analysis.stats import Slope
from firstbyte.leaks.accumulation import judge_scans
from firstbyte.leaks.slopes import MIN_SCANS, SeriesFinding, grows_by_count, judge_process
from firstbyte.leaks.stacks import LeakingStack
from firstbyte.worker.leak_series import LeakSeries
from firstbyte.worker.ledgers import (
    COUNTS,
    DESCRIPTORS,
    GLIBC,
    KERNELS,
    PROCESSES,
    RESIDENT,
    THREADS,
    Moment,
    counts_live,
)

KIB = 1024
MIB = 1024 * KIB

PERSISTENCE = 0.5
"""Over four times the scans, a leak keeps at least this share of its slope."""
LONGER = 4
CONFIRMING_PROCESSES = 3
CONFIRMING_MAJORITY = 2

_IN_WORDS = {THREADS: "threads", DESCRIPTORS: "open files", PROCESSES: "processes"}
CACHE_STEP_BYTES = 256 * KIB
KEPT_BYTES = 16 * MIB
"""Least memory for which RETENTION or FRAGMENTATION is worth a word."""


class LeakClass(StrEnum):
    """What a leak check can say. Only LEAK and INCONCLUSIVE say that something must be done."""

    CLEAN = "CLEAN"
    LEAK = "LEAK"
    ACCUMULATION = "ACCUMULATION"
    RETENTION = "RETENTION"
    CACHE = "CACHE"
    FRAGMENTATION = "FRAGMENTATION"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class LeakVerdict:
    """The answer for one backend and variant, with the smallest leak that it could have seen."""

    outcome: LeakClass
    reason: str
    rule: str = ""
    ledger: str = ""
    slope: Slope | None = None
    scans: int = 0
    processes: int = 0
    detectable_bytes: Mapping[str, float] = field(default_factory=dict)
    """By ledger, bytes per scan; a leak in an allocator without a counter shows in RssAnon only."""
    stacks: tuple[LeakingStack, ...] = ()
    wants: str = ""
    """What would settle it: `processes`, `longer` or nothing."""


def verdict(
    processes: Sequence[LeakSeries],
    longer: LeakSeries | None = None,
    *,
    stacks: Sequence[LeakingStack] = (),
    floor_bytes: float | None = None,
) -> LeakVerdict:
    """The verdict on one to three processes of N scans and, if there was one, a process of 4N.

    A suspicion that has not been followed up is INCONCLUSIVE, and `wants` says what would settle
    it; so are series that are too short. `stacks` are those that rule A found; they name the culprit of a
    leak, and do not decide. `floor_bytes` are the bytes per scan that live ledgers are judged by. Raises
    ValueError without a process.
    """
    if not processes:
        raise ValueError("a verdict needs at least one process")
    fewest = min(one.scans for one in (*processes, *([longer] if longer else [])))
    if fewest < MIN_SCANS:
        return LeakVerdict(
            LeakClass.INCONCLUSIVE,
            f"{fewest} uses within the time are too few for a verdict, at least {MIN_SCANS} are needed",
            scans=fewest,
            processes=len(processes),
        )
    judged = [judge_process(one, floor_bytes) for one in processes]
    basis = _Basis(tuple(processes), tuple(judged), longer, tuple(stacks), floor_bytes)
    return (
        _left_behind(basis)
        or _leak(basis)
        or _accumulation(basis)
        or _cache(basis)
        or _kept(basis)
        or basis.say(LeakClass.CLEAN, basis.clean_reason())
    )


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that the steps of a verdict look at."""

    processes: tuple[LeakSeries, ...]
    judged: tuple[dict[str, SeriesFinding], ...]
    longer: LeakSeries | None
    stacks: tuple[LeakingStack, ...]
    live_floor_bytes: float | None

    def say(
        self,
        outcome: LeakClass,
        reason: str,
        *,
        finding: SeriesFinding | None = None,
        rule: str = "",
        wants: str = "",
    ) -> LeakVerdict:
        worst: dict[str, float] = {}
        for findings in self.judged:
            for ledger, one in findings.items():
                worst[ledger] = max(worst.get(ledger, 0.0), one.detectable_bytes)
        steepest = finding or max(
            self.judged[0].values(), key=lambda one: one.slope.low / one.threshold_bytes
        )
        return LeakVerdict(
            outcome=outcome,
            reason=reason,
            rule=rule or (finding.rule if finding else ""),
            ledger=steepest.ledger,
            slope=steepest.slope,
            scans=steepest.scans,
            processes=len(self.processes),
            detectable_bytes=worst,
            stacks=self.stacks if outcome is LeakClass.LEAK else (),
            wants=wants,
        )

    def clean_reason(self) -> str:
        flagged = sum(any(f.flagged for f in findings.values()) for findings in self.judged)
        if flagged:
            return f"flagged in {flagged} of {len(self.judged)} processes, and not confirmed"
        return "no ledger grows with the scans"


def _left_behind(basis: _Basis) -> LeakVerdict | None:
    for count in COUNTS:
        growing = [one for one in basis.processes if grows_by_count(one.counts.get(count, ()))]
        if not growing:
            continue
        rate = _median([one.left_per_scan(count) for one in growing])
        reason = f"{rate:.2g} {_IN_WORDS[count]} left behind per use"
        if len(basis.processes) < CONFIRMING_MAJORITY:
            return basis.say(
                LeakClass.INCONCLUSIVE,
                f"{reason} in one process: not confirmed",
                rule="D",
                wants="processes",
            )
        if len(growing) >= CONFIRMING_MAJORITY:
            return basis.say(LeakClass.LEAK, reason, rule="D")
    return None


def _leak(basis: _Basis) -> LeakVerdict | None:
    for ledger in _by_preference(basis.judged[0]):
        findings = [one[ledger] for one in basis.judged if ledger in one]
        flagged = [one for one in findings if one.flagged]
        if not flagged:
            continue
        first = flagged[0]
        if len(findings) < CONFIRMING_PROCESSES:
            return basis.say(
                LeakClass.INCONCLUSIVE,
                f"{ledger} grows {first.slope.estimate:,.0f} B per scan in one process: not confirmed",
                finding=first,
                wants="processes",
            )
        if len(flagged) < CONFIRMING_MAJORITY:
            continue
        if basis.longer is None or ledger not in basis.longer.repeated:
            return basis.say(
                LeakClass.INCONCLUSIVE,
                f"{ledger} grows {first.slope.estimate:,.0f} B per scan in {len(flagged)} of "
                f"{len(findings)} processes: not followed over {LONGER} times the scans",
                finding=first,
                wants="longer",
            )
        late = judge_process(basis.longer, basis.live_floor_bytes)[ledger]
        if late.flagged and late.slope.estimate >= PERSISTENCE * first.slope.estimate:
            return basis.say(
                LeakClass.LEAK,
                f"{ledger} grows {late.slope.estimate:,.0f} B per scan in {len(flagged)} of "
                f"{len(findings)} processes, and still does after {late.scans:,} scans",
                finding=late,
            )
    return None


def _by_preference(findings: Mapping[str, SeriesFinding]) -> list[str]:
    """Live ledgers first: they are exact, and a leak in them shows in RssAnon as well."""
    return sorted(findings, key=lambda ledger: (ledger in KERNELS, ledger))


def _accumulation(basis: _Basis) -> LeakVerdict | None:
    """Live ledgers count at once; RssAnon wanders, so it has to show it in most processes."""
    found = [one for one in map(judge_scans, basis.processes) if one.found]
    if not found:
        return None
    reason = found[0].reason
    if counts_live(found[0].ledger) or len(found) >= CONFIRMING_MAJORITY:
        return basis.say(LeakClass.ACCUMULATION, reason, rule="rho")
    if len(basis.processes) < CONFIRMING_PROCESSES:
        reason = f"{reason} in one process: not confirmed"
        return basis.say(LeakClass.INCONCLUSIVE, reason, rule="rho", wants="processes")
    return None


def _cache(basis: _Basis) -> LeakVerdict | None:
    """Live bytes step up over distinct files, and stand still when the same files come again."""
    for one, findings in zip(basis.processes, basis.judged, strict=True):
        for ledger in one.distinct:
            if ledger in KERNELS or ledger not in one.same_again or findings[ledger].flagged:
                continue
            before = _median(one.repeated[ledger][-len(one.distinct[ledger]) :])
            filled = one.distinct[ledger][-1]
            after = _median(one.same_again[ledger])
            step = after - before
            floor = max(CACHE_STEP_BYTES, 4 * findings[ledger].noise_bytes)
            if step > floor and one.same_again[ledger][-1] - filled < step / 4:
                half = one.distinct[ledger][len(one.distinct[ledger]) // 2]
                grows = "still growing" if filled - half > step / 4 else "bounded"
                return basis.say(
                    LeakClass.CACHE,
                    f"{ledger} grew {step:,.0f} B over {len(one.distinct[ledger])} files with names "
                    f"not seen before ({grows}), and stood still when they came again",
                    rule="distinct files",
                )
    return None


def _kept(basis: _Basis) -> LeakVerdict | None:
    """Memory that nobody uses and the kernel did not get back: RETENTION or FRAGMENTATION."""
    first = basis.processes[0]
    base, dropped, trimmed = (
        first.moments[moment] for moment in (Moment.BASE, Moment.DROPPED, Moment.TRIMMED)
    )
    given_back = dropped[RESIDENT] - trimmed[RESIDENT]
    if given_back > KEPT_BYTES:
        return basis.say(
            LeakClass.RETENTION,
            f"{given_back / MIB:,.1f} MiB were kept after everything was dropped, and went "
            "back to the kernel when the allocator was trimmed or left idle",
            rule="trim",
        )
    if first.free_bytes is not None:
        resident = trimmed[RESIDENT] - base[RESIDENT]
        live = trimmed[GLIBC] - base[GLIBC]
        pinned = min(resident - live, first.free_bytes)
        if pinned > KEPT_BYTES:
            return basis.say(
                LeakClass.FRAGMENTATION,
                f"{pinned / MIB:,.1f} MiB of malloc's heap are free and resident, in pieces that "
                "trimming cannot give back",
                rule="trim",
            )
    return None


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
