"""The memory-only gate: this program against figures that were stored, where that is honest.

Only figures that repeat exactly can be held against a stored run. Times cannot: on the same machine,
with the same code, half an hour later, a stored 5% gate on time alarms in a third of all cases.
A stored figure is used only where everything that decides it is the same: versions of the backend,
Python, machine, and the corpus.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from firstbyte.contracts import Document, Raw
from firstbyte.corpora.manifest import Manifest
from firstbyte.errors import HarnessError
from firstbyte.gate.cases import Case
from firstbyte.gate.metrics import GATED_METRICS, GatedMetric, MetricKind
from firstbyte.gate.observe import GateSide, Observation
from firstbyte.gate.result import EXIT_CODES
from firstbyte.gate.steady import NotRepeatingError, require_repeating
from firstbyte.gate.trials import GateOutcome
from firstbyte.model import CellKey, Figure, Status
from firstbyte.say import Say
from firstbyte.whole import write_whole

SCHEMA = 2
"""Layout of the file. 1: what was left out stood there as text. 2: by case."""
PROCESSES = 3
"""Processes that must agree before a figure is called repeatable."""
UPDATE = "`firstbyte baseline update`"


class BaselineError(HarnessError):
    """A baseline is missing, damaged, or cannot be used for what was asked."""

    exit_code = 16


class MissingBaselineError(BaselineError):
    """There is none for a host like this one."""


class IncomparableBaselineError(BaselineError):
    """The baseline was made where other figures are to be expected: nothing can be concluded."""

    exit_code = EXIT_CODES[GateOutcome.INCONCLUSIVE]


@dataclass(frozen=True, slots=True)
class StoredCase:
    """Figures of one case, and the versions that decided them."""

    versions: Mapping[str, str]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a case could not be stored, and why."""

    case: str
    reason: str

    def __str__(self) -> str:
        return f"{self.case}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What `baseline update` wrote."""

    corpus: str
    content: str
    """Digest of the corpus, so that other bytes under the same name are noticed."""
    host: Mapping[str, str]
    cases: Mapping[str, StoredCase]
    """By the key of the cell, in any environment."""
    left_out: tuple[LeftOut, ...] = ()
    """The gate repeats it, as it cannot judge it."""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        for name in self.cases:
            CellKey.parse(name)

    def save(self, path: Path) -> None:
        """Write the file in one step, cases sorted, so that its history is readable."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        write_whole(path, text + "\n")


def upgrade_1_to_2(raw: Raw) -> Raw:
    """What was left out, from one text each: the case has no colon before a space in its name."""
    texts = (str(one).partition(": ") for one in raw.get("left_out", ()))
    return {**raw, "left_out": [{"case": case, "reason": reason} for case, _, reason in texts]}


DOCUMENT = Document(Baseline, SCHEMA, BaselineError, {1: upgrade_1_to_2}, remedy=f"run {UPDATE}")


def file_name() -> str:
    """Name of the baseline for a host like this one; several may be kept side by side."""
    facts = host_facts()
    return f"memory-{facts['machine']}-py{facts['python']}.json"


def load(path: Path) -> Baseline:
    """The baseline in that file.

    Raises MissingBaselineError where it does not exist, BaselineError where it is damaged.
    """
    if not path.exists():
        others = ", ".join(sorted(found.name for found in path.parent.glob("memory-*.json")))
        raise MissingBaselineError(
            f"no baseline at {path} (there: {others or 'none'}): run {UPDATE} and commit it"
        )
    return DOCUMENT.read(path)


def memory_metrics(names: Sequence[str]) -> tuple[GatedMetric, ...]:
    """The chosen sizes, or all. Raises BaselineError for a time or a slope, and says why."""
    sizes = tuple(metric for metric in GATED_METRICS.values() if metric.kind is MetricKind.SIZE)
    for name in names:
        if all(metric.name != name for metric in sizes):
            raise BaselineError(
                f"--memory-only cannot gate {name}: a stored figure of another day says nothing"
                " about time on this one; compare with `firstbyte gate --base REV`"
                f" (allowed: {', '.join(metric.name for metric in sizes)})"
            )
    return tuple(metric for metric in sizes if not names or metric.name in names)


def host_facts() -> dict[str, str]:
    """What decides allocation besides the libraries."""
    return {
        "machine": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def corpus_content(manifest: Manifest) -> str:
    """Digest over the shards' own digests."""
    digest = hashlib.sha256()
    for shard in manifest.shards:
        digest.update(shard.sha256.encode())
    return digest.hexdigest()


def measure(
    side: GateSide,
    cases: Sequence[Case],
    metrics: Sequence[GatedMetric],
    manifest: Manifest,
    say: Say,
) -> Baseline:
    """A new baseline. A case that is OK is in it even where none of its figures can be used."""
    stored: dict[str, StoredCase] = {}
    left_out: list[LeftOut] = []
    observed: dict[str, list[Observation]] = {}
    for case in cases:
        say(f"measuring {case.name}")
        seen = observed.setdefault(case.name, [])
        while len(seen) < PROCESSES and (not seen or seen[-1].status is Status.OK):
            seen.append(side.observe(case))
    for case in cases:
        seen = observed[case.name]
        if seen[-1].status is not Status.OK:
            left_out.append(LeftOut(case.name, f"{seen[-1].status}: {seen[-1].reason}"))
            continue
        if case.traced and (reason := side.hidden(case)):
            left_out.append(LeftOut(case.name, reason))
            stored[case.name] = StoredCase(dict(seen[0].versions), {})
            continue
        figures: dict[str, float] = {}
        for metric in metrics:
            values = [one.figures[metric.name] for one in seen if metric.name in one.figures]
            numbers = [value for value in values if isinstance(value, float | int)]
            if len(numbers) < PROCESSES:
                continue
            try:
                require_repeating(numbers)
            except NotRepeatingError as error:
                left_out.append(LeftOut(case.name, f"{metric.name} {error}"))
                continue
            figures[metric.name] = sorted(numbers)[len(numbers) // 2]
        stored[case.name] = StoredCase(dict(seen[0].versions), figures)
    return Baseline(manifest.spec, corpus_content(manifest), host_facts(), stored, tuple(left_out))


class StoredSide:
    """A baseline in the place of a base side: every process gives the stored figures."""

    def __init__(self, baseline: Baseline, label: str) -> None:
        self._cases = baseline.cases
        self.label = label

    def observe(self, case: Case) -> Observation:
        """The stored figures as if a process had given them."""
        stored = self._cases.get(case.name)
        if stored is None:
            return Observation(Status.SKIPPED, f"not in the baseline: if it is new, run {UPDATE}")
        return Observation(Status.OK, "", figures=stored.figures, versions=stored.versions)

    def hidden(self, case: Case) -> str:
        """Nothing: figures that could not be certified were not stored."""
        return ""


def require_comparable(baseline: Baseline, manifest: Manifest) -> None:
    """Raise IncomparableBaselineError where host or corpus are not those of the baseline."""
    differing = differences(
        {**baseline.host, "corpus": baseline.content[:12]},
        {**host_facts(), "corpus": corpus_content(manifest)[:12]},
    )
    if differing:
        raise IncomparableBaselineError(
            f"the baseline cannot be used here: {differing}; run {UPDATE}"
        )


def differences(stored: Mapping[str, str], now: Mapping[str, str]) -> str:
    """`name was 1, is 2` for every entry that differs; empty where all are equal."""
    names = sorted(name for name in {*stored, *now} if stored.get(name) != now.get(name))
    return ", ".join(
        f"{name} was {stored.get(name, 'absent')}, is {now.get(name, 'absent')}" for name in names
    )
