"""The one way in which a planned cell is run: prepared, one worker process after another, judged.

`record` is a whole cell; `process` is one of its processes, for who compares single processes.
Whatever happens in a worker is an outcome, never an exception.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from firstbyte.api import ReadsInSpan
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import plausible, prepared, pressure, witnesses
from firstbyte.engine.judge import Difference, UnfitError, first_difference, fit, judge
from firstbyte.engine.launch import Outcome, run_worker
from firstbyte.engine.locate import NotFound, locate
from firstbyte.engine.plan import Planned
from firstbyte.model import SCHEMA_VERSION, Environment, Record, Sample, Status
from firstbyte.worker.order import (
    BATCH_ROWS,
    DIGEST,
    DUMP,
    MEASURE,
    PREPARE,
    Order,
    Pass,
    dump_path,
)
from firstbyte.worker.turns import Turns

PREPARE_TIMEOUT_SECONDS = 3600.0
MOST_COPIED_BYTES = 16_000_000
"""Of a shard that is opened under another name as well."""
RESTLESS = (
    "the process never stood still before its first span: its times hold what its import left"
)

Launcher = Callable[[Order, Environment], Outcome]


@dataclass
class Engine:
    """What is the same for all cells that are run alike. `launcher` is replaced by a fake in tests."""

    run_id: str
    environment: Environment
    """The interpreter of the workers, and where they import `firstbyte` from."""
    plugin_roots: Sequence[Path]
    """Folders with plug-ins beside the project's own."""
    manifests: Mapping[str, Manifest]
    prepared_root: Path
    """Where backends keep the corpora in formats of their own."""
    launcher: Launcher = run_worker
    _prepared: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    _wrong_first: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def records(
        self, cells: Sequence[Planned], on_start: Callable[[Planned], None] = lambda _: None
    ) -> Iterator[Record]:
        """Run the cells in order and yield each one's record as soon as it has ended."""
        for planned in cells:
            on_start(planned)
            yield self.record(planned)

    def record(self, planned: Planned, variables: Mapping[str, str] | None = None) -> Record:
        """Run one cell; `variables` are added to its measuring workers' environment."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        began = time.monotonic()
        before = pressure.read()
        outcomes = self._processes(planned, variables or {})
        status, reason = self.judged(planned, outcomes)
        if status is Status.OK and any(_is_restless(outcome) for outcome in outcomes):
            reason = RESTLESS
        samples: tuple[Sample, ...] = ()
        try:
            samples = fit(_samples(planned, outcomes))
        except UnfitError as error:
            if status is Status.OK:
                status, reason = Status.ERROR, str(error)
        conditions = pressure.between(before, pressure.read(), samples)
        if status is Status.OK and (wrong := self._wrong_afresh(planned)):
            status, reason = Status.WRONG, f"read for the first time in a process: {wrong}"
        return Record(
            schema=SCHEMA_VERSION,
            run_id=self.run_id,
            cell=planned.cell,
            versions=outcomes[-1].versions,
            status=status,
            reason=reason,
            samples=samples,
            stderr_tail=outcomes[-1].stderr_tail if status is not Status.OK else "",
            started=started,
            duration_s=time.monotonic() - began,
            conditions=conditions if samples else None,
        )

    def judged(self, planned: Planned, outcomes: Sequence[Outcome]) -> tuple[Status, str]:
        """Status and reason of a cell whose processes ended so; what is WRONG is looked for row by row."""
        manifest = self.manifests[planned.cell.corpus]
        status, reason = judge(outcomes, manifest)
        wrong = first_difference(outcomes, manifest) if status is Status.WRONG else None
        return status, reason if wrong is None else self._located(planned, wrong)

    def _located(self, planned: Planned, wrong: Difference) -> str:
        """The difference in words, with the first row that differs, if its reader does so again."""
        if not wrong.lies_in_rows:
            return str(wrong)
        manifest = self.manifests[planned.cell.corpus]
        path, entry = manifest.paths[wrong.shard], manifest.shards[wrong.shard]
        found = locate(
            path,
            entry,
            [wrong.column] if wrong.column else list(entry.digests),
            lambda folder: self._dump(planned, wrong.shard, folder),
            witnesses.dumps(path),
        )
        if isinstance(found, NotFound):
            return f"{wrong}; {found}"
        if wrong.column:  # the row says it all
            return f"shard {wrong.shard}, {found}"
        return f"{wrong}; first in {found}"

    def _dump(self, planned: Planned, shard: int, folder: Path) -> bool:
        """Have the cell's reader write what it delivers of a shard into that folder, if it can."""
        ready = self.ready(planned)
        if ready.status is not Status.OK:
            return False
        order = self.order(planned, DUMP, ready.prepared)
        rows = (order.shard_rows[shard],)
        order = replace(order, shards=(order.shards[shard],), shard_rows=rows)
        order = replace(order, prepared_directory=str(folder), variables=planned.variables)
        order = replace(order, passes=tuple(Pass))
        self.launcher(order, self.environment)
        return dump_path(folder, 0).exists()

    def process(
        self,
        planned: Planned,
        *,
        final: bool = True,
        variables: Mapping[str, str] | None = None,
        turns: Turns | None = None,
    ) -> Outcome:
        """Run one process of the cell, not judged yet; at once where the cell cannot be run.

        The `final` process of a cell makes the digests. `variables` are added to the worker's
        environment; with `turns` it measures span by span with another, and closes its ends of them.
        """
        ready = self.ready(planned)
        if ready.status is not Status.OK:
            if turns:
                turns.close()
            return ready
        order = self.order(planned, MEASURE, ready.prepared)
        asked = {**planned.variables, **(variables or {})}
        order = replace(order, final_process=final, variables=asked, turns=turns)
        with tempfile.TemporaryDirectory(prefix="firstbyte-copy-") as folder:
            repeats = planned.cell.repetitions > 1 and not turns
            if final and repeats and planned.scenario.reads is ReadsInSpan.OPENING:
                order = replace(order, copies=tuple(_copies(Path(ready.prepared[0]), folder)))
            outcome = self.launcher(order, self.environment)
        if outcome.evidence is not None:
            manifest = self.manifests[planned.cell.corpus]
            source = tuple(ready.prepared) == tuple(map(str, manifest.paths))
            claim = plausible.Claim(
                planned,
                outcome.samples,
                outcome.evidence,
                tuple((one.bytes, one.raw_bytes) for one in manifest.shards) if source else (),
                _footer_bytes(Path(ready.prepared[0])) if order.copies else 0,
            )
            outcome.suspicions = plausible.suspicions(claim)
        return outcome

    def ready(self, planned: Planned) -> Outcome:
        """How the cell can be run: OK with the prepared shards, or with what prevents it."""
        if planned.skipped:
            return Outcome(status=Status.SKIPPED, reason=planned.skipped)
        if planned.scenario.needs_rows and not self.manifests[planned.cell.corpus].rows:
            reason = f"the corpus has no rows, and {planned.scenario.name} needs some"
            return Outcome(status=Status.SKIPPED, reason=reason)
        preparation = self._prepare(planned)
        if preparation.status in (Status.OK, Status.SKIPPED):
            return preparation
        return replace(preparation, reason=f"while preparing the corpus: {preparation.reason}")

    def order(self, planned: Planned, task: str, shards: Sequence[str]) -> Order:
        """What a worker needs to do this cell; `firstbyte cell` prints it."""
        manifest = self.manifests[planned.cell.corpus]
        return Order(
            task=task,
            cell=planned.cell,
            plugin_roots=tuple(map(str, self.plugin_roots)),
            backend_module=planned.backend.module,
            backend_options=planned.variant.options,
            scenario_module=planned.scenario.import_name,
            instrument_module=planned.instrument.import_name if task in (MEASURE, DUMP) else "",
            shards=tuple(shards),
            shard_rows=tuple(shard.rows for shard in manifest.shards),
            text_column=manifest.text_column,
            batch_rows=BATCH_ROWS,
            settles=not planned.cold,
            rests=planned.scenario.reads is ReadsInSpan.WHOLE,
            prepared_directory=str(self._prepared_folder(planned)),
        )

    def _wrong_afresh(self, planned: Planned) -> str:
        """What the cell's reader delivers otherwise in a process that has read nothing yet, asked once a run.

        In a cell what was timed is read again by the same process: a reader can be wrong the first time only.
        One that does not come to its end there says nothing of the cell.
        """
        key = _subject_and_corpus(planned)
        if key not in self._wrong_first:
            order = self.order(planned, DIGEST, self.ready(planned).prepared)
            outcome = self.launcher(order, self.environment)
            wrong = first_difference([outcome], self.manifests[planned.cell.corpus])
            self._wrong_first[key] = self._located(planned, wrong) if wrong else ""
        return self._wrong_first[key]

    def _prepare(self, planned: Planned) -> Outcome:
        """Convert the corpus to the backend's own format, once a run, in a worker of its own."""
        cell = planned.cell
        key = _subject_and_corpus(planned)
        if key not in self._prepared:
            self._prepared_folder(planned).mkdir(parents=True, exist_ok=True)
            sources = [str(path) for path in self.manifests[cell.corpus].paths]
            order = self.order(planned, PREPARE, sources)
            limits = replace(cell.limits, timeout_s=PREPARE_TIMEOUT_SECONDS)
            order = replace(order, cell=replace(cell, limits=limits))
            self._prepared[key] = self.launcher(order, self.environment)
        return self._prepared[key]

    def _processes(self, planned: Planned, variables: Mapping[str, str]) -> list[Outcome]:
        """Outcomes of the cell's processes, up to the first that did not end well."""
        outcomes: list[Outcome] = []
        total = planned.warmup_processes + planned.cell.processes
        for number in range(total):
            outcome = self.process(planned, final=number == total - 1, variables=variables)
            if number >= planned.warmup_processes or outcome.status is not Status.OK:
                outcomes.append(outcome)
            if outcome.status is not Status.OK:
                break
        return outcomes

    def _prepared_folder(self, planned: Planned) -> Path:
        return prepared.folder(self.prepared_root, planned, self.manifests[planned.cell.corpus])


