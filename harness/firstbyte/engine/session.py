"""One invocation's work: names checked, corpora there, cells planned, run folder open."""

from __future__ import annotations

import secrets
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from firstbyte import places
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import fingerprint as environment
from firstbyte.engine import registry, room
from firstbyte.engine.cells import Engine
from firstbyte.engine.cgroups import Groups
from firstbyte.engine.launch import current_environment
from firstbyte.engine.plan import Axes, Plan, Planned, estimate_seconds, make_plan
from firstbyte.engine.registry import Catalogue
from firstbyte.engine.store import RunFolder, Warn, durations, find_unfinished, load, run_folders
from firstbyte.engine.witnesses import resolve
from firstbyte.errors import CorpusError, HarnessError
from firstbyte.model import CellKey, Environment, Record, Run
from firstbyte.plugins import checkout

DEFAULT_CORPUS = "gettext"
OFFLINE_CORPORA = ("mt", "llm")


@dataclass(frozen=True)
class Session:
    """What a command needs to run cells."""

    catalogue: Catalogue
    environment: Environment
    manifests: Mapping[str, Manifest]
    plan: Plan
    profile: str
    notes: tuple[str, ...]

    def engine(self, run_id: str) -> Engine:
        """Runs this session's cells under that run id."""
        return Engine(
            run_id,
            self.environment,
            registry.plugin_roots(),
            self.manifests,
            places.cache() / "prepared",
        )

    def estimates(self, results: Path, warn: Warn) -> list[float | None]:
        """Seconds for each planned cell from the runs in `results` and the published ones.

        A run that cannot be read is passed over, and named.
        """
        folders = dict.fromkeys([*run_folders(places.results()), *run_folders(results)])
        history = [(one.cell, one.duration_s) for one in durations(folders, warn)]
        return estimate_seconds(self.plan, history)


@dataclass
class OpenRun:
    """A run folder being filled."""

    folder: RunFolder
    run: Run
    records: list[Record]

    @property
    def done(self) -> frozenset[CellKey]:
        """Keys of the cells that have a record."""
        return frozenset(record.cell.key for record in self.records)

    def add(self, record: Record) -> None:
        """Keep a record; it is on disk when this returns."""
        self.folder.append(record)
        self.records.append(record)

    def seal(self) -> None:
        """Write the Parquet file, and mark the run as finished if all that was planned is there."""
        if self.run.planned_cells in (None, len(self.done)):
            self.run = replace(self.run, finished=_now().isoformat(timespec="seconds"))
        self.folder.seal(self.run)


def open_session(axes: Axes) -> Session:
    """Check the names, get the corpora, plan. Raises HarnessError for what a user can mend."""
    catalogue = registry.discover()
    here = current_environment()
    limits, tight = room.fit(axes.limits, Groups())
    axes = replace(axes, limits=limits)
    # Names are checked before a corpus is fetched: a typo must not cost a download.
    make_plan(catalogue, replace(axes, corpora=("unresolved",)), here)
    manifests, notes = _corpora(axes.corpora)
    plan = make_plan(catalogue, replace(axes, corpora=tuple(manifests)), here)
    return Session(
        catalogue, here, manifests, plan, axes.profile, (*notes, *filter(None, (tight,)))
    )


def start_run(session: Session, results: Path) -> OpenRun:
    """A new run folder. Raises StoreError where it cannot be made."""
    now = _now()
    run = Run(
        run_id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
        started=now.isoformat(timespec="seconds"),
        argv=("firstbyte", *sys.argv[1:]),
        profile=session.profile,
        git=environment.git(checkout()),
        host=environment.host(),
        versions=environment.versions(),
        corpora={spec: _about(manifest) for spec, manifest in session.manifests.items()},
        notes=session.notes,
        plan_fingerprint=session.plan.fingerprint,
        planned_cells=len(session.plan.cells) or None,
    )
    return OpenRun(RunFolder.create(results, run), run, [])


def resume_run(session: Session, results: Path, warn: Warn) -> OpenRun:
    """The newest unfinished run of the same cells on the same host.

    Runs that cannot be read are passed over, and named. Raises HarnessError where there is none, or
    where its host or versions are not today's.
    """
    path = find_unfinished(results, session.plan.fingerprint, warn)
    if path is None:
        raise HarnessError(
            f"no unfinished run of these cells in {results}; run the command without --resume"
        )
    folder = RunFolder(path)
    folder.cut_torn_line()
    run, records = load(path)
    # The plan is the same one: a run of an earlier version, which does not say it, learns it here.
    run = replace(run, planned_cells=len(session.plan.cells))
    if run.versions != environment.versions():
        changed = sorted(set(run.versions.items()) ^ set(environment.versions().items()))
        raise HarnessError(
            f"run {run.run_id} cannot go on: installed versions differ "
            f"({', '.join(sorted({name for name, _ in changed}))}); start a new run"
        )
    here = environment.host()
    if differing := [
        *environment.differences(run.host, here),
        *environment.variable_differences(run.host, here),
    ]:
        raise HarnessError(f"run {run.run_id} cannot go on: {'; '.join(differing)}")
    return OpenRun(folder, run, records)


def costs(plan: Plan, estimates: Sequence[float | None]) -> list[tuple[Planned, float]]:
    """The cells with seconds each; a cell without history counts as the median of the others."""
    known = [seconds for seconds in estimates if seconds]
    guess = statistics.median(known) if known else 1.0
    return [
        (planned, guess if seconds is None else seconds)
        for planned, seconds in zip(plan.cells, estimates, strict=True)
    ]


def measure(
    session: Session, run: OpenRun, on_start: Callable[[Planned], None]
) -> Iterator[Record]:
    """Run what has no record yet; every record is on disk before it is yielded."""
    left = [planned for planned in session.plan.cells if planned.cell.key not in run.done]
    for record in session.engine(run.run.run_id).records(left, on_start):
        run.add(record)
        yield record


def _corpora(specs: Sequence[str]) -> tuple[dict[str, Manifest], tuple[str, ...]]:
    """Manifests by spec; the synthetic ones, and a note, where the default cannot be had."""
    if specs:
        found = {manifest.spec: manifest for manifest in map(resolve, specs)}
        return found, tuple(line for one in found.values() for line in one.caveats)
    try:
        real = resolve(DEFAULT_CORPUS)
    except CorpusError as error:
        note = (
            f"no real text in this run: {error} "
            f"Measured on synthetic corpora instead: {', '.join(OFFLINE_CORPORA)}."
        )
        return {manifest.spec: manifest for manifest in map(resolve, OFFLINE_CORPORA)}, (note,)
    return {real.spec: real}, ()


def _about(manifest: Manifest) -> dict[str, object]:
    return {
        "rows": manifest.rows,
        "bytes": manifest.bytes,
        "raw_bytes": manifest.raw_bytes,
        "shards": len(manifest.shards),
        "columns": {column.name: column.type for column in manifest.schema},
        "text_column": manifest.text_column,
        "how": dict(manifest.how),
    }


def _now() -> datetime:
    return datetime.now(UTC)
