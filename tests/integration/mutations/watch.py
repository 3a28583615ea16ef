"""The parent: starts the child, waits for each of its lines, and notes when it dies or hangs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bases import base_files
from .mutators import bases_of, mutant
from .worker import FAULTS

PATIENCE_S = 20.0
"""For one mutant: ten thousand times what it takes."""
START_PATIENCE_S = 600.0
"""For a child to start: it imports the reader, and does so on a busy machine."""
MAX_DEATHS = 20
ROOT = Path(__file__).parents[3]


@dataclass
class Fault:
    """A mutant that did not end as it must."""

    number: int
    kind: str
    what: str
    detail: str
    saved: Path | None = None


@dataclass
class Tally:
    """How the mutants ended."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    processes: int = 0
    peak: tuple[int, int] = (0, -1)
    """Most bytes of one scan, and its mutant's number."""
    slowest: tuple[int, int] = (0, -1)
    """Longest nanoseconds, and the mutant's number."""
    left: dict[str, int] = field(default_factory=dict)
    """What the last process still held at its end."""

    def add(self, line: dict[str, Any]) -> None:
        """Count one line of the child."""
        number, kind = int(line["number"]), str(line["kind"])
        self.ends[kind] += 1
        self.peak = max(self.peak, (int(line["peak_bytes"]), number))
        self.slowest = max(self.slowest, (int(line["elapsed_ns"]), number))
        if kind in FAULTS:
            self.faults.append(Fault(number, kind, line["what"], line["detail"]))


class Lines:
    """Whole lines from a pipe, each waited for only so long."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.bytes = b""

    def next(self, patience_s: float) -> bytes | None:
        """The next line; None at the end. Raises TimeoutError."""
        while b"\n" not in self.bytes:
            if not select.select([self.descriptor], [], [], patience_s)[0]:
                raise TimeoutError
            piece = os.read(self.descriptor, 1 << 16)
            if not piece:
                return None
            self.bytes += piece
        line, self.bytes = self.bytes.split(b"\n", 1)
        return line


def run(
    reader: str,
    seed: int,
    first: int,
    count: int,
    save: Path,
    patience_s: float = PATIENCE_S,
    only: str = "",
) -> Tally:
    """Put `count` mutants through a reader, in one process as long as it lives.

    They are made of the base files whose name has `only` in it. The files of mutants with a fault are
    written to the folder `save`. Gives up after MAX_DEATHS processes that died. Raises LookupError where
    no base file is left.
    """
    tally = Tally()
    files = sorted((name, data) for name, data in base_files() if only in name)
    if not files:
        raise LookupError(f"no base file has {only!r} in its name")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for base, data in files:
            (folder / f"{base}.parquet").write_bytes(data)
        end = first + count
        while first < end and tally.processes < MAX_DEATHS:
            first = _one_process(tally, reader, folder, (seed, first, end - first), patience_s)
    bases = bases_of(files)
    for fault in tally.faults:
        fault.what, data = mutant(bases, seed, fault.number)
        save.mkdir(parents=True, exist_ok=True)
        fault.saved = save / f"{reader}-{seed}-{fault.number}.parquet"
        fault.saved.write_bytes(data)
    return tally


def _one_process(
    tally: Tally, reader: str, folder: Path, job: tuple[int, int, int], patience_s: float
) -> int:
    """Run a child over the mutants; the number of the first that is still to be read afterwards."""
    seed, first, count = job
    command = [sys.executable, "-m", f"{__package__}.worker", "--reader", reader]
    command += ["--bases", str(folder), "--seed", str(seed)]
    command += ["--first", str(first), "--count", str(count)]
    tally.processes += 1
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _search_path()},
        )
        assert child.stdout is not None
        lines = Lines(child.stdout.fileno())
        number, ended = first, "died"
        try:
            lines.next(START_PATIENCE_S)  # it is ready
            while (line := lines.next(patience_s)) is not None:
                report = json.loads(line)
                if "number" in report:
                    tally.add(report)
                    number = report["number"] + 1
                else:
                    tally.left = report
        except TimeoutError:
            ended = "hung"
        finally:
            if ended == "hung" or sys.exc_info()[0] is not None:
                child.kill()
            code = child.wait()
            child.stdout.close()
        if ended == "died" and code == 0:
            return number
        errors.seek(0)
        last_words = errors.read().decode(errors="replace").strip().splitlines()[-1:]
        if number == first and code > 0:
            raise RuntimeError(f"the child could not start (exit {code}): {' '.join(last_words)}")
        detail = (
            f"exit status {code}: {' '.join(last_words)}"
            if ended == "died"
            else (f"no answer within {patience_s:g} s")
        )
        tally.ends[ended] += 1
        tally.faults.append(Fault(number, ended, "", detail))
        return number + 1


def _search_path() -> str:
    return os.pathsep.join(
        filter(
            None,
            [str(ROOT / "harness"), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")],
        )
    )