def _subject_and_corpus(planned: Planned) -> tuple[str, str, str]:
    return planned.cell.backend, planned.cell.variant, planned.cell.corpus


def _copies(shard: Path, folder: str) -> Iterator[str]:
    """Copies of that shard in the folder; none of one that is large, or no file."""
    if shard.is_file() and shard.stat().st_size <= MOST_COPIED_BYTES:
        for number in range(plausible.COPIES):
            copy = Path(
                folder, str(number), shard.name
            )  # a reader may know its shards by their names
            copy.parent.mkdir()
            yield str(shutil.copyfile(shard, copy))


def _footer_bytes(shard: Path) -> int:
    """Length of the metadata of a Parquet file, as it says; 0 for any other."""
    with shard.open("rb") as file:
        file.seek(max(0, shard.stat().st_size - 8))
        end = file.read()
    return int.from_bytes(end[:4], "little") if end[4:] == b"PAR1" else 0


def _is_restless(outcome: Outcome) -> bool:
    return outcome.settled is not None and not outcome.settled.quiet


def _samples(planned: Planned, outcomes: Sequence[Outcome]) -> Iterator[Sample]:
    params = planned.cell.params
    for process, outcome in enumerate(outcomes):
        for sample in outcome.samples:
            try:
                derived = planned.scenario.module.derive(params, sample.values)
            except Exception as error:  # a plug-in may raise anything
                problem = f"{type(error).__name__}: {error}"
                raise UnfitError(f"figures could not be derived: {problem}") from error
            yield replace(sample, values={**sample.values, **derived}, process=process)
