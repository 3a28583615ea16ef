"""The memory instruments tried on faults of known class and size, on this machine.

Every planted truth goes through the same investigation as a real backend; the planted peaks go
through every ledger; and the installed backends are scanned as negatives, so that a false LEAK
shows. The certificate is kept in the results folder and quoted in reports made on this host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from firstbyte import places
from firstbyte.api import Purpose
from firstbyte.engine import fingerprint as environment
from firstbyte.engine import registry
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.witnesses import resolve
from firstbyte.errors import HarnessError
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Status, Subject
from firstbyte.say import Say
from firstbyte.selfcheck.memory.certificate import (
    MemoryCertificate,
    PeakResult,
    SamplerCost,
    TruthResult,
    certificate_path,
)
from firstbyte.selfcheck.memory.planted import (
    BACKEND,
    FOLDER,
    PEAKS,
    SIGHTS,
    TRUTHS,
    PlantedPeak,
    compile_faults,
    planted_subject,
)
from firstbyte.selfcheck.memory.trials import TriedSubject, trials
from firstbyte.selfcheck.planting import findable
from firstbyte.visibility.certificates import certificate, certifying
from firstbyte.worker.instruments.clock import CPU
from firstbyte.worker.instruments.heap import PEAK_HEAP
from firstbyte.worker.instruments.proc_memory import PEAK, PEAK_WITH_FILES

CORPUS = "mt:size=20MB,shards=2"
"""Made up, so that a self-check needs nothing but this project."""
SAMPLER_PAIRS = 8
"""All of them would agree by chance once in 256 times."""


def self_check(repetitions: int, say: Say, *, resume: bool = False) -> MemoryCertificate:
    """Run everything and return the certificate.

    The smallest planted leaks are tried `repetitions` times, others as `planned_repetitions` says.
    `resume` goes on with a check that was stopped. Raises HarnessError without a C compiler,
    and where there is nothing that can be resumed.
    """
    compile_faults()
    with findable(FOLDER):
        return _self_check(repetitions, say, resume=resume)


def _self_check(repetitions: int, say: Say, *, resume: bool) -> MemoryCertificate:
    journal = Journal(certificate_path().with_name("memory.progress.jsonl"), resume=resume)
    laboratory = Laboratory(leak_corpus(resolve(CORPUS), places.cache()), registry.discover())
    sights = {variant: _sight(laboratory, variant, say) for variant in SIGHTS}
    peaks = tuple(one for peak in PEAKS for one in _peaks(laboratory, peak, say))
    sampler = _sampler_cost(laboratory, say)
    tried = list(trials(laboratory, repetitions, journal, say))
    clean = [one for one in tried if Subject.parse(one.subject).backend != BACKEND]
    return MemoryCertificate(
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
    (scenario, *_) = certifying(laboratory.catalogue, "heap")
    record = laboratory.measure(subject, scenario, "heap")
    _must_be_good(record.status, variant, record.reason)
    return certificate(scenario, record.samples[0].values).verdict.value


def _peaks(laboratory: Laboratory, peak: PlantedPeak, say: Say) -> list[PeakResult]:
    """The planted peak less what the same scan takes without it, ledger by ledger."""
    say(f"peak: {peak.variant}")
    found = []
    for instrument, metrics in (
        ("proc_memory", (PEAK.name, PEAK_WITH_FILES.name)),
        ("heap", (PEAK_HEAP.name,)),
    ):
        values = []
        for variant in ("clean", peak.variant):
            record = laboratory.measure(
                laboratory.subject(planted_subject(variant)),
                laboratory.catalogue.scenario_for(Purpose.WHOLE_SCAN),
                instrument,
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
            record = laboratory.measure(
                subject, laboratory.catalogue.scenario_for(Purpose.WHOLE_SCAN), instrument
            )
            _must_be_good(record.status, "clean", record.reason)
            seen[instrument].append(record.samples[0].values[CPU.name])
    return SamplerCost(tuple(seen["clock"]), tuple(seen["clock_sampled"]))


def _truth(variant: str, expected: LeakClass, tried: Sequence[TriedSubject]) -> TruthResult:
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
