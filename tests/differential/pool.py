"""The parent: deals out numbers to child processes, and notes which of them die or hang."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .faults import Fault

ROOT = Path(__file__).parents[2]
HANG_CPU_S = 10.0
"""Processor time for one file: a thousand times what it takes."""
HANG_WALL_S = 300.0
"""For one file that waits for something, on a busy machine."""
SETTINGS = {"RUST_BACKTRACE": "0", "POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}
TELL_S = 60.0
PIECE = 64
"""Numbers that a child gets at a time."""
KEPT_NOTES = 200


@dataclass
class Outcome:
    """What became of all files of one task."""

    task: str
    seed: int
    files: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    notes: list[tuple[int, Fault]] = field(default_factory=list)
    elapsed_s: float = 0.0

    def add(self, line: dict[str, Any]) -> None:
        """One line of a child."""
        self.files += 1
        self.counts.update(line["counts"])
        number = int(line["number"])
        self.faults += [(number, Fault(**it)) for it in line.get("faults", ())]
        if len(self.notes) < KEPT_NOTES:
            self.notes += [(number, Fault(**it)) for it in line.get("notes", ())]


class _Child:
    def __init__(self, task: str, save: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "differential.worker", "--task", task, "--save", str(save)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for the parent
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": search_path(), **SETTINGS},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout
        self._bytes = b""
        self.numbers: list[int] = []
        """Given out and not yet reported."""
        self.ready = False
        self.heard()

    def heard(self) -> None:
        """It lives: its time begins anew."""
        self._wall_s, self._cpu_s = time.monotonic(), self._cpu()

    def _cpu(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def hangs(self) -> bool:
        """It has been at one file for too long."""
        if not self.ready:
            return False
        waited_s = time.monotonic() - self._wall_s
        return self._cpu() - self._cpu_s > HANG_CPU_S or waited_s > HANG_WALL_S

    def give(self, seed: int, numbers: range) -> None:
        """More to do."""
        self.numbers += numbers
        self._input.write(f"{seed} {numbers.start} {len(numbers)}\n".encode())
        self._input.flush()

    def lines(self) -> Iterator[dict[str, Any]] | None:
        """What it has said since; None when it is no more."""
        piece = os.read(self.output.fileno(), 1 << 16)
        if not piece:
            return None
        self.heard()
        *whole, self._bytes = (self._bytes + piece).split(b"\n")
        return (json.loads(line) for line in whole)

    def end(self, *, kill: bool = False) -> tuple[int, str]:
        """Its exit status, and its last words."""
        if kill:
            self._process.kill()
        self._input.close()
        code = self._process.wait()
        self.output.close()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        self._errors.close()
        return code, f"exit status {code}: {' '.join(words)}"


def search_path() -> str:
    """Where children find the packages of the tests."""
    folders = ("harness", "tests", "tests/integration")
    own = [str(ROOT / folder) for folder in folders]
    return os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])])


class Pool:
    """Children that work on one task until its numbers or the time are used up."""

    def __init__(self, outcome: Outcome, save: Path, children: int) -> None:
        self._outcome, self._save, self._wanted = outcome, save, children
        self._children: list[_Child] = []

    def run(
        self,
        count: int,
        is_enough: Callable[[], bool] = lambda: False,
        tell: Callable[[Outcome], None] = lambda _: None,
    ) -> Outcome:
        """Files 0 to `count`, as long as it is not enough. `tell` is called every minute.

        Raises RuntimeError where a child cannot start.
        """
        start = told = time.monotonic()
        pieces = iter(range(at, min(at + PIECE, count)) for at in range(0, count, PIECE))
        again: list[range] = []
        with selectors.DefaultSelector() as selector:
            for _ in range(min(self._wanted, -(-count // PIECE))):
                self._start(selector)
            while self._children:
                ready = {key.data for key, _ in selector.select(timeout=1.0)}
                if time.monotonic() - told > TELL_S:
                    told = time.monotonic()
                    self._outcome.elapsed_s = told - start
                    tell(self._outcome)
                for child in [*self._children]:
                    alive = self._listen(child) if child in ready else True
                    hung = alive and child.hangs()
                    if not alive or hung:
                        selector.unregister(child.output)
                        self._children.remove(child)
                        rest = self._bury(child, hung=hung)
                        if rest is not None:
                            again.append(rest)
                            self._start(selector)
                        continue
                    if not child.ready or child.numbers:
                        continue
                    wanted = again or not is_enough()
                    piece = (again.pop() if again else next(pieces, None)) if wanted else None
                    if piece is None:
                        selector.unregister(child.output)
                        self._children.remove(child)
                        child.end()
                    elif piece:
                        child.give(self._outcome.seed, piece)
        self._outcome.elapsed_s = time.monotonic() - start
        return self._outcome

    def _start(self, selector: selectors.BaseSelector) -> None:
        child = _Child(self._outcome.task, self._save)
        self._children.append(child)
        selector.register(child.output, selectors.EVENT_READ, child)

    def _listen(self, child: _Child) -> bool:
        lines = child.lines()
        if lines is None:
            return False
        for line in lines:
            child.ready = True
            if "number" in line:
                child.numbers.remove(line["number"])
                self._outcome.add(line)
        return True

    def _bury(self, child: _Child, *, hung: bool) -> range | None:
        """Note the file that ended it; the numbers that are still to be done.

        Raises RuntimeError where it was not the file but an exception of this driver.
        """
        code, words = child.end(kill=hung)
        if not child.ready:
            raise RuntimeError(f"a child could not start: {words}")
        if not child.numbers:
            return None
        number, *rest = child.numbers
        if code > 0:
            raise RuntimeError(f"file {number} of seed {self._outcome.seed}: {words}")
        kind = "hang" if hung else "abort"
        self._outcome.files += 1
        self._outcome.counts[kind] += 1
        self._outcome.faults.append((number, Fault("process", kind, words)))
        return range(number + 1, number + 1 + len(rest))
