"""What a self-check of the memory instruments found on a host: kept on disk, shown in reports."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstbyte.contracts import Document
from firstbyte.errors import HarnessError
from firstbyte.leaks.rules import LeakClass
from firstbyte.selfcheck import keeping
from firstbyte.selfcheck.memory.planted import (
    PEAK_TOLERANCE_BYTES,
    PEAK_TOLERANCE_SHARE,
    SIGHTS,
)
from firstbyte.whole import write_whole

NAME = "memory"
SCHEMA = 2
"""Version of the file. What 1 lacks cannot be made up: such a host is checked again."""


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
class MemoryCertificate:
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


NOT_SELF_CHECKED = "memory not self-checked on this host: run `firstbyte selfcheck`"

DOCUMENT = Document(
    MemoryCertificate, SCHEMA, HarnessError, remedy="remove it and run `firstbyte selfcheck memory`"
)


def certificate_path() -> Path:
    """Where the memory certificate of this host is kept."""
    return keeping.path_of(NAME)


def save(made: MemoryCertificate) -> Path:
    """Write the certificate, in one step."""
    path = certificate_path()
    write_whole(path, json.dumps(asdict(made), indent=1, ensure_ascii=False))
    return path


def of_host(host: Mapping[str, Any]) -> str:
    """One line for the head of a report: what the self-check on that host said, or what to run."""
    found = keeping.find(NAME, DOCUMENT, host)
    if found.certificate:
        return in_words(found.certificate)
    return f"{NOT_SELF_CHECKED} ({found.instead})" if found.instead else NOT_SELF_CHECKED


def in_words(made: MemoryCertificate) -> str:
    """What it found, in one line."""
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
