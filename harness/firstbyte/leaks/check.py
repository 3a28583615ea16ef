"""One `firstbyte leaks`: which backends, at what cost, and into which run folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path

from firstbyte import places
from firstbyte.engine import registry, session
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.launch import current_environment
from firstbyte.engine.plan import Plan
from firstbyte.engine.registry import Chosen
from firstbyte.engine.session import OpenRun, Session
from firstbyte.engine.witnesses import resolve
from firstbyte.leaks import kept as verdicts
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.effort import Effort, cost_seconds, effort_for
from firstbyte.leaks.investigation import EndedBadlyError, Investigation, investigate, pilot
from firstbyte.say import Say
from firstbyte.units import duration
from firstbyte.worker.shapes import Shape
from firstbyte.worker.uses import scans_of


@dataclass
class LeakCheck:
    """What to check, and on what; no run folder yet."""

    laboratory: Laboratory
    subjects: Sequence[Chosen]
    corpus: str
    shapes: Sequence[Shape] = tuple(Shape)
    """In which each of them is used; a verdict holds for one of them."""


@dataclass
class LeakRun:
    """A check under way, with its run folder."""

    check: LeakCheck
    laboratory: Laboratory
    run: OpenRun
    beside: Path | None = None
    """Another run's folder, in which the verdicts are kept as well."""
    investigations: list[Investigation] = field(default_factory=list)

    @property
    def folders(self) -> list[Path]:
        """Where the verdicts are kept."""
        return [self.run.folder.path, *([self.beside] if self.beside else [])]


@dataclass(frozen=True, slots=True)
class PlannedEffort:
    """The effort for one subject; `scan_seconds` is None where no pilot was run."""

    effort: Effort
    scan_seconds: float | None = None


def prepare(
    corpus: str, backends: Sequence[str], shapes: Sequence[Shape] = tuple(Shape)
) -> LeakCheck:
    """Check the names and make the files. Raises HarnessError for bad input."""
    catalogue = registry.discover()
    everything = list(catalogue.backends)
    subjects = [one for text in backends or everything for one in catalogue.variants(text)]
    manifest = leak_corpus(resolve(corpus), places.cache())
    return LeakCheck(Laboratory(manifest, catalogue), subjects, corpus, shapes)


def start(check: LeakCheck, results: Path, beside: Path | None = None) -> LeakRun:
    """Open a run folder for the check; the verdicts are kept in the folder `beside` as well.

    Raises StoreError where it cannot be made.
    """
    manifest, catalogue = check.laboratory.manifest, check.laboratory.catalogue
    note = f"Files of the leak check, made from the first shard with rows of {check.corpus}."
    here = current_environment()
    manifests = {manifest.spec: manifest}
    opened = session.start_run(
        Session(catalogue, here, manifests, Plan(()), "leaks", (note,)), results
    )
    laboratory = Laboratory(manifest, catalogue, opened.run.run_id, keep=opened.add)
    return LeakRun(check, laboratory, opened, beside)


def plan(check: LeakCheck, detect_bytes: int | None, say: Say) -> list[PlannedEffort]:
    """The effort for each subject: the default, or what a pilot says that `--detect` takes.

    Raises HarnessError where that is out of reach.
    """
    if detect_bytes is None:
        return [PlannedEffort(Effort()) for _ in check.subjects]
    planned = []
    for subject in check.subjects:
        say(f"{subject.subject}: pilot")
        try:
            noise, scan_seconds = pilot(check.laboratory, subject)
        except EndedBadlyError:
            # The check itself meets the same end, and reports it.
            planned.append(PlannedEffort(Effort()))
            continue
        planned.append(PlannedEffort(effort_for(detect_bytes, noise, scan_seconds), scan_seconds))
    return planned


def costs(check: LeakCheck, efforts: Sequence[PlannedEffort]) -> list[str]:
    """One line per subject: scans and seconds, and what they can show."""
    lines = []
    shapes = len(check.shapes)
    scans = sum(scans_of(shape) for shape in check.shapes)
    for subject, one in zip(check.subjects, efforts, strict=True):
        line = f"{subject.subject}: {one.effort.scans:,} uses"
        if shapes > 1:
            line += f" in each of {shapes} shapes"
        if one.scan_seconds is None:
            most = duration(2 * one.effort.budget_seconds * scans)
            line += f", at most about {most} if nothing is found"
        else:
            clean, followed = cost_seconds(one.effort, one.scan_seconds)
            line += f", about {duration(clean * scans)} if clean, {duration(followed * scans)} if it leaks"
        lines.append(f"{line}; {one.effort.note}" if one.effort.note else line)
    return lines


def investigate_all(
    run: LeakRun, efforts: Sequence[PlannedEffort], say: Say
) -> Iterator[Investigation]:
    """Investigate every subject in turn, in each shape; each is on disk before it is yielded."""
    planned = zip(run.check.subjects, efforts, strict=True)
    for (subject, one), shape in product(planned, run.check.shapes):
        step = partial(_say_of, f"{subject.subject}, {shape}", say)
        investigation = investigate(run.laboratory, subject, one.effort, step, shape=shape)
        run.investigations.append(_with_picture(investigation, run.run.folder.path))
        for folder in run.folders:
            verdicts.write(folder, run.run.run, run.run.run.command, run.investigations)
        yield run.investigations[-1]


def finish(run: LeakRun) -> Path:
    """Seal the run folder and return its path."""
    run.run.seal()
    return run.run.folder.path


def _with_picture(investigation: Investigation, folder: Path) -> Investigation:
    """The investigation with its flamegraph moved to the run folder, where it can be linked."""
    if investigation.flamegraph is None:
        return investigation
    named = f"{investigation.backend}-{investigation.variant}-{investigation.shape}"
    target = folder / f"leaks-{named}.html"
    return replace(investigation, flamegraph=Path(shutil.move(investigation.flamegraph, target)))


def _say_of(name: str, say: Say, line: str) -> None:
    say(f"{name}: {line}")
