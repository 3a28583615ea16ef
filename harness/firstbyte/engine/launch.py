"""The parent's side of a worker: spawn, feed, watch, time out, kill, reap.

Every way in which a worker can end becomes an `Outcome` with a status and a reason that names the
signal, the limit or the exception; nothing that a worker does raises here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstbyte.api import Observer
from firstbyte.engine.cgroups import Groups
from firstbyte.engine.looks import Evidence, Looker
from firstbyte.engine.room import within
from firstbyte.model import Environment, Limits, Sample, Status
from firstbyte.plugins import PACKAGE
from firstbyte.worker.family import MARK
from firstbyte.worker.order import Order
from firstbyte.worker.protocol import (
    AllMeasured,
    Counted,
    Digested,
    Done,
    Event,
    Failed,
    FirstValue,
    Observed,
    Prepared,
    ProtocolError,
    Sampled,
    Settled,
    StoodStill,
    Versions,
    decode,
)
from firstbyte.worker.status import read_status

GUARD_SECONDS = 0.05
"""How often the memory limit is looked at where the instrument itself does not poll."""
MOST_HEARD_OUT = 16
TRACEBACK_GRACE_SECONDS = 10.0
"""For a worker that is overdue to say where it is; it ends as soon as it has."""
LONGEST_LINE_BYTES = 32_000_000
LONGEST_REASON_CHARACTERS = 4096
STDERR_TAIL_BYTES = 4096
LAST_WORDS_BYTES = 64 * 1024
"""How far from its end the reason of a worker's end is looked for: stacks that follow it can be long."""


@dataclass
class Outcome:
    """What one worker process gave, and how it ended."""

    status: Status = Status.OK
    reason: str = ""
    samples: list[Sample] = field(default_factory=list)
    rows: list[Counted] = field(default_factory=list)
    first_values: list[FirstValue] = field(default_factory=list)
    digests: list[Digested] = field(default_factory=list)
    """What was read of shards; of one more than once where several readers read it."""
    settled: Settled | None = None
    """The wait before the first span; None where there was none."""
    versions: Mapping[str, str] = field(default_factory=dict)
    prepared: tuple[str, ...] = ()
    stderr_tail: str = ""
    duration_s: float = 0.0
    evidence: Evidence | None = None
    """What was seen of it from outside; None where nobody looked."""
    suspicions: Sequence[str] = ()
    """Why its figures cannot be true, a reason each (`firstbyte.engine.plausible`)."""


def run_worker(order: Order, environment: Environment) -> Outcome:
    """Run one worker to its end. Takes at most the order's time limit; leaves no process behind."""
    with tempfile.TemporaryFile() as stderr:
        watch = _Watch(order, environment, stderr)
        outcome = watch.run()
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
        said = stderr.read()
    outcome.stderr_tail = _telling_part(said).decode("utf-8", "replace")
    return _explain_abort(outcome, said)


