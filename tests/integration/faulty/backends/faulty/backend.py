"""One planted fault per variant: everything else is the backend `sound`.

A fault is a class; its docstring says what goes wrong. `FAULTY_NOTES` names a folder in which faults
leave what a test must know, such as the id of a process, and tests what a fault must wait for.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstbyte.backends.sound.backend import SoundBackend, SoundReader
from firstbyte.backends.sound.work import WORK

from firstbyte.api import BuildRefusedError, Unsupported

FOREVER_SECONDS = 1000.0
MUCH_BYTES = 400_000_000


def notes() -> Path:
    return Path(os.environ["FAULTY_NOTES"])


def note(name: str) -> int:
    """Add one to the notes of that name, among all processes; how many there are with it."""
    with (notes() / name).open("ab", buffering=0) as file:
        file.write(b".")
        return file.tell()


def await_notes(name: str, count: int) -> None:
    """Until there are so many notes of that name."""
    path = notes() / name
    while not path.exists() or path.stat().st_size < count:
        time.sleep(0.005)


class OnFirstBatch(SoundReader):
    """Calls `strike` before the first batch."""

    struck = False

    def __next__(self) -> Any:
        if not self.struck:
            self.struck = True
            self.strike()
        return super().__next__()

    def strike(self) -> None:
        raise NotImplementedError


def fault(strike: Any) -> type[SoundBackend]:
    """A backend whose reader calls `strike` before its first batch."""
    reader = type("FaultyReader", (OnFirstBatch,), {"strike": lambda self: strike()})
    return type("FaultyBackend", (SoundBackend,), {"reader": reader, "__doc__": strike.__doc__})


def segfault() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def failed_allocation() -> None:
    """What Rust's allocator says before it aborts."""
    os.write(2, b"memory allocation of 123456789 bytes failed\n")
    os.abort()


def hang_in_next() -> None:
    """Leaves a note first: whoever reads it knows that the worker came so far."""
    note("hangs")
    time.sleep(FOREVER_SECONDS)


def hang_at_exit() -> None:
    atexit.register(hang_in_next)


def error_in_next() -> None:
    raise ValueError("planted in next")


def panic() -> None:
    """As of Rust: not an Exception."""

    class PanicException(BaseException):
        pass

    raise PanicException("called `Option::unwrap()` on a `None` value")


def memory_error() -> None:
    raise MemoryError("cannot allocate 9 exabytes")


def over_limit() -> None:
    kept = bytearray(b"x") * MUCH_BYTES
    time.sleep(FOREVER_SECONDS)
    del kept


def exit_3() -> None:
    os._exit(3)


def system_exit() -> None:
    sys.exit(4)


def exit_0() -> None:
    os._exit(0)


def undecodable_message() -> None:
    raise ValueError("in the file " + os.fsdecode(b"\xff\xfe.parquet"))


def prints() -> None:
    """On the descriptor that the protocol began on, by every way."""
    print('{"event": "done"}')
    print("garbage")
    sys.stdout.flush()
    os.write(1, b"\xff not even text\n")
    subprocess.run(["echo", "a child says hello"], check=True)


def prints_a_lot() -> None:
    for _ in range(2000):
        os.write(2, b"x" * 1000 + b"\n")
    raise ValueError("after 2 MB of complaints")


def closes_protocol() -> None:
    os.closerange(3, 20)


def garbage_on_protocol() -> None:
    """The protocol is the only pipe that only this process has."""
    for path in Path("/proc/self/fd").iterdir():
        number = int(path.name)
        if number > 2 and path.exists() and str(path.readlink()).startswith("pipe:"):
            os.write(number, b"this is no JSON\n")
    time.sleep(FOREVER_SECONDS)


def leaves_child() -> None:
    child = subprocess.Popen(["sleep", str(int(FOREVER_SECONDS))])
    (notes() / "leaves_child").write_text(str(child.pid))


