"""Reads that are interrupted, short or failing, files that shrink, signals: typed errors, no lost row."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ROWS = 30_000
TEXT_BYTES = 60

# Stands before the C library's reads by position. FAULT names what goes wrong, AFTER how many reads.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static int calls;

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
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
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


class Stop(Exception):
    """Raised by the handler of a signal."""


@contextmanager
def signalled(handler: Callable[[], None]) -> Iterator[threading.Event]:
    """SIGUSR1 comes again and again while the block runs, from another thread."""
    done, ran = threading.Event(), threading.Event()

    def handle(number: int, frame: object) -> None:
        ran.set()
        handler()

    def send() -> None:
        while not done.wait(0.01):
            os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield ran
    finally:
        done.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes far longer to read than signals are waited for, in pages of ordinary size."""
    path = tmp_path_factory.mktemp("long") / "shard.parquet"
    rows = 600_000
    text = pa.array([f"{i:0100d}" for i in range(rows // 10)])
    table = pa.table({"text": pa.chunked_array([text] * 10)})
    pq.write_table(table, path, row_group_size=rows, compression="gzip", use_dictionary=False)
    return path


LONG = {
    "one batch": {"batch_size": 600_000},
    "no row matches": {"where": [("text", "==", "0" * 95 + "3")]},
    "one shuffled block": {"seed": 1, "shuffle_rows": 600_000},
}


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("options", LONG.values(), ids=LONG)
def test_a_handler_can_end_a_long_batch(long: Path, options: dict[str, Any], threads: int) -> None:
    """A handler runs while `next` is at work: otherwise it would only run after the batch."""
    batches = []

    def stop() -> None:
        raise Stop

    reader = firstbyte_arrow.open(long).scan(threads=threads, **options)

    def read() -> None:
        with signalled(stop):
            batches.extend(reader)

    with pytest.raises(Stop):
        read()
    assert not batches
    assert reader.position["rows"] < 600_000
    reader.close()


@pytest.mark.parametrize("threads", [0, 2])
def test_a_handler_that_returns_changes_nothing(long: Path, threads: int) -> None:
    with signalled(lambda: None) as ran:
        batch = next(firstbyte_arrow.open(long).scan(threads=threads, batch_size=600_000))
    assert ran.is_set()
    assert batch.num_rows == 600_000


def test_an_interrupted_batch_can_be_read_again(long: Path) -> None:
    def stop() -> None:
        raise Stop

    dataset = firstbyte_arrow.open(long)
    options = {"batch_size": 450_000}
    reader = dataset.scan(**options)

    def read() -> None:
        with signalled(stop):
            next(reader)

    with pytest.raises(Stop):
        read()
    rest = dataset.scan(resume=reader.position, **options)
    assert [batch.num_rows for batch in rest] == [450_000, 150_000]


def test_a_handler_that_uses_the_reader_is_told_so(long: Path) -> None:
    """Without threads it runs inside `next`, which has the reader: waiting for it would be for ever."""
    reader = firstbyte_arrow.open(long).scan(batch_size=600_000)

    def read() -> None:
        with signalled(reader.close):
            next(reader)

    with pytest.raises(ValueError, match="in use by the call that the signal interrupted"):
        read()
    reader.close()


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
