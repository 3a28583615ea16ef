"""The memory instruments tried on faults of known class and size, on this machine.

Every planted truth goes through the same investigation as a real backend; the planted peaks go
through every ledger; and the installed backends are scanned as negatives, so that a false LEAK
shows. The certificate is kept in the results folder and quoted in reports made on this host.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstbyte import places
from firstbyte.api import Purpose
from firstbyte.contracts import Document
from firstbyte.corpora.catalogue import resolve
from firstbyte.engine import fingerprint as environment
from firstbyte.engine import registry
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.errors import HarnessError
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Status, Subject
from firstbyte.selfcheck.memory.planted import (
    BACKEND,
    PEAK_TOLERANCE_BYTES,
    PEAK_TOLERANCE_SHARE,
    PEAKS,
    SIGHTS,
    TRUTHS,
    Peak,
    compile_faults,
    make_findable,
    planted_subject,
)
from firstbyte.selfcheck.memory.trials import Trial, trials
from firstbyte.visibility.certificates import certificate
from firstbyte.whole import write_whole

CORPUS = "mt:size=20MB,shards=2"
"""Made up, so that a self-check needs nothing but this project."""
SAMPLER_PAIRS = 8
"""All of them would agree by chance once in 256 times."""
SCHEMA = 2
"""Version of the file. What 1 lacks cannot be made up: such a host is checked again."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TruthResult:
    """What the investigations of one planted truth said."""

    variant: str
    expected: LeakClass
    said: Mapping[str, int]
    """Verdict -> how often."""
    detectable_bytes: Mapping[str, float]

    @property
    def runs(self) -> int:
        return sum(self.said.values())

    @property
    def right(self) -> int:
        return self.said.get(self.expected, 0)


@dataclass(frozen=True, slots=True)
class PeakResult:
    """A planted peak as one ledger saw it."""

    variant: str
    ledger: str
    planted_bytes: float
    error_bytes: float
    certified: bool

    @property
    def good(self) -> bool:
        """Within the tolerance, or withheld because the ledger cannot see it."""
        limit = max(PEAK_TOLERANCE_BYTES, PEAK_TOLERANCE_SHARE * self.planted_bytes)
        return not self.certified or abs(self.error_bytes) <= limit


@dataclass(frozen=True, slots=True)
class SamplerCost:
    """CPU time of the same scan without the memory sampler and with it, in alternation."""

    plain_cpu_ns: tuple[float, ...]
    sampled_cpu_ns: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the paired ratios, sampled over plain."""
        return statistics.median(
            sampled / plain
            for plain, sampled in zip(self.plain_cpu_ns, self.sampled_cpu_ns, strict=True)
        )

    @property
    def visible(self) -> bool:
        """Whether every pair agrees that the sampler costs something."""
        return all(
            sampled > plain
            for plain, sampled in zip(self.plain_cpu_ns, self.sampled_cpu_ns, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a self-check found on a host."""

    made: str
    host: Mapping[str, Any]
    truths: tuple[TruthResult, ...]
    peaks: tuple[PeakResult, ...]
    sights: Mapping[str, str]
    """Variant -> what memray was found to see."""
    sampler: SamplerCost
    clean_processes: int
    """Investigations of installed backends."""
    false_leaks: tuple[str, ...]
    """Installed backends that were called LEAK."""
    not_run: tuple[str, ...] = ()
    """Investigations of installed backends that ended without a verdict, and why."""
    schema: int = SCHEMA

    @property
    def leaks(self) -> tuple[int, int]:
        """Planted leaks found, and planted."""
        planted = [one for one in self.truths if one.expected is LeakClass.LEAK]
        return sum(one.right for one in planted), sum(one.runs for one in planted)

    @property
    def classes(self) -> tuple[int, int]:
        """Planted cases given their right class, and all."""
        return sum(one.right for one in self.truths), sum(one.runs for one in self.truths)

    @property
    def wrong_leaks(self) -> tuple[int, int]:
        """Investigations called LEAK where there is none, and all of that kind."""
        others = [one for one in self.truths if one.expected is not LeakClass.LEAK]
        wrong = sum(one.said.get(LeakClass.LEAK, 0) for one in others) + len(self.false_leaks)
        return wrong, sum(one.runs for one in others) + self.clean_processes

    @property
    def passed(self) -> bool:
        """All leaks found, no false one, 95 % of the classes right, every certified peak good."""
        found, planted = self.leaks
        right, cases = self.classes
        return (
            found == planted
            and not self.wrong_leaks[0]
            and right >= 0.95 * cases
            and all(one.good for one in self.peaks)
            and not self.sampler.visible
            and all(self.sights[variant] == sight for variant, sight in SIGHTS.items())
        )


DOCUMENT = Document(
    Certificate, SCHEMA, HarnessError, remedy="remove it and run `firstbyte selfcheck memory`"
)


