"""Leak or not: what the series of one to five processes say together.

A series that grows (rules B and C, `firstbyte.leaks.slopes`) is only a suspicion; how it is followed up,
ledger by ledger, stands in `firstbyte.leaks.suspicion`. Rule **A**
(`firstbyte.leaks.stacks`) names stacks and decides nothing. **D**: threads, open files or processes
that uses leave behind again and again are leaks whatever their memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from firstbyte.analysis.stats import Slope
from firstbyte.leaks.accumulation import judge_scans
from firstbyte.leaks.slopes import MIN_SCANS, SeriesFinding, grows_by_count, judge_process
from firstbyte.leaks.stacks import LeakingStack
from firstbyte.leaks.suspicion import (
    CONFIRMING_MAJORITY,
    CONFIRMING_PROCESSES,
    Followed,
    State,
    Wants,
    settle,
)
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
from firstbyte.worker.uses import DAMAGED_FILES

KIB = 1024
MIB = 1024 * KIB

_IN_WORDS = {THREADS: "threads", DESCRIPTORS: "descriptors", PROCESSES: "children"}
ALIKE = 0.9
"""Two ledgers say the same where the slope of one is at least this share of the other's."""
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
    """By ledger, bytes per use; a leak in an allocator without a counter shows in the kernel's only."""
    stacks: tuple[LeakingStack, ...] = ()
    wants: Wants = Wants.NOTHING
    """What would settle it."""


