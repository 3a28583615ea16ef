"""Runs pytest-benchmark once for each backend and variant and turns its JSON into records."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstbyte.engine.execute import Executor
from firstbyte.engine.plan import Planned
from firstbyte.model import SCHEMA_VERSION, Cell, Record, Sample, Status
from firstbyte.worker.order import MEASURE, Order

INSTRUMENT = "pytest_benchmark"
SCENARIO = "hot_paths"
BENCHMARKS = Path(__file__).with_name("hot_paths.py")
STDOUT_TAIL_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class PytestRun:
    """How one pytest process ended; `report` is pytest-benchmark's JSON, None where it wrote none."""

    report: Mapping[str, Any] | None
    output: str
    reason: str
    duration_s: float


def measure(executor: Executor, planned: Planned) -> Iterator[Record]:
    """One record for each hot path of this backend and variant, whatever happens to its pytest."""
    paths = [str(value) for value in planned.scenario.module.GRID["path"]]
    cells = [replace(planned.cell, params={"path": path}) for path in paths]
    if planned.skipped:
        for cell in cells:
            yield _record(executor.run_id, cell, Status.SKIPPED, planned.skipped)
        return
    preparation = executor.prepare(planned)
    if preparation.status is not Status.OK:
        for cell in cells:
            yield _record(executor.run_id, cell, preparation.status, preparation.reason)
        return
    order = executor.order(planned, MEASURE, preparation.prepared)
    first_value = executor.manifests[planned.cell.corpus].shards[0].first_value
    ran = run_pytest(executor, order, "" if first_value is None else repr(first_value))
    yield from import_report(executor.run_id, cells, ran)


def run_pytest(executor: Executor, order: Order, first_value: str) -> PytestRun:
    """pytest with the benchmarks of one backend in a process of its own, within the time limit."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "benchmark.json"
        command = [
            *(executor.environment.python, "-P", "-m", "pytest", str(BENCHMARKS)),
            *("--benchmark-only", f"--benchmark-json={target}", "--benchmark-save-data"),
            *("--benchmark-disable-gc", "--benchmark-min-rounds=20", "--benchmark-max-time=0.5"),
            *("-q", "-p", "no:cacheprovider", f"--rootdir={BENCHMARKS.parent}", "-c", os.devnull),
        ]
        environ = {
            **os.environ,
            "PYTHONPATH": executor.environment.root,
            "FIRSTBYTE_ORDER": order.to_json(),
            "FIRSTBYTE_FIRST_VALUE": first_value,
        }
        reason = ""
        try:
            done = subprocess.run(
                command,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=order.cell.limits.timeout_s,
                check=False,
            )
            output = done.stdout
            if done.returncode:
                reason = f"pytest ended with exit code {done.returncode}"
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode("utf-8", "replace")
            reason = f"no end after {order.cell.limits.timeout_s:g} s"
        report = json.loads(target.read_text(encoding="utf-8")) if _has_text(target) else None
    return PytestRun(report, output, reason, time.monotonic() - began)


def import_report(run_id: str, cells: Sequence[Cell], ran: PytestRun) -> Iterator[Record]:
    """The records of one pytest-benchmark report; a path that it does not hold is an ERROR."""
    entries = {entry["name"]: entry for entry in (ran.report or {}).get("benchmarks", ())}
    for cell in cells:
        entry = entries.get(f"test_{cell.params['path']}")
        if entry is None or entry["stats"]["rounds"] == 0:
            failure = ran.reason or "pytest-benchmark reported no such path"
            yield _record(run_id, cell, Status.ERROR, failure, stderr_tail=ran.output)
            continue
        versions = dict(entry["extra_info"]["versions"])
        if not versions:
            reason = "the backend states no version: no version, no measurement"
            yield _record(run_id, cell, Status.ERROR, reason)
            continue
        samples = tuple(Sample({"call_ns": seconds * 1e9}) for seconds in entry["stats"]["data"])
        yield replace(
            _record(run_id, cell, Status.OK, ""),
            versions=versions,
            samples=samples,
            duration_s=ran.duration_s / len(cells),
        )


def _record(run_id: str, cell: Cell, status: Status, reason: str, stderr_tail: str = "") -> Record:
    return Record(
        schema=SCHEMA_VERSION,
        run_id=run_id,
        cell=cell,
        versions={},
        status=status,
        reason=reason,
        samples=(),
        stderr_tail=stderr_tail[-STDOUT_TAIL_CHARACTERS:],
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_s=0.0,
    )


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