def leaves_fork() -> None:
    """The child shares every descriptor, that of the protocol too, and does not care for hang-ups."""
    pid = os.fork()
    if pid == 0:
        for number in (signal.SIGHUP, signal.SIGIO, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(FOREVER_SECONDS)
        os._exit(0)
    (notes() / "leaves_fork").write_text(str(pid))


class ErrorInOpen(SoundBackend):
    def open(self, shard: Path, **options: Any) -> SoundReader:
        raise FileNotFoundError("planted in open")


class ErrorInPrepare(SoundBackend):
    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        raise OSError("planted in prepare")


class UnsupportedInOpen(SoundBackend):
    def open(self, shard: Path, **options: Any) -> SoundReader:
        raise Unsupported("cannot read columns of planted type")


class UnsupportedInPrepare(SoundBackend):
    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        raise Unsupported("cannot write columns of planted type")


class NoVersions(SoundBackend):
    def versions(self) -> dict[str, str]:
        return {}


class Refused(SoundBackend):
    def versions(self) -> dict[str, str]:
        raise BuildRefusedError("a debug build says nothing about speed; install a release build")


class SecondProcess(SoundBackend):
    """The second process to open a shard fails."""

    opened = False

    def open(self, shard: Path, **options: Any) -> SoundReader:
        if not self.opened:
            self.opened = True
            with (notes() / "second_process").open("a") as file:
                file.write(f"{os.getpid()}\n")
        if len((notes() / "second_process").read_text().splitlines()) > 1:
            raise RuntimeError("planted in the second process")
        return super().open(shard, **options)


class WrongValueReader(SoundReader):
    """The last row of the last column has another value."""

    def canonical(self, batch: Any) -> Any:
        return changed_last_value(batch)


class OneRowLessReader(SoundReader):
    """The first batch lacks its last row."""

    cut = False

    def __next__(self) -> Any:
        batch = super().__next__()
        if self.cut:
            return batch
        self.cut = True
        return batch.slice(0, batch.num_rows - 1)


class OneRowLessInDigestsReader(SoundReader):
    """It counts right and delivers one row less."""

    def canonical(self, batch: Any) -> Any:
        return batch.slice(1)


class SwappedColumnsReader(SoundReader):
    def canonical(self, batch: Any) -> Any:
        return batch.select(batch.schema.names[::-1])


class SwappedValuesReader(SoundReader):
    """The right names in the right order, over each other's values."""

    def canonical(self, batch: Any) -> Any:
        import pyarrow

        return pyarrow.record_batch(batch.columns[::-1], names=batch.schema.names)


class WrongFirstValueReader(SoundReader):
    def first_value(self, batch: Any, column: str) -> object:
        return batch.column(column)[1].as_py()


class NoBatchesReader(SoundReader):
    def __next__(self) -> Any:
        raise StopIteration


class WrongTogether(SoundBackend):
    """Right alone; wrong values where as many readers as `company` has notes are open at once.

    They wait for each other: a reader that is left without its company never ends.
    """

    def open(
        self, shard: Path, *, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> SoundReader:
        company = (notes() / "company").stat().st_size
        place = note("in company")
        await_notes("in company", -(-place // company) * company)
        reader = WrongValueReader if company > 1 else SoundReader
        return reader(shard, columns, batch_rows)


class Waits(SoundBackend):
    """Each process waits, before its first reader, for one more note of the name `let in`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waited = False

    def open(self, shard: Path, **options: Any) -> SoundReader:
        with self._lock:
            if not self._waited:
                await_notes("let in", note("waiting"))
                self._waited = True
        return super().open(shard, **options)


class InReaderProcess(SoundBackend):
    """Strikes only where it reads in a process that another one of this backend has started."""

    def __init__(self, strike: Any) -> None:
        self._strike = strike

    def open(self, shard: Path, **options: Any) -> SoundReader:
        import multiprocessing

        if multiprocessing.parent_process() is not None:
            self._strike()
        return super().open(shard, **options)


def changed_last_value(batch: Any) -> Any:
    import pyarrow

    last = batch.column(batch.num_columns - 1)
    other = pyarrow.concat_arrays([last.slice(0, len(last) - 1), last.slice(0, 1)])
    return pyarrow.record_batch([*batch.columns[:-1], other], names=batch.schema.names)


class Restless(SoundBackend):
    """Its import leaves a thread at work that never ends."""

    def __init__(self) -> None:
        threading.Thread(target=spin, args=(float("inf"),), daemon=True).start()


class Spinning(SoundBackend):
    """Its import leaves a thread at work for a while: nobody may open a shard before that has ended."""

    def __init__(self) -> None:
        self._spinner = threading.Thread(target=spin, args=(0.2 * WORK,), daemon=True)
        self._spinner.start()

    def open(self, shard: Path, **options: Any) -> SoundReader:
        if self._spinner.is_alive():
            raise ValueError("opened while the import was still at work")
        return super().open(shard, **options)


def spin(seconds: float) -> None:
    """Work for so many seconds of this thread's processor time."""
    while time.thread_time() < seconds:
        pass


def with_reader(reader: type[SoundReader]) -> type[SoundBackend]:
    return type("FaultyBackend", (SoundBackend,), {"reader": reader})


STRIKES = (
    segfault,
    abort,
    failed_allocation,
    hang_in_next,
    hang_at_exit,
    error_in_next,
    panic,
    memory_error,
    over_limit,
    exit_3,
    system_exit,
    exit_0,
    undecodable_message,
    prints,
    prints_a_lot,
    closes_protocol,
    garbage_on_protocol,
    leaves_child,
    leaves_fork,
)
FAULTS: dict[str, Any] = {
    **{strike.__name__: fault(strike) for strike in STRIKES},
    "error_in_open": ErrorInOpen,
    "error_in_prepare": ErrorInPrepare,
    "unsupported_in_open": UnsupportedInOpen,
    "unsupported_in_prepare": UnsupportedInPrepare,
    "no_versions": NoVersions,
    "refused": Refused,
    "second_process": SecondProcess,
    "wrong_value": with_reader(WrongValueReader),
    "one_row_less": with_reader(OneRowLessReader),
    "one_row_less_in_digests": with_reader(OneRowLessInDigestsReader),
    "swapped_columns": with_reader(SwappedColumnsReader),
    "swapped_values": with_reader(SwappedValuesReader),
    "wrong_first_value": with_reader(WrongFirstValueReader),
    "no_batches": with_reader(NoBatchesReader),
    "wrong_together": WrongTogether,
    "waits": Waits,
    "restless": Restless,
    "spinning": Spinning,
}


def unsupported() -> None:
    raise Unsupported("cannot be read in a process of its own")


def create(*, fault: str, in_reader_process: bool = False) -> SoundBackend:
    if fault == "missing_library":
        import no_such_library_is_installed  # noqa: F401
    if in_reader_process:
        return InReaderProcess(globals()[fault])
    made: SoundBackend = FAULTS[fault]()
    return made
