"""Append-only run folders: `run.json`, `records.jsonl`, and `records.parquet` once the run is sealed.

A record is one line, written and synced before the next cell starts: whatever kills the parent, at
most the cell in flight is lost, and a torn last line is cut off when the run goes on.

Every version that was ever written is read. `run.json` and each record state theirs; both share one
history:

1. the first.
2. a run says how many cells were planned, so that one which lost records is known.
3. a record says how busy the machine was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from firstbyte.contracts import Document, Raw
from firstbyte.errors import StoreError
from firstbyte.model import SCHEMA_VERSION, Cell, CellKey, Record, Run
from firstbyte.whole import write_whole


def upgrade_run_1_to_2(run: Raw) -> Raw:
    """How many cells were planned is not known."""
    return {**run, "planned_cells": None}


def upgrade_record_1_to_2(record: Raw) -> Raw:
    """Nothing has changed."""
    return record


def upgrade_run_2_to_3(run: Raw) -> Raw:
    """Nothing has changed."""
    return run


def upgrade_record_2_to_3(record: Raw) -> Raw:
    """How busy the machine was is not known."""
    return {**record, "conditions": None}


RUN = Document(Run, SCHEMA_VERSION, StoreError, {1: upgrade_run_1_to_2, 2: upgrade_run_2_to_3})
RECORD = Document(
    Record, SCHEMA_VERSION, StoreError, {1: upgrade_record_1_to_2, 2: upgrade_record_2_to_3}
)

Warn = Callable[[str], None]
"""Takes one line about a run that nobody asked for and that cannot be read."""

RUN_FILE = "run.json"
RECORDS_FILE = "records.jsonl"
SEALED_FILE = "records.parquet"
_TEXT_COLUMNS = (
    *("run_id", "cell", *CellKey._fields),
    *("status", "reason", "versions", "started", "metric"),
)


class RunFolder:
    """One run on disk, open for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, run: Run) -> RunFolder:
        """A new folder under `results`. Raises StoreError where it exists or cannot be written."""
        folder = cls(results / run.run_id)
        try:
            folder.path.mkdir(parents=True)
            # First, so that a folder with run.json, whenever it is looked at, has records to read.
            (folder.path / RECORDS_FILE).touch()
            folder.write_run(run)
        except OSError as error:
            raise StoreError(
                f"cannot make the run folder {folder.path}: {error.strerror}"
            ) from error
        return folder

    def write_run(self, run: Run) -> None:
        """Replace `run.json` in one step."""
        text = json.dumps(asdict(run), indent=1, ensure_ascii=False)
        write_whole(self.path / RUN_FILE, text + "\n")

    def append(self, record: Record) -> None:
        """Add one record; it is on disk when this returns."""
        with (self.path / RECORDS_FILE).open("ab") as file:
            file.write(record.to_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def cut_torn_line(self) -> None:
        """Drop what a killed parent left of its last line."""
        path = self.path / RECORDS_FILE
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def seal(self, run: Run) -> None:
        """Write the records as Parquet, one row a sample, and mark the run as finished."""
        import pyarrow
        import pyarrow.parquet

        rows = [row for record in read_records(self.path) for row in _flat(record)]
        partial = self.path / f".{SEALED_FILE}"
        # The types are stated, as a run without figures, or of whole numbers only, would change them.
        text = dict.fromkeys(_TEXT_COLUMNS, pyarrow.string())
        whole = {"sample": pyarrow.int64(), "process": pyarrow.int64()}
        real = {
            "duration_s": pyarrow.float64(),
            "value": pyarrow.float64(),
            "series": pyarrow.list_(pyarrow.float64()),
        }
        table = pyarrow.Table.from_pylist(rows, pyarrow.schema(text | whole | real))
        pyarrow.parquet.write_table(table, partial)
        partial.replace(self.path / SEALED_FILE)
        self.write_run(run)


@dataclass(frozen=True, slots=True)
class Duration:
    """Of a record, what an estimate needs."""

    cell: Cell
    duration_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Of a record, which cell it is of."""

    cell: Cell


def load(path: Path) -> tuple[Run, list[Record]]:
    """A run and its records, as `load_run` and `read_records` give them. Raises StoreError."""
    return load_run(path), list(read_records(path))


def load_run(path: Path) -> Run:
    """A run without its records; one that has fewer than were planned is not finished, whatever it says.

    Raises StoreError that names the file and the reason.
    """
    run = RUN.read(path / RUN_FILE)
    if run.finished and run.planned_cells is not None and _cells(path) < run.planned_cells:
        return replace(run, finished="")
    return run


def _cells(path: Path) -> int:
    """How many cells have a record in that folder."""
    return len({RECORD.glance(line, at, Measured).cell.key for line, at in _lines(path)})


def read_records(path: Path) -> Iterator[Record]:
    """The records of a run folder, oldest first; a torn last line is passed over.

    Raises StoreError for a damaged line elsewhere, and where the records cannot be read.
    """
    return (RECORD.parse(line, where) for line, where in _lines(path))


def durations(folders: Iterable[Path], warn: Warn) -> list[Duration]:
    """How long the cells of these runs took; a run that cannot be read is passed over, and named."""
    found: list[Duration] = []
    for folder in folders:
        try:
            found += [RECORD.glance(line, where, Duration) for line, where in _lines(folder)]
        except StoreError as error:
            warn(f"a run was passed over: {error}")
    return found


def _lines(path: Path) -> Iterator[tuple[bytes, str]]:
    """The whole lines of a folder's records, and what to call each of them in an error."""
    file = path / RECORDS_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        yield line, f"{file}, line {number}"


def run_folders(results: Path) -> list[Path]:
    """All run folders under `results`, oldest first, those of `published/` before the others."""
    published = sorted(path.parent for path in results.glob(f"published/*/{RUN_FILE}"))
    return published + sorted(path.parent for path in results.glob(f"*/{RUN_FILE}"))


def find(name: str, results: Path) -> Path:
    """The folder of a run: a path, a run id or its unique beginning, or `latest`.

    Raises StoreError that lists the runs there are.
    """
    direct = Path(name)
    if (direct / RUN_FILE).is_file():
        return direct
    folders = run_folders(results)
    if name == "latest" and folders:
        return max(folders, key=lambda folder: folder.name)
    found = [folder for folder in folders if folder.name.startswith(name)]
    exact = [folder for folder in found if folder.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    known = ", ".join(folder.name for folder in folders) or "none yet: `firstbyte run` makes one"
    problem = "is ambiguous" if found else "does not exist"
    raise StoreError(f"run '{name}' {problem} (runs: {known})")


def find_unfinished(results: Path, plan_fingerprint: str, warn: Warn) -> Path | None:
    """The newest run of that plan that was not finished, or None.

    A run that cannot be read is passed over, and named.
    """
    for folder in reversed(run_folders(results)):
        try:
            run = load_run(folder)
        except StoreError as error:
            warn(f"a run was passed over: {error}")
            continue
        if not run.finished and run.plan_fingerprint == plan_fingerprint:
            return folder
    return None


def _flat(record: Record) -> Iterator[dict[str, Any]]:
    cell = record.cell
    common = {
        "run_id": record.run_id,
        "cell": str(cell.key),
        **cell.key._asdict(),
        "params": json.dumps(dict(cell.params), sort_keys=True),
        "status": record.status.value,
        "reason": record.reason,
        "versions": json.dumps(dict(record.versions), sort_keys=True),
        "started": record.started,
        "duration_s": record.duration_s,
    }
    if not any(sample.values or sample.series for sample in record.samples):
        yield {**common, "sample": -1}
    for number, sample in enumerate(record.samples):
        for metric, value in sample.values.items():
            yield {
                **common,
                "sample": number,
                "process": sample.process,
                "metric": metric,
                "value": float(value),
            }
        for metric, series in sample.series.items():
            yield {
                **common,
                "sample": number,
                "process": sample.process,
                "metric": metric,
                "series": [float(figure) for figure in series],
            }