def verdict(
    processes: Sequence[LeakSeries],
    longer: Sequence[LeakSeries] = (),
    *,
    stacks: Sequence[LeakingStack] = (),
    floor_bytes: float | None = None,
    exhausted: bool = False,
) -> LeakVerdict:
    """The verdict on one to three processes of N uses and, if there were any, of one of LONGER N and one of
    LONGEST N.

    A suspicion that has not been followed up is INCONCLUSIVE, and `wants` says what would settle
    it; so are series that are too short. `exhausted`: nothing more can be done. `stacks` are those that
    rule A found; they name the culprit of a leak, and do not decide. `floor_bytes` are the bytes per use
    that live ledgers are judged by. Raises ValueError without a process.
    """
    if not processes:
        raise ValueError("a verdict needs at least one process")
    left = _left_behind(processes)
    fewest = min(one.scans for one in (*processes, *longer))
    if fewest < MIN_SCANS:
        too_few = f"{fewest} uses within the time are too few for a verdict, at least {MIN_SCANS} are needed"
        return LeakVerdict(
            left.outcome if left else LeakClass.INCONCLUSIVE,
            left.reason if left else too_few,
            rule="D" if left else "",
            scans=fewest,
            processes=len(processes) + len(longer),
            wants=left.wants if left else Wants.NOTHING,
        )
    short, long = (
        tuple(judge_process(one, floor_bytes) for one in some) for some in (processes, longer)
    )
    settled = {
        ledger: settle(
            [one[ledger] for one in short if ledger in one],
            [one[ledger] for one in long if ledger in one],
            exhausted=exhausted,
        )
        for ledger in short[0]
    }
    basis = _Basis(tuple(processes), tuple(longer), short, long, settled, tuple(stacks))
    if left:
        return basis.say(left.outcome, left.reason, rule="D", wants=left.wants)
    return (
        _leak(basis)
        or _accumulation(basis)
        or _cache(basis)
        or _kept(basis)
        or basis.say(LeakClass.CLEAN, basis.clean_reason())
    )


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that the steps of a verdict look at."""

    processes: tuple[LeakSeries, ...]
    longer: tuple[LeakSeries, ...]
    judged: tuple[dict[str, SeriesFinding], ...]
    judged_longer: tuple[dict[str, SeriesFinding], ...]
    settled: Mapping[str, Followed]
    stacks: tuple[LeakingStack, ...]

    def say(
        self,
        outcome: LeakClass,
        reason: str,
        *,
        finding: SeriesFinding | None = None,
        rule: str = "",
        wants: Wants = Wants.NOTHING,
    ) -> LeakVerdict:
        shown = finding or _steepest(one.finding for one in self.settled.values())
        errors = self.processes[0].errors_per_use
        if errors is not None:
            reason += f"; {errors:.2g} of {DAMAGED_FILES} damaged files gave an error"
        return LeakVerdict(
            outcome=outcome,
            reason=reason,
            rule=rule or (finding.rule if finding else ""),
            ledger=shown.ledger,
            slope=shown.slope,
            scans=shown.scans,
            processes=len(self.processes) + len(self.longer),
            detectable_bytes=self._bounds(),
            stacks=self.stacks if outcome is LeakClass.LEAK else (),
            wants=wants,
        )

    def _bounds(self) -> dict[str, float]:
        """By ledger, what every process would have shown; the longest one alone, where there is one."""
        judged = self.judged_longer[-1:] or self.judged
        return {
            ledger: max(one[ledger].detectable_bytes for one in judged if ledger in one)
            for ledger in self.settled
        }

    def clean_reason(self) -> str:
        reasons = [one.reason for one in self.settled.values() if one.reason]
        return "; ".join(reasons) or "no ledger grows with the uses"


def _steepest(findings: Iterable[SeriesFinding]) -> SeriesFinding:
    """That with the largest slope of those that are surely above their floor, or the one nearest to it."""
    return max(
        findings,
        key=lambda one: (
            one.suspicious,
            one.slope.low if one.suspicious else one.slope.low / one.floor_bytes,
        ),
    )


@dataclass(frozen=True, slots=True)
class _LeftBehind:
    """What rule D says of threads, descriptors or children."""

    outcome: LeakClass
    reason: str
    wants: Wants = Wants.NOTHING


def _left_behind(processes: Sequence[LeakSeries]) -> _LeftBehind | None:
    """Counts are exact, so that fewer uses do than a slope takes."""
    for count in COUNTS:
        growing = [one for one in processes if grows_by_count(one.counts.get(count, ()))]
        if not growing:
            continue
        rate = _median([one.left_per_scan(count) for one in growing])
        reason = f"{rate:.2g} {_IN_WORDS[count]} left behind per use"
        if len(growing) >= CONFIRMING_MAJORITY:
            return _LeftBehind(LeakClass.LEAK, reason)
        reason += f" in {len(growing)} of {len(processes)} processes: not confirmed"
        more = len(processes) < CONFIRMING_PROCESSES
        wants = Wants.PROCESSES if more else Wants.NOTHING
        return _LeftBehind(LeakClass.INCONCLUSIVE, reason, wants)
    return None


def _leak(basis: _Basis) -> LeakVerdict | None:
    """Of several ledgers that grow, the steepest says how much: a leak may show in more than one.

    Nothing is said before all are settled, as the steepest may be the last.
    """
    for wants in list(Wants)[1:]:
        if asking := [one for one in basis.settled.values() if one.wants is wants]:
            first = _steepest_of(asking)
            return basis.say(
                LeakClass.INCONCLUSIVE, first.reason, finding=first.finding, wants=wants
            )
    for state, outcome in ((State.LEAKS, LeakClass.LEAK), (State.OPEN, LeakClass.INCONCLUSIVE)):
        if found := [one for one in basis.settled.values() if one.state is state]:
            first = _steepest_of(found)
            others = [one for one in basis.settled.values() if one.state is State.OPEN]
            besides = [
                one.reason for one in others if one is not first and outcome is LeakClass.LEAK
            ]
            reason = "; beside it ".join([first.reason, *besides])
            return basis.say(outcome, reason, finding=first.finding)
    return None


def _steepest_of(settled: Sequence[Followed]) -> Followed:
    """One that an allocator counts is exact, and stands for the kernel's that say the same."""
    steepest = max(settled, key=lambda one: one.finding.slope.estimate)
    enough = ALIKE * steepest.finding.slope.estimate
    counted = [one for one in settled if counts_live(one.finding.ledger)]
    exact = max(counted, key=lambda one: one.finding.slope.estimate, default=steepest)
    return exact if exact.finding.slope.estimate >= enough else steepest


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
        return basis.say(LeakClass.INCONCLUSIVE, reason, rule="rho", wants=Wants.PROCESSES)
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
