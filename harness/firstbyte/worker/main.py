"""The child: reads one order on standard input, does it, and writes JSON lines.

Standard library only until the backend is imported. File descriptor 1 becomes standard error, so that
stray prints of libraries cannot break the protocol, which goes on through a descriptor of its own.
A worker can be run by hand: `firstbyte cell ... | python -m firstbyte.worker`.
"""

import time

STARTED_NS = time.monotonic_ns()

import faulthandler  # noqa: E402  (the stamp above is the end of `spawn_ns`)
import fcntl  # noqa: E402
import importlib  # noqa: E402
import operator  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator, Mapping, Sequence  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, cast  # noqa: E402

from firstbyte.api import (  # noqa: E402
    Backend,
    BuildRefusedError,
    Instrument,
    KeptBatches,
    Probe,
    Scenario,
    Shard,
    Unsupported,
)
from firstbyte.plugins import mount  # noqa: E402
from firstbyte.worker import protocol  # noqa: E402
from firstbyte.worker.kept import KeptPass, drawn  # noqa: E402
from firstbyte.worker.loading import create_backend  # noqa: E402
from firstbyte.worker.order import DIGEST, DUMP, MEASURE, Order, Pass, dump_path  # noqa: E402
from firstbyte.worker.settling import settle  # noqa: E402
from firstbyte.worker.status import own_status  # noqa: E402
from firstbyte.worker.turns import TurnTaker  # noqa: E402
from firstbyte.worker.verify import dump, elsewhere, shard_digests  # noqa: E402
from firstbyte.worker.ways import NotingBackend, Ways  # noqa: E402

TRACEBACK_SIGNAL = signal.SIGUSR2
"""The parent sends it before it kills a worker that takes too long: all stacks go to stderr."""

CLOCK = "clock"
"""The instrument under which a pass more disturbs no figure."""

OBSERVER_SWITCH_SECONDS = 0.01
"""Time for the parent, which polls every millisecond, to turn to other processes before a span."""