class _Watch:
    """One worker while it runs: its pipes, its memory, its clock."""

    def __init__(self, order: Order, environment: Environment, stderr: Any) -> None:
        self._limits: Limits = within(order.cell.limits, Groups())
        self._shards = len(order.shards)
        self._outcome = Outcome()
        self._failed: tuple[Status, str] | None = None
        self._measured = False
        self._done = False
        self._pending: list[bytes] = []
        """Pieces of a line whose end has not come yet."""
        self._closed = False
        self._oom_kills = _oom_kills()
        self._began_ns = time.monotonic_ns()
        self._deadline_ns = self._began_ns + self._timeout_ns
        handed = order.turns.descriptors if order.turns else ()
        goes_on, self._go_on = os.pipe()
        try:
            self._process = subprocess.Popen(
                [environment.python, "-P", "-m", "firstbyte.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**_worker_environ(environment.root), **order.variables},
                start_new_session=True,
                bufsize=0,
                pass_fds=(*handed, goes_on),
            )
        finally:
            os.close(goes_on)
            if order.turns:  # the worker's own: the other sees its end by their closing
                order.turns.close()
        _offer(self._process.pid)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._observer: Observer | None = None
        self._poll_seconds = GUARD_SECONDS
        if order.instrument_module:
            module = importlib.import_module(order.instrument_module)
            if hasattr(module, "Observer"):
                self._observer = module.Observer(self._process.pid)
                self._poll_seconds = module.POLL_SECONDS
        self._looker = Looker(
            self._process.pid, [Path(path) for path in order.shards], rests=order.rests
        )
        self._outcome.evidence = self._looker.evidence
        self._own_status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY)
        self._other_statuses: list[int] = []
        """The memory limit holds for each of the processes whose status files are open here."""
        self._feed(replace(order, spawned_ns=self._began_ns, go_on_descriptor=goes_on))

    def _feed(self, order: Order) -> None:
        # One that died before it read the order says why by its exit status.
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(order.to_json().encode() + b"\n")

    def _guard(self, pids: Sequence[int]) -> None:
        """Hold these processes to the memory limit as well, instead of those before."""
        self._unguard()
        for pid in pids:
            with contextlib.suppress(FileNotFoundError):  # it has ended already
                self._other_statuses.append(os.open(f"/proc/{pid}/status", os.O_RDONLY))

    def _unguard(self) -> None:
        for status in self._other_statuses:
            os.close(status)
        self._other_statuses = []

    def run(self) -> Outcome:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._stdout, selectors.EVENT_READ)
                self._follow(selector)
        finally:
            self._kill_group()
            code = self._process.wait()
            with contextlib.suppress(BrokenPipeError):
                self._stdin.close()
            self._stdout.close()
            self._unguard()
            os.close(self._own_status)
            os.close(self._go_on)
            self._looker.close()
            self._stop_observing()
        outcome = self._outcome
        outcome.duration_s = (time.monotonic_ns() - self._began_ns) / 1e9
        outcome.status, outcome.reason = self._judge(code)
        return outcome

    def _follow(self, selector: selectors.BaseSelector) -> None:
        """Until the worker has ended, or breaks the protocol or a limit."""
        guard_ns = 0
        while self._listen(selector):
            if self._observer:
                self._observer.poll()
            now_ns = time.monotonic_ns()
            if now_ns > self._deadline_ns:
                if not self._hear_out(selector):
                    return
                self._failed = (Status.TIMEOUT, self._overdue())
                self._process.send_signal(signal.SIGUSR2)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(TRACEBACK_GRACE_SECONDS)
                return
            if now_ns > guard_ns:
                guard_ns = now_ns + int(GUARD_SECONDS * 1e9)
                if self._over_memory():
                    return

    def _hear_out(self, selector: selectors.BaseSelector) -> bool:
        """Take what an overdue worker has said already, as it decides how far it came; False as `_listen`.

        No more than MOST_HEARD_OUT chunks: one that never stops talking is overdue as well.
        """
        for _ in range(MOST_HEARD_OUT):
            if self._closed or not selector.select(0):
                break
            if not self._listen(selector):
                return False
        return True

    def _listen(self, selector: selectors.BaseSelector) -> bool:
        """Take what comes in the time of a poll; False once nothing will come any more."""
        # Asked before the pipe is looked at: what a worker wrote before it ended is there then.
        ended = self._process.poll() is not None
        if self._closed:  # the process must still end by itself, within its limits
            if not ended:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(self._poll_seconds)
            return not ended
        if selector.select(self._poll_seconds):
            chunk = os.read(self._stdout.fileno(), 1 << 16)
            self._looker.heard(len(chunk))
            self._closed = not chunk
            return self._receive(chunk)
        return not ended  # a process that it left behind may hold the protocol open

    @property
    def _timeout_ns(self) -> int:
        return int(self._limits.timeout_s * 1e9)

    def _overdue(self) -> str:
        if self._done:
            return f"work done, but no exit after {self._limits.timeout_s:g} s"
        of_what = " of its verification" if self._measured else ""
        return f"no end{of_what} after {self._limits.timeout_s:g} s"

    def _stop_observing(self) -> None:
        if self._observer:
            self._observer.close()
        self._observer = None
        self._poll_seconds = GUARD_SECONDS

    def _over_memory(self) -> bool:
        held = 0
        for status in (self._own_status, *self._other_statuses):
            with contextlib.suppress(ProcessLookupError):
                held = max(held, read_status(status).held)
        if held <= self._limits.memory_bytes:
            return False
        self._failed = (
            Status.OUT_OF_MEMORY,
            f"private and shared memory of {held / 1e6:,.0f} MB is over the limit of "
            f"{self._limits.memory_bytes / 1e6:,.0f} MB",
        )
        return True

    def _receive(self, chunk: bytes) -> bool:
        """Take what came through the protocol; False where it is none."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = b"".join((*self._pending, end))
            self._pending = []
            try:
                self._take(decode(line))
            except ProtocolError as error:
                shown = line[:60].decode("utf-8", "replace")
                self._failed = (Status.ERROR, f"broke the protocol with {shown!r} ({error})")
                return False
        self._pending.append(rest)
        if sum(map(len, self._pending)) > LONGEST_LINE_BYTES:
            problem = f"a line of more than {LONGEST_LINE_BYTES / 1e6:,.0f} MB"
            self._failed = (Status.ERROR, f"broke the protocol with {problem}")
            return False
        return True

    def _take(self, event: Event) -> None:
        """Note an event. Raises ProtocolError for one that does not fit the order."""
        if isinstance(event, Counted | FirstValue | Digested) and event.shard >= self._shards:
            raise ProtocolError(f"shard is {event.shard}, but there are {self._shards}")
        if isinstance(event, Sampled) and self._measured:
            raise ProtocolError("a sample after all was measured")
        outcome = self._outcome
        match event:
            case Sampled():
                series = {name: list(points) for name, points in event.series.items()}
                outcome.samples.append(Sample(self._figures(event), series))
                self._looker.evidence.sampled(event.begin_ns, event.end_ns)
            case StoodStill():
                self._look(event.at)
            case Settled():
                outcome.settled = event
            case Counted():
                outcome.rows.append(event)
                self._looker.evidence.delivered(event.shard)
            case FirstValue():
                outcome.first_values.append(event)
                self._looker.evidence.delivered(event.shard)
            case Digested():
                outcome.digests.append(event)
            case Observed():
                self._looker.name(event.pids)
                self._guard(event.pids)
                if self._observer:
                    self._observer.observe(event.pids)
            case AllMeasured():
                # What is read again for its digests takes its own time, and none of it is a figure.
                self._measured = True
                self._deadline_ns = time.monotonic_ns() + self._timeout_ns
                self._stop_observing()
            case Prepared():
                outcome.prepared = tuple(event.shards)
            case Versions():
                outcome.versions = event.versions
            case Failed():
                self._failed = (_FAILURES[event.kind], event.reason[:LONGEST_REASON_CHARACTERS])
            case Done():
                self._done = True

    def _look(self, place: str) -> None:
        """Look at the worker, which stands still, and let it go on."""
        self._looker.look(place)
        with contextlib.suppress(BrokenPipeError):  # it has ended meanwhile
            os.write(self._go_on, b".")

    def _figures(self, event: Sampled) -> dict[str, float]:
        """The figures of both halves of the instrument."""
        values = dict(event.values)
        if self._observer:
            try:
                values |= self._observer.values(event.begin_ns, event.end_ns, values)
            except Exception as error:  # it may need what the worker did not send
                problem = f"{type(error).__name__}: {error}"
                raise ProtocolError(f"its instrument cannot use it: {problem}") from error
        return values

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _judge(self, code: int) -> tuple[Status, str]:
        if self._failed:
            return self._failed
        if self._done and code == 0:
            return Status.OK, ""
        if code < 0:
            name = _signal_name(-code)
            if name == "SIGKILL" and _oom_kills() > self._oom_kills:
                return Status.OUT_OF_MEMORY, "killed by the kernel's out-of-memory killer"
            when = " after its work was done" if self._done else ""
            return Status.CRASHED, f"killed by {name}{when}"
        return Status.CRASHED, f"exited with code {code} without a result"


_FAILURES = {
    "unsupported": Status.SKIPPED,
    "refused": Status.ERROR,
    "memory": Status.OUT_OF_MEMORY,
    "error": Status.ERROR,
}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number only
        return f"signal {number}"


def _telling_part(said: bytes) -> bytes:
    """The end of what a worker said, or the innermost frames of the last stack in it."""
    start = max(0, len(said) - STDERR_TAIL_BYTES)
    for words in (b"Fatal Python error", b"Current thread 0x"):  # faulthandler's
        if (found := said.rfind(words)) >= 0:
            start = min(start, found)
            break
    return said[start : start + STDERR_TAIL_BYTES]


def _explain_abort(outcome: Outcome, said: bytes) -> Outcome:
    """Rust and C++ abort where an allocation fails: that is out of memory, not a crash of unknown cause."""
    for words in (b"memory allocation of", b"std::bad_alloc"):
        if outcome.status is Status.CRASHED and words in said:
            outcome.status = Status.OUT_OF_MEMORY
            outcome.reason = f"{outcome.reason}: an allocation failed"
    return outcome


def _offer(pid: int) -> None:
    """Have the kernel kill this process, and what it starts, rather than the parent where memory ends."""
    with contextlib.suppress(OSError):  # it has ended already
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")


def _oom_kills() -> int:
    """Processes that the kernel has killed for want of memory: of our group, and since boot."""
    group = Groups().oom_kills()
    for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return group + int(count)
    return group


def _worker_environ(root: str) -> dict[str, str]:
    """The parent's environment, with `firstbyte` on the import path and nothing that changes the work."""
    environ = dict(os.environ)
    environ["PYTHONPATH"] = root
    environ["PYTHONHASHSEED"] = "0"
    environ[MARK] = secrets.token_hex(8)
    return environ


def current_environment() -> Environment:
    """The interpreter and the `firstbyte` that run the parent, under the name `current`."""
    return Environment("current", sys.executable, str(PACKAGE.parent))
