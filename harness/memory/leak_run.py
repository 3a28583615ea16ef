"""One `firstbyte leaks`: which backends, at what cost, into which run folder, and the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness import places, registry, session
from harness.analysis.leaks import RESIDENT, LeakClass, LeakVerdict
from harness.corpora.catalogue import resolve
from harness.launch import current_environment
from harness.memory.corpus import leak_corpus
from harness.memory.effort import Effort, cost_seconds, effort_for
from harness.memory.investigation import EndedBadlyError, Finding, investigate, pilot
from harness.memory.laboratory import Laboratory
from harness.plan import Plan
from harness.registry import BackendInfo, Variant
from harness.render.units import duration
from harness.session import OpenRun, Session

LEAKS_FILE = "leaks.json"
"""In the run folder: the verdicts, in the order in which they were reached."""

Subject = tuple[BackendInfo, Variant]
Say = Callable[[str], None]

_LEGEND = (
    "B per scan: Theil-Sen slope with its 99 % interval. Would have seen: the smallest leak per scan "
    "that these series would have shown, in memory that an allocator counts and in any other."
)
_STYLES = {LeakClass.LEAK: "bold red", LeakClass.CLEAN: "green"}


@dataclass
class LeakCheck:
    """What to check, and on what; no run folder yet."""

    laboratory: Laboratory
    subjects: Sequence[Subject]
    corpus: str


@dataclass
class LeakRun:
    """A check under way, with its run folder."""

    check: LeakCheck
    laboratory: Laboratory
    run: OpenRun
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Planned:
    """The effort for one subject; `scan_seconds` is None where no pilot was run."""

    effort: Effort
    scan_seconds: float | None = None


def prepare(corpus: str, backends: Sequence[str]) -> LeakCheck:
    """Check the names and make the files. Raises HarnessError for bad input."""
    catalogue = registry.discover()
    everything = list(catalogue.backends)
    subjects = [one for text in backends or everything for one in _subjects(catalogue, text)]
    manifest = leak_corpus(resolve(corpus), places.cache())
    return LeakCheck(Laboratory(manifest, catalogue), subjects, corpus)


def start(check: LeakCheck, results: Path) -> LeakRun:
    """Open a run folder for the check. Raises StoreError where it cannot be made."""
    manifest, catalogue = check.laboratory.manifest, check.laboratory.catalogue
    note = f"Files of the leak check, made from the first shard of {check.corpus}."
    here = current_environment(registry.PROJECT)
    manifests = {manifest.spec: manifest}
    opened = session.start_run(
        Session(catalogue, here, manifests, Plan(()), "leaks", (note,)), results
    )
    laboratory = Laboratory(manifest, catalogue, opened.run.run_id, keep=opened.add)
    return LeakRun(check, laboratory, opened)


def plan(check: LeakCheck, detect_bytes: int | None, say: Say) -> list[Planned]:
    """The effort for each subject: the default, or what a pilot says that `--detect` takes.

    Raises HarnessError where that is out of reach.
    """
    if detect_bytes is None:
        return [Planned(Effort()) for _ in check.subjects]
    planned = []
    for subject in check.subjects:
        say(f"{_name(subject)}: pilot")
        try:
            noise, scan_seconds = pilot(check.laboratory, subject)
        except EndedBadlyError:
            # The check itself meets the same end, and reports it.
            planned.append(Planned(Effort()))
            continue
        planned.append(Planned(effort_for(detect_bytes, noise, scan_seconds), scan_seconds))
    return planned


def costs(check: LeakCheck, efforts: Sequence[Planned]) -> list[str]:
    """One line per subject: scans and seconds, and what they can show."""
    lines = []
    for subject, one in zip(check.subjects, efforts, strict=True):
        line = f"{_name(subject)}: {one.effort.scans:,} scans"
        if one.scan_seconds is None:
            line += f", at most about {duration(2 * one.effort.budget_seconds)} if nothing is found"
        else:
            clean, followed = cost_seconds(one.effort, one.scan_seconds)
            line += f", about {duration(clean)} if clean, {duration(followed)} if it leaks"
        lines.append(f"{line}; {one.effort.note}" if one.effort.note else line)
    return lines


def investigate_all(run: LeakRun, efforts: Sequence[Planned], say: Say) -> Iterator[Finding]:
    """Investigate every subject in turn; each finding is on disk before it is yielded."""
    for subject, one in zip(run.check.subjects, efforts, strict=True):
        name = _name(subject)
        finding = investigate(run.laboratory, subject, one.effort, partial(_say_of, name, say))
        run.findings.append(finding)
        _write(run)
        yield finding


def finish(run: LeakRun) -> Path:
    """Seal the run folder and return its path."""
    run.run.seal()
    return run.run.folder.path


def table(findings: Sequence[Finding]) -> Group:
    """The verdicts as the terminal shows them: a table, and below it why."""
    made = Table(
        "backend", "verdict", "B per scan", "scans", "would have seen", title="leak or not"
    )
    reasons = []
    for one in findings:
        name = f"{one.backend}:{one.variant}"
        if one.verdict is None:
            made.add_row(Text(name), Text("not run", style="bold red"), "", "", "")
            reasons.append(Text(f"{name}: {one.trouble}"))
            continue
        outcome = one.verdict.outcome
        made.add_row(
            Text(name),
            Text(outcome.value, style=_STYLES.get(outcome, "bold yellow")),
            _slope(one.verdict),
            f"{one.verdict.processes} x {one.verdict.scans:,}",
            detectable(one.verdict),
        )
        culprit = f"; {_culprit(one)}" if one.verdict.stacks else ""
        reasons.append(Text(f"{name}: {one.verdict.reason}{culprit}"))
    return Group(made, *reasons, Text(_LEGEND, style="dim"))


def detectable(verdict: LeakVerdict) -> str:
    """The smallest leak that the run could have seen: in counted memory, and in any other."""
    counted = [size for name, size in verdict.detectable_bytes.items() if name != RESIDENT]
    parts = [f"{max(counted):,.0f} counted"] if counted else []
    return ", ".join([*parts, f"{verdict.detectable_bytes[RESIDENT]:,.0f} elsewhere"])


def _culprit(finding: Finding) -> str:
    assert finding.verdict is not None
    stack = finding.verdict.stacks[0]
    where = " < ".join(
        f"{name} ({Path(file).name}:{line})" for name, file, line in stack.frames[:3]
    )
    more = f"; flamegraph: {finding.flamegraph}" if finding.flamegraph else ""
    return f"{stack.bytes_per_scan:,.0f} B per scan from {where or 'a thread without Python'}{more}"


def _slope(verdict: LeakVerdict) -> str:
    slope = verdict.slope
    if slope is None:
        return ""
    return f"{slope.estimate:,.0f} [{slope.low:,.0f}, {slope.high:,.0f}]"


def _subjects(catalogue: registry.Catalogue, text: str) -> list[Subject]:
    name, _, variant = text.partition(":")
    backend = catalogue.backend(name)
    chosen = [backend.variant(variant)] if variant else backend.variants
    return [(backend, one) for one in chosen]


def _say_of(name: str, say: Say, line: str) -> None:
    say(f"{name}: {line}")


def _name(subject: Subject) -> str:
    return f"{subject[0].name}:{subject[1].name}"


def _write(run: LeakRun) -> None:
    rows = [
        {
            "backend": one.backend,
            "variant": one.variant,
            "verdict": asdict(one.verdict) if one.verdict else None,
            "trouble": one.trouble,
            "flamegraph": str(one.flamegraph) if one.flamegraph else None,
        }
        for one in run.findings
    ]
    partial = run.run.folder.path / f".{LEAKS_FILE}"
    partial.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    partial.replace(run.run.folder.path / LEAKS_FILE)
