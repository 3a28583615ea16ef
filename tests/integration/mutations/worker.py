"""The child process: reads mutants one after another and says after each how it ended."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import resource
import tempfile
import time
from pathlib import Path

from firstbyte.worker.kernel import living_threads

from .mutators import Base, bases_of, mutant
from .readers import PEAK_LIMIT_BYTES, READERS, Job, Reader, RowsLost, Unsound
from .thrift import NotThrift, footer_rows

ADDRESS_SPACE_BYTES = 8 << 30
"""An allocation beyond this fails, which ends the process, which the parent sees."""
FAULTS = ("panic", "untyped", "rows lost", "unsound batch", "memory")
THREAD_NAME = "firstbyte-"
"""What the threads of the reader under test are called; pyarrow starts some of its own for good."""
SHARED_MEMORY = Path("/dev/shm")


def ending(reader: Reader, job: Job, data: bytes) -> tuple[str, str]:
    """Read the mutant in the job's file: the kind of its end, and more about it."""
    try:
        reader.read(job)
        _count_rows(job, data)
    except reader.errors as error:
        return f"error: {type(error).__name__}", str(error)
    except RowsLost as error:
        return "rows lost", str(error)
    except Unsound as error:
        return "unsound batch", str(error)
    except Exception as error:  # any other exception is a finding
        return "untyped", f"{type(error).__name__}: {error}"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of pyo3 is no Exception
        return "panic", f"{type(error).__name__}: {error}"
    return "rows", f"{job.rows} rows"


def _count_rows(job: Job, data: bytes) -> None:
    """Raises RowsLost where a whole pass gave other rows than the footer states."""
    if not job.whole:
        return
    try:
        stated = footer_rows(data)
    except NotThrift:
        # What we cannot follow the reader may: then there is nothing to compare with.
        return
    if job.rows != stated:
        raise RowsLost(f"{job.rows} rows delivered, the footer states {stated}")


class Bench:
    """One reader, one file name, any number of mutants."""

    def __init__(self, reader: Reader, bases: tuple[Base, ...], seed: int, folder: Path) -> None:
        self.reader, self.bases, self.seed = reader, bases, seed
        self.path = folder / "mutant.parquet"

    def run(self, number: int) -> dict[str, object]:
        """Make and read one mutant. What it returns can be JSON."""
        what, data = mutant(self.bases, self.seed, number)
        self.path.write_bytes(data)
        # Readers may keep a footer by size and time of the file, whose clock ticks too rarely.
        os.utime(self.path, ns=(number, number))
        job = Job(self.path, random.Random(f"options {self.seed}/{number}"))
        before = self._memory(reset=True)
        start = time.perf_counter_ns()
        kind, detail = ending(self.reader, job, data)
        elapsed = time.perf_counter_ns() - start
        peak = self._memory(reset=False) - before
        if peak > PEAK_LIMIT_BYTES and kind not in FAULTS:
            kind, detail = "memory", f"{peak} bytes at once, more than {PEAK_LIMIT_BYTES} ({kind})"
        report = {"number": number, "kind": kind, "peak_bytes": peak, "elapsed_ns": elapsed}
        if kind in FAULTS:
            report |= {"what": what, "detail": detail}
        return report

    def _memory(self, *, reset: bool) -> int:
        memory = self.reader.memory
        if memory is None:
            return 0
        if reset:
            memory.reset_peak()
            return int(memory.memory().live_bytes)
        return int(memory.memory().peak_bytes)


def left_over(reader: Reader, descriptors: int) -> dict[str, object]:
    """What the process still holds when all mutants were read."""
    gc.collect()
    return {
        "descriptors_left": _descriptors() - descriptors,
        "threads_left": living_threads(THREAD_NAME),
        "live_bytes": int(reader.memory.memory().live_bytes) if reader.memory else 0,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read_bases(folder: Path) -> tuple[Base, ...]:
    """The sound files of a folder, in the order of their names."""
    return bases_of([(path.stem, path.read_bytes()) for path in sorted(folder.glob("*.parquet"))])


def main() -> None:
    """Reads `--count` mutants from `--first` on: a line when it is ready, one of JSON for each, and one
    at the end.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--reader", choices=READERS, required=True)
    parser.add_argument("--bases", type=Path, required=True)
    for name in ("--seed", "--first", "--count"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    reader = READERS[options.reader]()
    bases = read_bases(options.bases)
    with contextlib.ExitStack() as stack:
        memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        bench = Bench(reader, bases, options.seed, folder)
        descriptors = _descriptors()
        os.write(1, b"ready\n")
        for number in range(options.first, options.first + options.count):
            # Not buffered: what the last line says must be true when the process dies.
            os.write(1, json.dumps(bench.run(number)).encode() + b"\n")
        os.write(1, json.dumps(left_over(reader, descriptors)).encode() + b"\n")


if __name__ == "__main__":
    main()
