"""Every planted fault becomes the right status with a reason that names it, and the run goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from conftest import Cli

from firstbyte.engine import cells, session, store
from firstbyte.engine.locate import NotFound
from firstbyte.engine.plan import Axes
from firstbyte.model import Limits, Record, Run, Status

# One process makes the records that most of these tests look at.
pytestmark = pytest.mark.xdist_group("faults")

AT_ONCE: dict[str, tuple[Status, str]] = {
    "missing_library": (
        Status.ERROR,
        "ModuleNotFoundError: No module named 'no_such_library_is_installed'",
    ),
    "segfault": (Status.CRASHED, "killed by SIGSEGV"),
    "abort": (Status.CRASHED, "killed by SIGABRT"),
    "failed_allocation": (Status.OUT_OF_MEMORY, "killed by SIGABRT: an allocation failed"),
    "error_in_open": (Status.ERROR, "FileNotFoundError: planted in open"),
    "error_in_next": (Status.ERROR, "ValueError: planted in next"),
    "panic": (Status.ERROR, "PanicException: called `Option::unwrap()` on a `None` value"),
    "memory_error": (Status.OUT_OF_MEMORY, "MemoryError: cannot allocate 9 exabytes"),
    "over_limit": (Status.OUT_OF_MEMORY, "is over the limit of 300 MB"),
    "exit_3": (Status.CRASHED, "exited with code 3 without a result"),
    "system_exit": (Status.CRASHED, "exited with code 4 without a result"),
    "exit_0": (Status.CRASHED, "exited with code 0 without a result"),
    "undecodable_message": (Status.ERROR, "ValueError: in the file ??.parquet"),
    "wrong_value": (Status.WRONG, "shard 0, column 'number', row "),
    "one_row_less": (Status.WRONG, "row count mismatch, expected 3000, got 2999"),
    "one_row_less_in_digests": (Status.WRONG, "row count mismatch, expected 3000, got 2997"),
    "swapped_columns": (
        Status.WRONG,
        "column mismatch, expected the order 'text', 'number', got 'number', 'text'",
    ),
    "swapped_values": (
        Status.WRONG,
        "row 0: expected 'shard 0, row 0: grüße' (string), got 0 (int64)",
    ),
    "no_batches": (Status.WRONG, "row count mismatch, expected 3000, got 0"),
    "prints": (Status.OK, ""),
    "prints_a_lot": (Status.ERROR, "ValueError: after 2 MB of complaints"),
    "no_versions": (Status.ERROR, "no version, no measurement"),
    "refused": (Status.ERROR, "a debug build says nothing about speed"),
    "unsupported_in_open": (Status.SKIPPED, "cannot read columns of planted type"),
    "unsupported_in_prepare": (Status.SKIPPED, "cannot write columns of planted type"),
    "error_in_prepare": (Status.ERROR, "while preparing the corpus: OSError: planted in prepare"),
    "closes_protocol": (Status.CRASHED, "exited with code 1 without a result"),
    "garbage_on_protocol": (Status.ERROR, "broke the protocol with 'this is no JSON'"),
    "leaves_child": (Status.OK, ""),
    "leaves_fork": (Status.OK, ""),
    "restless": (Status.SUSPECT, "went on after span 2, outside any"),
    "spinning": (Status.OK, ""),
}
HANGS = {
    "hang_in_next": (Status.TIMEOUT, "no end after 600 s"),
    "hang_at_exit": (Status.TIMEOUT, "work done, but no exit after 600 s"),
}
MARKED = "<script>alert(1)<script>"


class Measured:
    """A run of the command line over planted faults, with the sound backend last."""

    def __init__(self, done: CompletedProcess[str], folder: Path) -> None:
        self.done = done
        self.run: Run
        records: list[Record]
        self.run, records = store.load(store.find("latest", folder / "results"))
        self.records = {f"{r.cell.backend}:{r.cell.variant}": r for r in records}
        self.order = list(self.records)
        (report,) = (folder / "reports").glob("*.html")
        self.html = report.read_text(encoding="utf-8")

    def __getitem__(self, variant: str) -> Record:
        return self.records[f"faulty:{variant}"]


def measured(cli: Cli, folder: Path, corpus: str, backends: list[str], *options: str) -> Measured:
    chosen = [word for name in backends for word in ("-b", name)]
    folders = ["--results", str(folder / "results"), "--reports", str(folder / "reports")]
    return Measured(cli("run", "-c", corpus, *chosen, *options, *folders), folder)


@pytest.fixture(scope="module")
def scans(cli: Cli, tiny_corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    backends = [f"faulty:{variant}" for variant in AT_ONCE] + [MARKED, "sound"]
    options = ["-s", "full_scan", "-i", "clock", "--memory-limit", "300MB"]
    return measured(cli, tmp_path_factory.mktemp("scans"), tiny_corpus, backends, *options)


@pytest.mark.parametrize("fault", AT_ONCE)
def test_the_fault_is_named(scans: Measured, fault: str) -> None:
    status, reason = AT_ONCE[fault]
    record = scans[fault]
    assert (record.status, reason in record.reason) == (status, True), record
    assert bool(record.reason) == bool(reason)


def test_the_run_goes_on_to_its_end(scans: Measured) -> None:
    assert scans.order == [
        *(f"faulty:{variant}" for variant in AT_ONCE),
        f"{MARKED}:<i>plain",
        "sound:default",
    ]
    assert scans.records["sound:default"].status is Status.OK
    assert scans.records["sound:default"].samples
    assert scans.run.finished
    assert scans.done.returncode == 1, "a failed cell must show in the exit code"
    assert "Traceback" not in scans.done.stderr


def test_what_a_worker_said_is_kept_within_bounds(scans: Measured) -> None:
    assert "x" * 1000 in scans["prints_a_lot"].stderr_tail
    assert len(scans["prints_a_lot"].stderr_tail) <= 4096
    assert "Segmentation fault" in scans["segfault"].stderr_tail
    assert "planted in next" in scans["error_in_next"].stderr_tail


@pytest.mark.parametrize("fault", ["leaves_child", "leaves_fork"])
def test_processes_left_behind_are_killed(
    scans: Measured, cli_environ: dict[str, str], fault: str
) -> None:
    pid = int((Path(cli_environ["FAULTY_NOTES"]) / fault).read_text())
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_alive_sees_a_process() -> None:
    assert alive(os.getpid())


def test_failures_stand_in_table_and_report(scans: Measured) -> None:
    for fault in ("segfault", "over_limit", "wrong_value"):
        status, reason = AT_ONCE[fault]
        assert f"{status} faulty:{fault}" in scans.done.stdout
        assert reason in scans.html.replace("&#39;", "'")


def test_a_backends_words_cannot_become_markup(scans: Measured) -> None:
    record = scans.records[f"{MARKED}:<i>plain"]
    assert record.status is Status.OK, record
    for number in range(1, 6):
        assert f"<script>alert({number})" not in scans.html
    assert "<img src=x" not in scans.html
    assert "&lt;script&gt;alert(1)" in scans.html
    assert MARKED in scans.done.stdout


def records(
    corpus: str,
    scenario: str,
    params: dict[str, str],
    backends: list[str],
    limits: Limits,
    processes: int = 1,
    instrument: str = "clock",
) -> dict[str, Record]:
    """The cells' records without a command line and a report around them."""
    workshop = session.open_session(
        Axes(
            scenarios=(scenario,),
            backends=backends,
            instruments=(instrument,),
            corpora=(corpus,),
            params={name: (value,) for name, value in params.items()},
            profile="full",
            limits=limits,
        )
    )
    planned = [
        replace(one, warmup_processes=0, cell=replace(one.cell, processes=processes))
        for one in workshop.plan.cells
    ]
    engine = workshop.engine("faults")
    return {
        f"{record.cell.backend}:{record.cell.variant}": record for record in engine.records(planned)
    }


