"""Workers die with their parent; a run that was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from firstbyte.engine import store
from firstbyte.model import Record, Status

ONE_CELL = ("-b", "sound", "-s", "full_scan", "-i", "clock")


def workers_of(cache_home: Path) -> list[int]:
    """Processes of this test's cache: workers, and the readers that they started."""
    mark = f"XDG_CACHE_HOME={cache_home}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            command = (process / "cmdline").read_bytes()
            environ = (process / "environ").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        worker = b"firstbyte.worker" in command or b"multiprocessing" in command
        if worker and mark in environ and state != "Z":
            found.append(int(process.name))
    return found


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; how long that may take is for the test's own time limit to say."""
    while not condition():
        time.sleep(0.01)


@pytest.fixture
def cache_of_its_own(tmp_path: Path) -> Path:
    return tmp_path / "cache-of-its-own"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where planted faults say how far they are, and are told to go on."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def noted(notes: Path, name: str) -> int:
    path = notes / name
    return path.stat().st_size if path.exists() else 0


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(cli_environ: dict[str, str], cache_of_its_own: Path, notes: Path) -> Iterator[Start]:
    """Starts `firstbyte`; whatever is left of it is ended after the test."""
    started: list[subprocess.Popen[str]] = []
    own = {"XDG_CACHE_HOME": str(cache_of_its_own), "FAULTY_NOTES": str(notes)}

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "firstbyte", *arguments],
            env=cli_environ | own,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
    for pid in workers_of(cache_of_its_own):
        os.kill(pid, signal.SIGKILL)


HANGING = {
    "a worker": (["-b", "faulty:hang_in_next", "-s", "full_scan", "-i", "clock"], 1, 1),
    "reader processes": (
        [
            *("-b", "faulty:reader_hang_in_next", "-s", "concurrent_reads", "-i", "clock"),
            *("-p", "mode=processes", "-p", "readers=2", "--full"),
        ],
        3,
        2,
    ),
}
"""Options, how many processes there are at last, and how many of them hang."""


@pytest.mark.parametrize("moment", ["as they start", "at work"])
@pytest.mark.parametrize("kind", HANGING)
def test_no_worker_outlives_its_parent(
    start: Start,
    cache_of_its_own: Path,
    notes: Path,
    tiny_corpus: str,
    tmp_path: Path,
    kind: str,
    moment: str,
) -> None:
    options, processes, hanging = HANGING[kind]
    folders = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    parent = start("run", "-c", tiny_corpus, *options, *folders)
    until(lambda: len(workers_of(cache_of_its_own)) >= processes)
    if moment == "at work":
        until(lambda: noted(notes, "hangs") == hanging)
    assert parent.poll() is None
    parent.kill()
    parent.wait()
    until(lambda: not workers_of(cache_of_its_own))


def test_ctrl_c_is_one_line(
    start: Start, cache_of_its_own: Path, tiny_corpus: str, tmp_path: Path
) -> None:
    options, *_ = HANGING["a worker"]
    folders = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    parent = start("run", "-c", tiny_corpus, *options, *folders)
    until(lambda: bool(workers_of(cache_of_its_own)))
    parent.send_signal(signal.SIGINT)
    _, stderr = parent.communicate()
    assert stderr.strip() == "firstbyte: interrupted; `--resume` goes on with a run"
    assert parent.returncode == 130
    assert not workers_of(cache_of_its_own)


def test_a_killed_run_goes_on_and_has_every_cell_once(
    start: Start, notes: Path, tiny_corpus: str, tmp_path: Path
) -> None:
    """Killed as soon as its folder is there, between or within cells, and within one for certain."""
    results = tmp_path / "results"
    arguments = [
        *("run", "-c", tiny_corpus, "-b", "faulty:waits", "-s", "concurrent_reads", "-i", "clock"),
        *("-p", "mode=threads", "-s", "time_to_first_byte", "-p", "start=reopened", "--full"),
        *("--results", str(results), "--reports", str(tmp_path / "reports")),
    ]
    stdout, _ = start(*arguments, "--dry-run").communicate()
    planned = [line.split()[0] for line in stdout.splitlines()[:-1]]

    def records() -> list[Record]:
        return [record for folder in store.run_folders(results) for record in store.load(folder)[1]]

    def let_in(more: int) -> None:
        (notes / "let in").write_text("." * (noted(notes, "waiting") + more))

    moments = (
        lambda: bool(store.run_folders(results)),
        lambda: len(records()) > kept[-1] + 1,
        lambda: noted(notes, "waiting") > noted(notes, "let in"),
    )
    resume: list[str] = []
    kept: list[int] = []
    cell = 3  # processes
    for allowed, moment in zip((0, 3 * cell, cell + 1), moments, strict=True):
        let_in(allowed)
        parent = start(*arguments, *resume)
        until(lambda moment=moment, parent=parent: moment() or parent.poll() is not None)
        assert parent.poll() is None, "over before it was killed"
        parent.kill()
        parent.communicate()
        assert len(records()) >= (kept[-1] if kept else 0), "a record once made is never lost"
        kept.append(len(records()))
        resume = ["--resume"]
    assert 0 < kept[1] < kept[2] < len(planned)
    let_in(cell * len(planned))
    parent = start(*arguments, *resume)
    _, stderr = parent.communicate()
    assert parent.returncode == 0, stderr
    told, *progress = stderr.splitlines()
    assert told.startswith("firstbyte: going on with run "), stderr
    assert f"{kept[-1]} of {len(planned)} cells" in told
    assert all(line.startswith("[") for line in progress), stderr
    (folder,) = store.run_folders(results)
    run, made = store.load(folder)
    assert run.finished
    keys = [str(record.cell.key) for record in made]
    assert keys == planned
    assert {record.status for record in made} == {Status.OK}
    assert (folder / store.SEALED_FILE).is_file()
    assert len(progress) == len(planned) - kept[-1], "the last command measured only what was left"


def test_resume_without_a_run_says_so(cli: Cli, tiny_corpus: str, tmp_path: Path) -> None:
    done = cli("run", "-c", tiny_corpus, *ONE_CELL, "--resume", "--results", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        f"firstbyte: no unfinished run of these cells in {tmp_path};"
        " run the command without --resume\n"
    )


def test_resume_on_another_host_or_library_is_refused(
    cli: Cli, tiny_corpus: str, tmp_path: Path
) -> None:
    folders = ["--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    arguments = ["run", "-c", tiny_corpus, *ONE_CELL, *folders]
    assert cli(*arguments).returncode == 0
    (folder,) = store.run_folders(tmp_path / "results")
    whole = json.loads((folder / "run.json").read_text())
    for field, name, reason in (
        ("versions", "click", "installed versions differ (click)"),
        ("host", "cores", "cores was changed, is"),
    ):
        changed = {**whole, "finished": "", field: {**whole[field], name: "changed"}}
        (folder / "run.json").write_text(json.dumps(changed))
        done = cli(*arguments, "--resume")
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
        assert done.stderr.count("\n") == 1
