"""Reads that are interrupted, short or failing, files that shrink, signals: typed errors, no lost row."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import WORK

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 30_000
TEXT_BYTES = 60

# Stands before the C library's reads by position. FAULT names what goes wrong, AFTER how many reads.
# What the program sets `pace` to holds for all reads from then on. A slow read sends a signal first. In the
# thread that runs handlers it takes less than the reader waits before it looks for signals: so does each
# batch of several, and a whole file takes far more. In another thread it takes as long as the handler does
# not run: whoever does not look for signals waits for ever. Held reads of other threads wait to be let go.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { FAST, HELD, SLOW };
_Atomic int pace = FAST;
_Atomic int handled; /* signals */

static _Atomic int calls;

static void rest(long milliseconds) {
    struct timespec left = {.tv_nsec = milliseconds * 1000 * 1000};
    while (nanosleep(&left, &left) && errno == EINTR);
}

static void keep_pace(void) {
    int handles = getpid() == gettid();
    while (pace == HELD && !handles) rest(1);
    if (pace != SLOW) return;
    int before = handled;
    kill(getpid(), SIGUSR1);
    if (handles) rest(atoi(getenv("SLOW_READ_MS")));
    else while (pace == SLOW && handled == before) rest(1);
}

static ssize_t faulty(int file, void *to, size_t count, off_t at, const char *name) {
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
    const char *fault = getenv("FAULT");
    int call = calls++;
    if (call >= atoi(getenv("AFTER"))) {
        if (!strcmp(fault, "interrupted") && call % 2 == 0) { errno = EINTR; return -1; }
        if (!strcmp(fault, "short") && count > 1) count = 1 + (count - 1) / 3;
        if (!strcmp(fault, "failing")) { errno = EIO; return -1; }
        if (!strcmp(fault, "at its end")) return 0;
    }
    keep_pace();
    return real(file, to, count, at);
}

ssize_t pread(int f, void *to, size_t n, off_t at) { return faulty(f, to, n, at, "pread"); }
ssize_t pread64(int f, void *to, size_t n, off_t at) { return faulty(f, to, n, at, "pread64"); }
"""

CHILD = """
import sys
import firstbyte_arrow

path, threads, where = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "where"
options = {"where": [("id", ">=", 0)]} if where else {}
try:
    with firstbyte_arrow.open(path).scan(threads=threads, **options) as reader:
        print("rows", sum(batch.num_rows for batch in reader))
except firstbyte_arrow.ParquetError as error:
    number = getattr(error, "errno", None)
    known = error.column is not None, error.row_group is not None, error.offset is not None
    print(type(error).__name__, number, error.file == path, *known, "|", error)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "shard.parquet"
    text = [f"{i:0{TEXT_BYTES}d}" for i in range(ROWS)]
    table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": text})
    pq.write_table(table, path, row_group_size=9_000, data_page_size=30_000, write_page_index=True)
    return path


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and a linker that can preload")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    library = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "shim.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


def read_with(shim: Path, path: Path, fault: str, after: int, *options: str) -> str:
    """What a process says that reads the file while reads go wrong."""
    environment = {**os.environ, "LD_PRELOAD": str(shim), "FAULT": fault, "AFTER": str(after)}
    command = [sys.executable, "-c", CHILD, str(path), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("threads", ["0", "2"])
@pytest.mark.parametrize("fault", ["interrupted", "short"])
def test_interrupted_and_short_reads_are_carried_on_with(
    shim: Path, path: Path, fault: str, threads: str
) -> None:
    assert read_with(shim, path, fault, 0, threads, "where") == f"rows {ROWS}"


@pytest.mark.parametrize("threads", ["0", "2"])
@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_failing_read_is_an_os_error_with_its_place(
    shim: Path, path: Path, threads: str, after: int
) -> None:
    said = read_with(shim, path, "failing", after, threads, "all")
    kind, number, file, column, row_group, offset, *_ = said.split()
    assert (kind, number, file, offset) == ("StoreError", str(errno.EIO), "True", "True"), said
    # The footer belongs to no column.
    expected = str(after > 0)
    assert (column, row_group) == (expected, expected), said


@pytest.mark.parametrize("threads", ["0", "2"])
@pytest.mark.parametrize("after", [0, 2, 4])
@pytest.mark.parametrize("option", ["all", "where"])
def test_reads_at_the_end_of_a_file_that_became_shorter(
    shim: Path, path: Path, threads: str, after: int, option: str
) -> None:
    said = read_with(shim, path, "at its end", after, threads, option)
    assert said.startswith("CorruptFileError None True"), said
    assert "ends early" in said, said


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize(
    "use",
    [
        lambda dataset, threads: list(dataset.scan(threads=threads)),
        lambda dataset, threads: list(dataset.scan(threads=threads, shard=(1, 2))),
        lambda dataset, threads: list(dataset.scan(threads=threads, where=[("id", ">", 9_000)])),
        lambda dataset, _: dataset.take([20_000]),
        lambda dataset, _: dataset.decompress(),
    ],
    ids=["scan", "shard", "where", "take", "decompress"],
)
def test_a_file_that_shrank_after_it_was_opened(
    tmp_path: Path, path: Path, threads: int, use: Callable[[Any, int], object]
) -> None:
    for size in (0, 4, 20_000):
        copy = tmp_path / f"{size}.parquet"
        shutil.copy(path, copy)
        dataset = firstbyte_arrow.open(copy)
        os.truncate(copy, size)
        with pytest.raises(firstbyte_arrow.CorruptFileError, match="ends early") as caught:
            use(dataset, threads)
        assert caught.value.file == str(copy)
        assert caught.value.offset is not None


# What it runs is in its last argument: there, reads are slow within `slow_reads`, and the first of their
# signals does what is asked for. Before that threads cannot read ahead, however late the block begins.
SIGNALLED = """
import ctypes
import signal
import sys
from ast import literal_eval
from contextlib import contextmanager