AMPLE = Limits(timeout_s=600.0, memory_bytes=300_000_000)


@pytest.fixture(scope="module")
def here(cli_environ: dict[str, str]) -> Iterator[None]:
    """This process sees the planted backends."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "FIRSTBYTE_PLUGINS", "FAULTY_NOTES"):
            patch.setenv(name, cli_environ[name])
        yield


@contextmanager
def clock_that_jumps(cli_environ: dict[str, str]) -> Iterator[None]:
    """A hang takes longer than any limit: the parent's clock jumps on as soon as a worker hangs."""
    noted = Path(cli_environ["FAULTY_NOTES"]) / "hangs"
    real = time.monotonic_ns

    def jumping() -> int:
        hanging = noted.stat().st_size if noted.exists() else 0
        return real() + hanging * int(2 * AMPLE.timeout_s * 1e9)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic_ns", jumping)
        yield


@pytest.fixture(scope="module")
def hangs(here: None, tiny_corpus: str, cli_environ: dict[str, str]) -> dict[str, Record]:
    with clock_that_jumps(cli_environ):
        backends = [f"faulty:{variant}" for variant in HANGS]
        return records(tiny_corpus, "full_scan", {}, backends, AMPLE)


@pytest.mark.parametrize("fault", HANGS)
def test_a_hang_is_ended(hangs: dict[str, Record], fault: str) -> None:
    status, reason = HANGS[fault]
    record = hangs[f"faulty:{fault}"]
    assert (record.status, reason in record.reason) == (status, True), record


