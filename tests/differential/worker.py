"""The child process: takes ranges of numbers, reads these files, and says after each what it found.

A line of its input is a task, a seed, the first number and how many; a line of its output is JSON. When it
dies, what it had not reported yet is the file that ended it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from . import damaged, lshd, valid
from .memory import limit_address_space

Check = Callable[[int, int, Path], tuple[valid.Report, bytes]]
TASKS: dict[str, tuple[Check, int]] = {
    "valid": (valid.check, 32 << 30),
    "damaged": (damaged.check, 8 << 30),
    "lshd": (lshd.check, 1 << 30),
}
"""Each with the address space that it may add: libraries that write and read sound files reserve much."""


def planted(kind: str) -> Check:
    """A check that commits a fault at number 3: proof that the parent sees it."""

    def check(_seed: int, number: int, _path: Path) -> tuple[valid.Report, bytes]:
        if number == 3:
            if kind == "abort":
                os.abort()
            while kind == "hang":
                pass
        return valid.Report("planted"), b""

    return check


TASKS |= {f"planted {kind}": (planted(kind), 32 << 30) for kind in ("abort", "hang")}


def main() -> None:
    """Works until its input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--save", type=Path, required=True)
    options = parser.parse_args()
    check, more_bytes = TASKS[options.task]
    limit_address_space(more_bytes)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "drawn.parquet"
        os.write(1, b"{}\n")
        for line in sys.stdin:
            seed, first, count = map(int, line.split())
            for number in range(first, first + count):
                _one(check, seed, number, path, options.save / options.task)


def _one(check: Check, seed: int, number: int, path: Path, save: Path) -> None:
    """Not buffered: what the last line says must be true when the process dies."""
    report, data = check(seed, number, path)
    line: dict[str, object] = {"number": number, "counts": dict(report.counts)}
    for name in ("faults", "notes"):
        if found := getattr(report, name):
            line[name] = [asdict(it) for it in found]
    if report.faults:
        save.mkdir(parents=True, exist_ok=True)
        (save / f"{seed}-{number}.bin").write_bytes(data)
    os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