import firstbyte_arrow

FAST, HELD, SLOW = range(3)
pace, handled = (ctypes.c_int.in_dll(ctypes.CDLL(None), name) for name in ("pace", "handled"))


class Stop(Exception):
    pass


def stop():
    raise Stop


@contextmanager
def slow_reads(action):
    signals = []

    def handle(number, frame):
        signals.append(number)
        handled.value += 1
        if len(signals) == 1:
            action()

    signal.signal(signal.SIGUSR1, handle)
    try:
        pace.value = SLOW
        yield signals
    finally:
        pace.value = FAST


path, threads, options, program = sys.argv[1:]
dataset, threads, options = firstbyte_arrow.open(path), int(threads), literal_eval(options)
pace.value = HELD
exec(program)
"""


def signalled(shim: Path, path: Path, program: str, threads: int = 0, **options: Any) -> str:
    """What a process prints that runs the program over a file whose reads are slow and send signals."""
    environment = {**os.environ, "LD_PRELOAD": str(shim), "FAULT": "", "AFTER": "0"}
    environment["SLOW_READ_MS"] = str(max(1, round(10 * WORK)))
    words = [str(path), str(threads), repr(options), program]
    command = [sys.executable, "-c", SIGNALLED, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many reads in one row group, in pages of ordinary size."""
    path = tmp_path_factory.mktemp("long") / "shard.parquet"
    table = pa.table({"text": [f"{i:0{TEXT_BYTES}d}" for i in range(ROWS)]})
    plain = {"compression": "none", "use_dictionary": False}
    pq.write_table(table, path, row_group_size=ROWS, data_page_size=30_000, **plain)
    return path


LONG = {
    "one batch": {"batch_size": ROWS},
    "no row matches": {"where": [("text", "==", "0" * (TEXT_BYTES - 5) + "1")]},
    "one shuffled block": {"seed": 1, "shuffle_rows": ROWS},
}


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("options", LONG.values(), ids=LONG)
def test_a_handler_can_end_a_long_batch(
    shim: Path, long: Path, options: dict[str, Any], threads: int
) -> None:
    """A handler runs while `next` is at work: otherwise it would only run after the batch."""
    program = """
batches = []
reader = dataset.scan(threads=threads, **options)
try:
    with slow_reads(stop):
        batches.extend(reader)
except Stop:
    print("stopped", len(batches), reader.position["rows"])
reader.close()
"""
    stopped, batches, rows = signalled(shim, long, program, threads, **options).split()
    assert (stopped, batches) == ("stopped", "0")
    assert int(rows) < ROWS


@pytest.mark.parametrize("threads", [0, 2])
def test_a_handler_that_returns_changes_nothing(shim: Path, long: Path, threads: int) -> None:
    program = """
reader = dataset.scan(threads=threads, **options)
with slow_reads(lambda: None) as signals:
    batch = next(reader)
print(len(signals) > 1, batch.num_rows)
"""
    assert signalled(shim, long, program, threads, batch_size=ROWS) == f"True {ROWS}"


def test_an_interrupted_batch_can_be_read_again(shim: Path, long: Path) -> None:
    program = """
reader = dataset.scan(**options)
try:
    with slow_reads(stop):
        next(reader)
except Stop:
    rest = dataset.scan(resume=reader.position, **options)
    print("stopped", [batch.num_rows for batch in rest])
"""
    said = signalled(shim, long, program, batch_size=20_000)
    assert said == f"stopped [20000, {ROWS - 20_000}]"


def test_a_handler_that_uses_the_reader_is_told_so(shim: Path, long: Path) -> None:
    """Without threads it runs inside `next`, which has the reader: waiting for it would be for ever."""
    program = """
reader = dataset.scan(**options)
try:
    with slow_reads(reader.close):
        next(reader)
except ValueError as error:
    print(error)
reader.close()
"""
    said = signalled(shim, long, program, batch_size=ROWS)
    assert "in use by the call that the signal interrupted" in said


def test_values_of_a_fixed_width_are_reserved_only_where_a_batch_may_take_them(
    tmp_path: Path,
) -> None:
    """arrow-rs reserves rows x width, and aborts the process where the width of a broken schema is absurd."""
    package = pytest.importorskip("firstbyte_arrow")
    path = tmp_path / "fixed.parquet"
    values = pa.array([bytes([i % 256] * 8) for i in range(240)], pa.binary(8))
    encoding = {"use_dictionary": False, "column_encoding": {"fixed": "DELTA_BYTE_ARRAY"}}
    pq.write_table(pa.table({"fixed": values}), path, **encoding)
    dataset = package.open(path)
    assert sum(batch.num_rows for batch in dataset.scan(batch_size=100, max_batch_bytes=800)) == 240
    with pytest.raises(package.LimitError, match="smaller batches take less"):
        list(dataset.scan(batch_size=101, max_batch_bytes=800))