def test_a_hang_leaves_the_stack_on_record(hangs: dict[str, Record]) -> None:
    assert "in hang_in_next" in hangs["faulty:hang_in_next"].stderr_tail


def test_a_fault_in_a_later_process_says_in_which(here: None, tiny_corpus: str) -> None:
    got = records(
        tiny_corpus, "full_scan", {}, ["faulty:second_process", "sound"], AMPLE, processes=2
    )
    late = got["faulty:second_process"]
    assert late.status is Status.ERROR
    assert late.reason == "RuntimeError: planted in the second process (process 2 of 2)"
    assert len(late.samples) == 1, "what the first process gave is kept"
    assert len(got["sound:default"].samples) == 2


def test_a_wrong_first_value_is_wrong(here: None, tiny_corpus: str) -> None:
    backends = ["faulty:wrong_first_value", "faulty:no_batches", "sound"]
    params = {"start": "reopened", "cache": "warm"}
    got = records(tiny_corpus, "time_to_first_byte", params, backends, AMPLE)
    wrong = got["faulty:wrong_first_value"]
    assert wrong.status is Status.WRONG
    assert wrong.reason == (
        "shard 0: first value mismatch, expected 'shard 0, row 0: grüße',"
        " got 'shard 0, row 1: grüße'"
    )
    nothing = got["faulty:no_batches"]
    assert nothing.status is Status.ERROR
    assert "the reader ended before its first batch" in nothing.reason
    assert got["sound:default"].status is Status.OK


