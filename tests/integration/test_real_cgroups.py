"""Runs inside real control groups (version 1), made for the test; only processes of its own go in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstbyte.engine.cgroups import Groups

MEMORY, CPU = "memory.limit_in_bytes", "cpu.cfs_quota_us"
Limited = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def limited(cli_environ: dict[str, str]) -> Iterator[Limited]:
    """Runs a command within limits: file of a group -> value. Skips where no group can be made."""
    made: list[Path] = []

    def run(command: list[str], **limits: str) -> subprocess.CompletedProcess[str]:
        for controller, name in (("memory", MEMORY), ("cpu", CPU)):
            if controller not in limits:
                continue
            own = next(Groups()._folders(controller), None)
            if own is None:
                pytest.skip(f"no cgroup version 1 with the controller {controller} is mounted")
            group = own / f"firstbyte-test-{os.getpid()}-{len(made)}"
            try:
                group.mkdir()
                made.append(group)
                (group / name).write_text(limits[controller])
            except OSError as error:
                pytest.skip(f"a group in {own} cannot be made: {error.strerror}")
        joined = "".join(f"echo $$ > '{group}/cgroup.procs' && " for group in made)
        return subprocess.run(
            ["bash", "-c", f'{joined}exec "$@"', "bash", *command],
            env=cli_environ,
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    for group in made:
        group.rmdir()


FIRSTBYTE = [sys.executable, "-m", "firstbyte"]


def test_doctor_says_what_the_groups_give(limited: Limited) -> None:
    found = limited([*FIRSTBYTE, "doctor"], memory="400000000", cpu="50000")
    assert found.returncode == 0, found.stderr
    assert "of which a quota gives 0.5" in found.stdout
    assert "400 MB, of which " in found.stdout


def test_a_run_without_room_is_refused_in_one_line(
    limited: Limited, tiny_corpus: str, tmp_path: Path
) -> None:
    command = [*FIRSTBYTE, "run", "-b", "sound", "-s", "full_scan", "-c", tiny_corpus]
    found = limited([*command, "--results", str(tmp_path)], memory="120000000")
    (line,) = found.stderr.splitlines()
    assert line.startswith("firstbyte: the control group leaves ")
    assert found.returncode > 0
    assert not list(tmp_path.iterdir())


def test_what_the_kernel_kills_is_the_worker_and_is_named(
    limited: Limited, tiny_corpus: str, tmp_path: Path
) -> None:
    command = [*FIRSTBYTE, "run", "-b", "faulty:over_limit", "-s", "full_scan", "-i", "clock"]
    found = limited(
        [*command, "-c", tiny_corpus, "--results", str(tmp_path), "--reports", str(tmp_path / "r")],
        memory="450000000",
    )
    (folder,) = (path for path in tmp_path.iterdir() if (path / "run.json").exists())
    (line,) = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["status"] == "OUT_OF_MEMORY", line
    assert found.returncode == 1, found.stderr
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["finished"]
    assert "Note: workers may take " in found.stdout


ABOVE_THE_LIMIT = """
import subprocess, sys
from firstbyte.engine.cgroups import Groups
from firstbyte.engine.launch import _offer

before = Groups().oom_kills()
held = bytearray(120_000_000)  # more than the worker has when the limit is met
worker = subprocess.Popen([sys.executable, "-c", "input(); bytearray(1 << 30)"], stdin=subprocess.PIPE)
_offer(worker.pid)
worker.communicate(b"now\\n")
print(worker.returncode, Groups().oom_kills() - before)
"""


def test_the_kernel_takes_the_worker_and_not_the_parent(limited: Limited) -> None:
    if len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) > 1:
        pytest.skip("a group with swap is not out of memory at its limit")
    found = limited([sys.executable, "-c", ABOVE_THE_LIMIT], memory="200000000")
    assert (found.returncode, found.stdout) == (0, "-9 1\n"), found.stderr