class Sender:
    """Events to the parent, on a descriptor that children do not inherit."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)

    def send(self, event: protocol.Event) -> None:
        remaining = memoryview(protocol.encode(event))
        while remaining:
            remaining = remaining[os.write(self._descriptor, remaining) :]


class Standstill:
    """Where a worker stands still until the parent has looked at it."""

    def __init__(self, sender: Sender, go_on_descriptor: int | None) -> None:
        self._sender = sender
        self._go_on = go_on_descriptor
        if go_on_descriptor is not None:
            os.set_inheritable(go_on_descriptor, False)

    def at(self, place: str) -> None:
        """Not at all where nobody looks, as in a worker that is run by hand."""
        if self._go_on is not None:
            self._sender.send(protocol.StoodStill(place))
            os.read(self._go_on, 1)


class WorkerBench:
    """The `Bench` of firstbyte.api in a worker process."""

    def __init__(
        self,
        order: Order,
        sender: Sender,
        standstill: Standstill,
        probe: Probe,
        backend: Backend,
        startup: dict[str, float],
    ) -> None:
        self.shards: Sequence[Shard] = order.readable_shards()
        self._unnoted = backend
        self._ways = Ways(self.shards)
        self.backend: Backend = NotingBackend(backend, self._ways)
        self.columns: Sequence[str] | None = None
        self.text_column = order.text_column
        self.batch_rows = order.batch_rows
        self.params = order.cell.params
        self.instrument = order.cell.instrument
        self.repetitions = order.cell.repetitions
        self.final_process = order.final_process
        self.startup: Mapping[str, float] = startup
        self.create_backend: Callable[[], Backend] = partial(
            create_backend, order.plugin_roots, order.backend_module, order.backend_options
        )
        self._sender = sender
        self._standstill = standstill
        self._probe = probe
        self._turns = TurnTaker(order.turns) if order.turns else None
        self._settles = order.settles
        self._copies = tuple(map(Path, order.copies))
        self._observing_others = False
        self._figures: dict[str, float] = {}
        self._span_ns = (0, 0)
        self._kept: KeptPass | None = None

    @contextmanager
    def span(self) -> Iterator[dict[str, float]]:
        self._figures = {}
        if self._settles:
            self._settles = False
            settled = settle()
            self._sender.send(protocol.Settled(settled.waited_ns, settled.quiet))
        if self._turns:
            self._turns.await_turn()
        self._standstill.at(protocol.BEFORE_SPAN)
        begin_ns = time.monotonic_ns()
        self._probe.begin()
        try:
            yield self._figures
        finally:
            figures = self._probe.end()
            self._span_ns = (begin_ns, time.monotonic_ns())
            self._standstill.at(protocol.AFTER_SPAN)
            if not self._observing_others:
                self._figures.update(figures)

    def emit(
        self, values: Mapping[str, float], series: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        whole = {**self._figures, **values}
        self._sender.send(
            protocol.Sampled(
                {name: _plain(value) for name, value in whole.items()},
                {name: list(map(_plain, points)) for name, points in (series or {}).items()},
                *self._span_ns,
            )
        )
        self._figures = {}

    def check_rows(self, shard: int, rows: int) -> None:
        self._sender.send(protocol.Counted(shard, operator.index(rows)))

    def check_first_value(self, shard: int, value: object, rows: int | None = None) -> None:
        self._sender.send(protocol.FirstValue(shard, value, rows))

    def check_digests(self, shard: int, digests: Mapping[str, Any]) -> None:
        self._ways.verified(shard)
        self._sender.send(protocol.Digested(shard, **digests))

    def keep(self) -> KeptPass | None:
        # Elsewhere than under the clock it would be in the figures of whoever looks from outside.
        wanted = self.final_process and self.instrument == CLOCK and not self._turns
        return drawn(self.shards) if wanted else None

    def check_kept(self, kept: KeptBatches) -> None:
        assert isinstance(kept, KeptPass)
        self._kept = kept

    def verify(self, shard: int) -> None:
        self._ways.add(shard, self.columns, self.batch_rows)

    def end(self) -> None:
        """Say that all is measured; then read once more what this process has read, for its digests."""
        self._sender.send(protocol.AllMeasured())
        if not self.final_process:
            return
        if self._copies:
            self._open_copies()
        for one in self._ways.left():
            shard = self.shards[one.shard]
            digests = shard_digests(self._unnoted, shard, one.batch_rows, one.columns)
            self._sender.send(protocol.Digested(one.shard, **digests))
        # Last, as its shard was drawn: what is wrong in others as well is said of the first.
        if self._kept is not None:
            self._sender.send(protocol.Digested(self._kept.shard, **self._kept.digests()))

    def _open_copies(self) -> None:
        """Take the first value of the first shard and that of a copy of it, in turns; the parent looks on."""
        self._standstill.at(protocol.BEFORE_COPY)
        for copy in self._copies:
            self._take_first_value(self.shards[0].path)
            self._standstill.at(protocol.AFTER_KNOWN)
            self._take_first_value(copy)
            self._standstill.at(protocol.AFTER_COPY)

    def _take_first_value(self, path: Path) -> None:
        opened = self._unnoted.open(path, columns=self.columns, batch_rows=self.batch_rows)
        with opened as reader:
            for batch in reader:
                reader.first_value(batch, self.text_column)
                break

    def observe(self, pids: Sequence[int]) -> None:
        self._observing_others = True
        self._sender.send(protocol.Observed(list(pids)))
        time.sleep(OBSERVER_SWITCH_SECONDS)


def die_with_parent() -> None:
    """Have the kernel end this process when the parent closes our standard input, as on its death.

    SIGIO of a pipe whose writer has gone (fcntl(2), O_ASYNC); it needs no thread. The default action
    of SIGIO ends the process. The group is the owner, so reader processes end as well.
    """
    if os.getpgrp() != os.getpid():
        return  # run by hand: the shell's pipeline would be the owner
    fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # it died while this was set up: no signal will come
        os.kill(0, signal.SIGIO)


def main() -> int:
    """Do the order on standard input. Returns the exit code: 0 when a `done` was sent."""
    sender = Sender()
    faulthandler.enable()
    # Chained to what the signal does by itself: the process ends as soon as its stacks are written.
    faulthandler.register(TRACEBACK_SIGNAL, all_threads=True, chain=True)
    try:
        order = Order.from_json(sys.stdin.readline())
    except (ValueError, KeyError, TypeError) as error:
        print(f"worker: standard input holds no order: {error}", file=sys.stderr)
        return 2
    die_with_parent()
    sender.send(protocol.Started(os.getpid()))
    try:
        work(order, sender)
    except Unsupported as error:
        sender.send(protocol.Failed("unsupported", str(error)))
    except BuildRefusedError as error:
        sender.send(protocol.Failed("refused", str(error)))
    except MemoryError as error:
        sender.send(protocol.Failed("memory", f"MemoryError: {error}".rstrip(": ")))
    except SystemExit:
        raise
    except BaseException as error:  # a Rust panic is no Exception, and must be named all the same
        import traceback

        traceback.print_exc()
        sender.send(protocol.Failed("error", f"{type(error).__name__}: {error}"))
    else:
        sender.send(protocol.Done())
        return 0
    return 1


def work(order: Order, sender: Sender) -> None:
    """Import the backend (timed), then prepare or measure."""
    mount(order.plugin_roots)
    probe = _probe(order.instrument_module) if order.instrument_module else None
    measures = order.task == MEASURE
    scenario = cast(Scenario, importlib.import_module(order.scenario_module)) if measures else None
    before = own_status()
    import_began_ns = time.monotonic_ns()
    backend = create_backend(order.plugin_roots, order.backend_module, order.backend_options)
    imported_ns = time.monotonic_ns()
    after = own_status()
    startup: dict[str, float] = {
        "harness_ns": import_began_ns - STARTED_NS,
        "import_ns": imported_ns - import_began_ns,
        "import_rss_anon_bytes": after.anon - before.anon,
        "import_rss_shmem_bytes": after.shmem - before.shmem,
        "import_rss_file_bytes": after.file - before.file,
    }
    if order.spawned_ns:
        startup["spawn_ns"] = STARTED_NS - order.spawned_ns
    if order.task == DIGEST:
        for number, shard in enumerate(order.readable_shards()):
            digests = shard_digests(backend, shard, order.batch_rows)
            sender.send(protocol.Digested(number, **digests))
    elif order.task == DUMP:
        for number, shard in enumerate(order.readable_shards()):
            for pass_ in order.passes:
                path = dump_path(order.prepared_directory, number, pass_)
                read = partial(dump, backend, shard, order.batch_rows, path)
                elsewhere(read) if pass_ is Pass.THREAD else read()
    elif scenario is None or probe is None:
        sources = [Path(path) for path in order.shards]
        prepared = backend.prepare(sources, Path(order.prepared_directory))
        if len(prepared) != len(sources):
            raise ValueError(f"prepare returned {len(prepared)} paths for {len(sources)} shards")
        sender.send(protocol.Prepared([str(path) for path in prepared]))
    else:
        standstill = Standstill(sender, order.go_on_descriptor)
        standstill.at(protocol.IMPORTED)
        bench = WorkerBench(order, sender, standstill, probe, backend, startup)
        scenario.run(bench)
        bench.end()
        standstill.at(protocol.ENDED)
    sender.send(protocol.Versions(backend.versions()))


def _probe(module: str) -> Probe:
    return cast(Instrument, importlib.import_module(module)).Probe()


def _plain(figure: float) -> float:
    """The number as JSON knows it: a figure may be of a type that a library brought along."""
    return figure if type(figure) in (int, float) else float(figure)