def test_wrong_only_in_company_is_wrong(
    here: None, tiny_corpus: str, cli_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A reader that is looked into alone would wait for its company.
    monkeypatch.setattr(cells, "locate", lambda *_: NotFound.NOT_AGAIN)
    fault = "faulty:wrong_together"
    company = Path(cli_environ["FAULTY_NOTES"]) / "company"
    company.write_text("..")
    for mode in ("threads", "processes"):
        params = {"mode": mode, "readers": "2"}
        got = records(tiny_corpus, "concurrent_reads", params, [fault], AMPLE)[fault]
        assert (got.status, "digest mismatch" in got.reason) == (Status.WRONG, True), got
        assert got.reason.endswith("; the difference did not show again in a process of its own")
    company.write_text(".")
    params = {"mode": "threads", "readers": "1"}
    alone = records(tiny_corpus, "concurrent_reads", params, [fault], AMPLE)[fault]
    assert alone.status is Status.OK, "the planted fault must need company"


IN_READER_PROCESSES: dict[str, tuple[Status, str]] = {
    "reader_segfault": (Status.CRASHED, "killed by SIGSEGV"),
    "reader_exit_3": (Status.ERROR, "a reader process ended with exit code 3"),
    "reader_unsupported": (Status.SKIPPED, "cannot be read in a process of its own"),
    "reader_memory_error": (Status.OUT_OF_MEMORY, "MemoryError: cannot allocate 9 exabytes"),
    "reader_over_limit": (Status.OUT_OF_MEMORY, "is over the limit of 300 MB"),
    "reader_error_in_next": (Status.ERROR, "ValueError: planted in next"),
}


@pytest.fixture(scope="module")
def reader_faults(here: None, tiny_corpus: str) -> dict[str, Record]:
    backends = [f"faulty:{variant}" for variant in IN_READER_PROCESSES] + ["sound"]
    params = {"mode": "processes", "readers": "2"}
    return records(tiny_corpus, "concurrent_reads", params, backends, AMPLE)


@pytest.mark.parametrize("fault", IN_READER_PROCESSES)
def test_a_fault_in_a_reader_process_is_named(reader_faults: dict[str, Record], fault: str) -> None:
    status, reason = IN_READER_PROCESSES[fault]
    record = reader_faults[f"faulty:{fault}"]
    assert (record.status, reason in record.reason) == (status, True), record
    assert reader_faults["sound:default"].status is Status.OK


IN_HOT_PATHS: dict[str, tuple[Status, str]] = {
    "segfault": (Status.CRASHED, "killed by SIGSEGV"),
    "failed_allocation": (Status.OUT_OF_MEMORY, "killed by SIGABRT: an allocation failed"),
    "memory_error": (Status.OUT_OF_MEMORY, "MemoryError: cannot allocate 9 exabytes"),
    "over_limit": (Status.OUT_OF_MEMORY, "is over the limit of 300 MB"),
    "system_exit": (Status.CRASHED, "exited with code 4 without a result"),
    "panic": (Status.ERROR, "PanicException: called `Option::unwrap()` on a `None` value"),
    "error_in_next": (Status.ERROR, "ValueError: planted in next"),
    "unsupported_in_open": (Status.SKIPPED, "cannot read columns of planted type"),
    "no_versions": (Status.ERROR, "no version, no measurement"),
    "one_row_less": (Status.WRONG, "row count mismatch, expected 3000, got 2999"),
    "no_batches": (Status.WRONG, "row count mismatch, expected 3000, got 0"),
    "wrong_value": (Status.WRONG, "shard 0, column 'number', row "),
}


def hot_path(corpus: str, path: str, backends: list[str], limits: Limits) -> dict[str, Record]:
    chosen = {"path": path}
    return records(corpus, "hot_paths", chosen, backends, limits, instrument="pytest_benchmark")


@pytest.fixture(scope="module")
def hot_path_faults(here: None, tiny_corpus: str) -> dict[str, Record]:
    backends = [f"faulty:{variant}" for variant in IN_HOT_PATHS]
    return hot_path(tiny_corpus, "reopen_first_batch", backends, AMPLE)


@pytest.mark.parametrize("fault", IN_HOT_PATHS)
def test_a_fault_under_pytest_benchmark_is_named(
    hot_path_faults: dict[str, Record], fault: str
) -> None:
    status, reason = IN_HOT_PATHS[fault]
    record = hot_path_faults[f"faulty:{fault}"]
    assert (record.status, reason in record.reason) == (status, True), record


def test_a_hang_under_pytest_benchmark_is_ended(
    here: None, tiny_corpus: str, cli_environ: dict[str, str]
) -> None:
    with clock_that_jumps(cli_environ):
        got = hot_path(tiny_corpus, "next_batch", ["faulty:hang_in_next"], AMPLE)
    (record,) = got.values()
    assert (record.status, record.reason) == (Status.TIMEOUT, "no end after 600 s")
    assert "in hang_in_next" in record.stderr_tail


@pytest.mark.parametrize("path", ["reopen_first_batch", "next_batch", "first_value"])
def test_a_sound_backend_gives_its_rounds(here: None, tiny_corpus: str, path: str) -> None:
    got = hot_path(tiny_corpus, path, ["sound", "faulty:one_row_less"], AMPLE)
    sound = got["sound:default"]
    assert sound.status is Status.OK, sound
    assert len(sound.samples) >= 20
    assert all(list(sample.values) == ["call_ns"] for sample in sound.samples)
    assert all(sample.values["call_ns"] > 0 for sample in sound.samples)
    assert got["faulty:one_row_less"].status is Status.WRONG


def test_a_wrong_first_value_in_the_timed_call_is_wrong(here: None, tiny_corpus: str) -> None:
    got = hot_path(tiny_corpus, "first_value", ["faulty:wrong_first_value"], AMPLE)
    (record,) = got.values()
    assert (record.status, "first value mismatch" in record.reason) == (Status.WRONG, True), record
