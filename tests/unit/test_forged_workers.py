"""Workers that forge, flood and close their protocol: each ends as a record that can be kept."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_fixtures import (
    LIMITS,
    backend_info,
    catalogue,
    fake_scenario,
    manifest,
    run_of,
    scenario_info,
)
from test_protocol import FORGED, sample

from firstbyte.api import Repetitions
from firstbyte.engine import launch
from firstbyte.engine.cells import Engine
from firstbyte.engine.plan import Axes, make_plan
from firstbyte.engine.registry import InstrumentInfo
from firstbyte.engine.store import RunFolder, load
from firstbyte.model import Environment, Limits, Record, Status

CORPUS = manifest(rows=(3, 2), first_values=("one", "two"))
PREPARED = [
    {"event": "prepared", "shards": ["p0", "p1"]},
    {"event": "versions", "versions": {"fake": "1"}},
    {"event": "done"},
]
WITHOUT_SPAN = {"begin_ns": 0, "end_ns": 0}
GOOD = [
    sample(**WITHOUT_SPAN),
    b'{"event": "rows", "shard": 0, "rows": 3}',
    b'{"event": "measured"}',
    b'{"event": "digest", "shard": 0, "rows": 3, "asked": ["text"], "columns": {"text": "text-digest-0"}}',
    b'{"event": "versions", "versions": {"fake": "1"}}',
    b'{"event": "done"}',
]
Run = Callable[..., Record]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a cell whose workers are a shell script; the record has been on disk."""

    def measured(
        script: str, *, instrument: str = "clock", limits: Limits = LIMITS, says: list[bytes] = GOOD
    ) -> Record:
        (tmp_path / "says").write_bytes(b"".join(line + b"\n" for line in says))
        (tmp_path / "prepared").write_text("\n".join(map(json.dumps, PREPARED)) + "\n")
        python = tmp_path / "python"
        python.write_text(
            "#!/bin/sh\n"
            f"cd {shlex.quote(str(tmp_path))}\n"
            "read -r order\n"
            'case "$order" in *\'"task": "prepare"\'*) cat prepared; exit 0;; esac\n'
            f"{script}\n"
        )
        python.chmod(0o755)
        module = fake_scenario(repetitions=lambda *_: Repetitions(1, 1))
        known = catalogue([backend_info("fake")], [scenario_info("scan_all", module, tmp_path)])
        here = Environment("forged", str(python), "")
        (planned,) = make_plan(known, Axes(corpora=("fake",), limits=limits), here).cells
        name = f"firstbyte.worker.instruments.{instrument}"
        planned = replace(planned, instrument=InstrumentInfo(instrument, Path(), name))
        record = Engine("run-1", here, [], {"fake": CORPUS}, tmp_path / "cache").record(planned)
        folder = RunFolder.create(tmp_path / "results", run_of("run-1"))
        folder.append(record)
        (back,) = load(folder.path)[1]
        assert back == record
        return record

    return measured


def test_an_honest_script_is_ok(run: Run) -> None:
    assert run("cat says").status is Status.OK


def test_a_sample_of_a_span_that_nobody_saw_is_suspect(run: Run) -> None:
    record = run("cat says", says=[sample(), *GOOD[1:]])
    assert record.status is Status.SUSPECT
    assert record.reason == "sample 1 is of a span that nobody saw"


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_line_is_an_error(run: Run, kind: str) -> None:
    line, problem = FORGED[kind]
    record = run("cat says; sleep 600", says=[*GOOD[:2], line, *GOOD[2:]])
    assert record.status is Status.ERROR
    assert record.reason.startswith("broke the protocol with ")
    assert problem in record.reason


def test_a_shard_that_the_corpus_does_not_have_is_an_error(run: Run) -> None:
    line = b'{"event": "rows", "shard": 2, "rows": 3}'
    record = run("cat says", says=[line, *GOOD])
    assert record.status is Status.ERROR
    assert "shard is 2, but there are 2" in record.reason


def test_a_sample_after_the_last_is_an_error(run: Run) -> None:
    """What a worker does once it has said that all is measured must be in no figure."""
    record = run("cat says", says=[*GOOD[:3], sample(), *GOOD[3:]])
    assert record.status is Status.ERROR
    assert "a sample after all was measured" in record.reason


def test_a_sample_that_its_instrument_cannot_use_is_an_error(run: Run) -> None:
    record = run("cat says", instrument="proc_memory")
    assert record.status is Status.ERROR
    assert "its instrument cannot use it: KeyError: 'base_rss_anon_bytes'" in record.reason


def test_a_line_without_end_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "LONGEST_LINE_BYTES", 2_000_000)
    record = run("head -c 3000000 /dev/zero; sleep 600")
    assert record.status is Status.ERROR
    assert record.reason == "broke the protocol with a line of more than 2 MB"


def test_a_line_in_many_pieces_is_one_line(run: Run) -> None:
    long = sample(series={"live_bytes": [1] * 100_000}, **WITHOUT_SPAN)
    record = run("cat says", says=[long, *GOOD[1:]])
    assert (record.status, record.reason) == (Status.OK, "")
    assert len(record.samples[0].series["live_bytes"]) == 100_000


def test_a_reason_is_kept_within_bounds(run: Run) -> None:
    line = json.dumps({"event": "failed", "kind": "error", "reason": "x" * 100_000}).encode()
    record = run("cat says", says=[line])
    assert record.status is Status.ERROR
    assert record.reason == "x" * 4096


def test_a_real_time_signal_has_a_number(run: Run) -> None:
    record = run("kill -36 $$; sleep 600")
    assert (record.status, record.reason) == (Status.CRASHED, "killed by signal 36")


def test_the_memory_limit_holds_once_the_protocol_is_closed(run: Run) -> None:
    eat = "import time; kept = bytearray(b'x') * 300_000_000; time.sleep(600)"
    script = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(eat)} >&-"
    record = run(script, limits=Limits(timeout_s=600.0, memory_bytes=100_000_000))
    assert record.status is Status.OUT_OF_MEMORY
    assert "is over the limit of 100 MB" in record.reason


def test_an_overdue_worker_has_the_time_to_say_where_it_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent's clock jumps past the limit once the worker hangs; what it says then takes a while."""
    real = time.monotonic_ns
    after_ns = int(2e9 * LIMITS.timeout_s)
    monkeypatch.setattr(
        time, "monotonic_ns", lambda: real() + after_ns * (tmp_path / "hangs").exists()
    )
    monkeypatch.setattr(launch, "TRACEBACK_GRACE_SECONDS", 600.0)
    says = "sleep 1; echo Current thread 0x1: in a trap >&2; trap - USR2; kill -USR2 $$"
    record = run(f"trap '{says}' USR2; touch hangs; while :; do sleep 0.01; done")
    assert (record.status, record.reason) == (Status.TIMEOUT, "no end after 600 s")
    assert "in a trap" in record.stderr_tail


def test_processes_that_are_observed_again_and_again_take_no_files(run: Run) -> None:
    own = len(list(Path("/proc/self/fd").iterdir()))
    lines = [json.dumps({"event": "observe", "pids": [os.getpid()] * 200}).encode()] * 20
    record = run("cat says", instrument="proc_memory", says=lines)
    assert record.status is Status.CRASHED
    assert record.reason == "exited with code 0 without a result"
    assert len(list(Path("/proc/self/fd").iterdir())) == own