def self_check(repetitions: int, say: Say, *, resume: bool = False) -> Certificate:
    """Run everything and return the certificate.

    The smallest planted leaks are tried `repetitions` times, others as `planned_repetitions` says.
    `resume` goes on with a check that was stopped. Raises HarnessError without a C compiler,
    and where there is nothing that can be resumed.
    """
    make_findable()
    compile_faults()
    journal = Journal(certificate_path().with_name("memory.progress.jsonl"), resume=resume)
    laboratory = Laboratory(leak_corpus(resolve(CORPUS), places.cache()), registry.discover())
    sights = {variant: _sight(laboratory, variant, say) for variant in SIGHTS}
    peaks = tuple(one for peak in PEAKS for one in _peaks(laboratory, peak, say))
    sampler = _sampler_cost(laboratory, say)
    tried = list(trials(laboratory, repetitions, journal, say))
    clean = [one for one in tried if Subject.parse(one.subject).backend != BACKEND]
    return Certificate(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        host=environment.host(),
        truths=tuple(_truth(variant, expected, tried) for variant, expected in TRUTHS.items()),
        peaks=peaks,
        sights=sights,
        sampler=sampler,
        clean_processes=sum(one.outcome != "" for one in clean),
        false_leaks=tuple(
            f"{one.subject}: {one.reason}" for one in clean if one.outcome == LeakClass.LEAK
        ),
        not_run=tuple(f"{one.subject}: {one.reason}" for one in clean if not one.outcome),
    )


def _sight(laboratory: Laboratory, variant: str, say: Say) -> str:
    say(f"visibility: {variant}")
    subject = laboratory.subject(planted_subject(variant))
    record = laboratory.measure(subject, Purpose.VISIBILITY, "heap")
    _must_be_good(record.status, variant, record.reason)
    return certificate(record.samples[0].values).sight("heap_bytes").value


def _peaks(laboratory: Laboratory, peak: Peak, say: Say) -> list[PeakResult]:
    """The planted peak less what the same scan takes without it, ledger by ledger."""
    say(f"peak: {peak.variant}")
    found = []
    for instrument, metrics in (
        ("proc_memory", ("peak_rss_anon_bytes", "vm_hwm_bytes")),
        ("heap", ("peak_heap_bytes",)),
    ):
        values = []
        for variant in ("clean", peak.variant):
            record = laboratory.measure(
                laboratory.subject(planted_subject(variant)), Purpose.WHOLE_SCAN, instrument
            )
            _must_be_good(record.status, variant, record.reason)
            values.append(record.samples[0].values)
        for metric in metrics:
            error = values[1][metric] - values[0][metric] - peak.size_bytes
            certified = peak.in_heap or instrument != "heap"
            found.append(PeakResult(peak.variant, metric, peak.size_bytes, error, certified))
    return found


def _sampler_cost(laboratory: Laboratory, say: Say) -> SamplerCost:
    say("sampler: the same scan without and with it")
    seen: dict[str, list[float]] = {"clock": [], "clock_sampled": []}
    for number in range(SAMPLER_PAIRS):
        # The order alternates, so that a drift of the machine favours neither.
        for instrument in list(seen)[:: -1 if number % 2 else 1]:
            subject = laboratory.subject(planted_subject("clean"))
            record = laboratory.measure(subject, Purpose.WHOLE_SCAN, instrument)
            _must_be_good(record.status, "clean", record.reason)
            seen[instrument].append(record.samples[0].values["cpu_ns"])
    return SamplerCost(tuple(seen["clock"]), tuple(seen["clock_sampled"]))


def _truth(variant: str, expected: LeakClass, tried: Sequence[Trial]) -> TruthResult:
    own = [one for one in tried if one.subject == planted_subject(variant)]
    detectable: dict[str, float] = {}
    for trial in own:
        for ledger, size in trial.detectable_bytes.items():
            detectable[ledger] = max(size, detectable.get(ledger, 0.0))
    said = dict(Counter(one.outcome for one in own))
    return TruthResult(variant, expected, said, detectable)


def _must_be_good(status: Status, variant: str, reason: str) -> None:
    if status is not Status.OK:
        raise HarnessError(f"planted {variant} could not be run: {status}: {reason}")


def certificate_path() -> Path:
    """Where the memory certificate of this host is kept."""
    return places.results() / "selfcheck" / "memory.json"


def save(made: Certificate) -> Path:
    """Write the certificate, in one step."""
    path = certificate_path()
    write_whole(path, json.dumps(asdict(made), indent=1, ensure_ascii=False))
    return path


def load() -> Certificate | None:
    """The certificate of this host, or None. Raises HarnessError if the file is damaged."""
    path = certificate_path()
    return DOCUMENT.read(path) if path.exists() else None


def in_words(made: Certificate | None) -> str:
    """One line for the head of a report."""
    if made is None:
        return "memory not self-checked on this host: run `firstbyte selfcheck`"
    found, planted = made.leaks
    right, cases = made.classes
    wrong, others = made.wrong_leaks
    return (
        f"memory self-check of {made.made[:10]}: {found} of {planted} planted leaks found, "
        f"{wrong} false LEAK in {others} others, class right in {right} of {cases}, largest peak "
        f"error {largest_error(made.peaks) / 1e6:,.2f} MB"
    )


def largest_error(peaks: Sequence[PeakResult]) -> float:
    """In bytes, over the ledgers that are certified for the peak."""
    return max((abs(one.error_bytes) for one in peaks if one.certified), default=0.0)
