"""What the parent sees of a worker that stands still for it: after the import, before and after each span.

All of it is the kernel's own count, and the parent's own clock. Nothing is read while a span runs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from firstbyte.engine.openings import Openings
from firstbyte.worker.family import NS_PER_TICK, Births, Family, cpu_ns
from firstbyte.worker.protocol import AFTER_SPAN, BEFORE_SPAN
from firstbyte.worker.settling import others_want_to_run
from firstbyte.worker.shared_folder import folder_bytes

REST_SECONDS = 0.5
REST_STEP_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Look:
    """Counters of a worker, and of what it has started, up to one moment."""

    place: str
    """One of `firstbyte.worker.protocol.PLACES`."""
    began_ns: int
    """CLOCK_MONOTONIC of the parent once it knew that the worker stood still."""
    ended_ns: int
    """The same before it let the worker go on."""
    main_cpu_ns: int
    """CPU time of the worker's main thread."""
    threads_cpu_ns: int
    """Of all its other threads."""
    children_cpu_ns: int
    """Of the processes that it started, but for those that the scenario had named."""
    read_bytes: int
    """By read(2) and its like, from whatever it was (rchar of proc_pid_io(5)); named processes included."""
    written_bytes: int
    """The same by write(2), without what it wrote to its parent."""
    faults: int
    """Pages that it touched for the first time, as those of a mapped file are."""
    threads: int
    children: int
    """Living processes that it started, but for those that were named."""
    named: int
    """How many processes the scenario had named."""
    stored_bytes: int
    """What it wrote to file systems that have a disk behind them (write_bytes)."""
    shared_files_bytes: int
    """Of all files of the user in /dev/shm, whoever wrote them."""
    libraries: int
    """Mappings of code that it has loaded: an import adds some."""
    lingered_ns: int
    """CPU time that it took after the span, until its threads were at rest or REST_SECONDS had passed."""
    opened: frozenset[int] | None
    """Shards that anyone has opened since the look before; None where the kernel did not tell."""


@dataclass(frozen=True, slots=True)
class Between:
    """What happened between two looks: in a span, or outside one."""

    before: Look
    after: Look

    @property
    def is_span(self) -> bool:
        return (self.before.place, self.after.place) == (BEFORE_SPAN, AFTER_SPAN)

    @property
    def main_cpu_ns(self) -> int:
        return self.after.main_cpu_ns - self.before.main_cpu_ns

    @property
    def cpu_ns(self) -> int:
        """Of all threads, and of children that the scenario had not named."""
        return self.main_cpu_ns + self.threads_cpu_ns + self.children_cpu_ns

    @property
    def threads_cpu_ns(self) -> int:
        return max(0, self.after.threads_cpu_ns - self.before.threads_cpu_ns)

    @property
    def children_cpu_ns(self) -> int:
        return max(0, self.after.children_cpu_ns - self.before.children_cpu_ns)

    @property
    def read_bytes(self) -> int:
        return max(0, self.after.read_bytes - self.before.read_bytes)

    @property
    def faults(self) -> int:
        return max(0, self.after.faults - self.before.faults)


@dataclass(frozen=True, slots=True)
class Stamps:
    """What the worker said of when the span of a sample began and ended, by its CLOCK_MONOTONIC."""

    begin_ns: int
    end_ns: int
    span: int | None
    """Place among the spans of the one that had ended last; None where there had been none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Rows or a value of a shard, that the worker told of."""

    shard: int
    span: int | None
    """Place among the spans of the one that had begun last; None where there had been none."""


@dataclass(slots=True)
class Evidence:
    """What the parent knows of a worker without having asked it."""

    looks: list[Look] = field(default_factory=list)
    stamps: list[Stamps] = field(default_factory=list)
    """For each sample in turn."""
    deliveries: list[Delivery] = field(default_factory=list)
    shard_bytes: tuple[int, ...] = ()
    """Size of each file that it was told to read."""

    @property
    def spans(self) -> list[Between]:
        """Those that were seen whole, in turn."""
        return [one for one in self._steps() if one.is_span]

    @property
    def outside(self) -> list[Between]:
        """From the import to the first span, and from one to the next."""
        return self.before(BEFORE_SPAN)

    def before(self, place: str) -> list[Between]:
        """What led to the looks at that place."""
        return [one for one in self._steps() if one.after.place == place]

    def _steps(self) -> Iterator[Between]:
        return (Between(*pair) for pair in pairwise(self.looks))

    def delivered(self, shard: int) -> None:
        """Note that the worker told of that shard."""
        begun = sum(look.place == BEFORE_SPAN for look in self.looks)
        self.deliveries.append(Delivery(shard, begun - 1 if begun else None))

    def sampled(self, begin_ns: int, end_ns: int) -> None:
        """Note that a sample came with these stamps."""
        seen = len(self.spans)
        self.stamps.append(Stamps(begin_ns, end_ns, seen - 1 if seen else None))


class Looker:
    """Looks at one worker and all that it starts."""

    def __init__(self, pid: int, shards: Sequence[Path], *, rests: bool) -> None:
        """`rests`: whether nothing should be left to do after a span."""
        self._rests = rests
        self.evidence = Evidence(shard_bytes=tuple(map(_size, shards)))
        self._pid = pid
        self._family = Family([pid], session=pid)
        self._births = Births()
        self._children: list[int] = []
        self._named: frozenset[int] = frozenset()
        self._openings = Openings(shards)
        self._heard_bytes = 0

    def name(self, pids: Collection[int]) -> None:
        """These are the scenario's own: what they do is the reader's work."""
        self._named = frozenset(pids)

    def heard(self, count_bytes: int) -> None:
        """So much came from the worker through the protocol."""
        self._heard_bytes += count_bytes

    def look(self, place: str) -> None:
        """Note what is to be seen; nothing once the worker has gone."""
        with contextlib.suppress(OSError):
            self.evidence.looks.append(self._seen(place))

    def _seen(self, place: str) -> Look:
        """Raises OSError once the worker has gone."""
        began_ns = time.monotonic_ns()
        opened = self._openings.since_last()
        if self._births.any():
            self._children += self._family.newcomers()
        own = _Counters.of(self._pid)
        main_ns = _main_thread_cpu_ns(self._pid)
        started = self._started()
        strangers = {pid: one for pid, one in started.items() if pid not in self._named}
        lingered_ns = self._lingered_ns(strangers) if place == AFTER_SPAN else 0
        return Look(
            place=place,
            began_ns=began_ns,
            ended_ns=time.monotonic_ns(),
            main_cpu_ns=main_ns,
            threads_cpu_ns=max(0, own.cpu_ns - main_ns),
            children_cpu_ns=own.reaped_cpu_ns + sum(one.whole_cpu_ns for one in strangers.values()),
            read_bytes=sum(one.read_bytes for one in (own, *started.values())),
            written_bytes=sum(one.written_bytes for one in (own, *started.values()))
            - self._heard_bytes,
            faults=sum(one.faults for one in (own, *started.values())),
            threads=own.threads,
            children=len(strangers),
            named=len(self._named),
            stored_bytes=sum(one.stored_bytes for one in (own, *started.values())),
            shared_files_bytes=folder_bytes(),
            libraries=_libraries(self._pid),
            lingered_ns=lingered_ns,
            opened=opened,
        )

    def close(self) -> None:
        """Idempotent."""
        self._openings.close()
        self._births.close()

    def _lingered_ns(self, children: Collection[int]) -> int:
        """What was used until nobody wanted to run: no child, and no thread where they should have rested.

        The main thread stands still.
        """
        working = [(child, -1) for child in children]
        if self._rests:
            working.append((self._pid, self._pid))
        began_ns = {pid: _used_ns(pid) for pid, _ in working}
        deadline = time.monotonic() + REST_SECONDS
        while any(_works(*one) for one in working) and time.monotonic() < deadline:
            time.sleep(REST_STEP_SECONDS)
        return sum(max(0, _used_ns(pid) - used_ns) for pid, used_ns in began_ns.items())

    def _started(self) -> dict[int, _Counters]:
        """Counters of the living ones that it started."""
        found = {}
        for pid in self._children:
            with contextlib.suppress(OSError):
                found[pid] = _Counters.of(pid)
        self._children = list(found)
        return found


def _libraries(pid: int) -> int:
    try:
        maps = Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return 0
    return sum(b" r-xp " in line and b"/" in line for line in maps.splitlines())


class _Counters(NamedTuple):
    """What the kernel counts of a process, with what it counted of children that were waited for."""

    cpu_ns: int
    reaped_cpu_ns: int
    faults: int
    threads: int
    read_bytes: int
    written_bytes: int
    stored_bytes: int

    @property
    def whole_cpu_ns(self) -> int:
        return self.cpu_ns + self.reaped_cpu_ns

    @classmethod
    def of(cls, pid: int) -> _Counters:
        """Raises OSError once it has gone."""
        text = Path(f"/proc/{pid}/stat").read_bytes()
        fields = text[text.rindex(b")") + 2 :].split()  # from the third on: a name may hold spaces
        if fields[0] == b"Z":  # it has ended, and nobody has waited for it
            used = (int(fields[11]) + int(fields[12])) * NS_PER_TICK
            reaped = (int(fields[13]) + int(fields[14])) * NS_PER_TICK
            return cls(used, reaped, 0, 0, *_io_bytes(pid))
        return cls(
            cpu_ns(pid),
            (int(fields[13]) + int(fields[14])) * NS_PER_TICK,
            sum(int(fields[place]) for place in (7, 8, 9, 10)),
            int(fields[17]),
            *_io_bytes(pid),
        )


def _io_bytes(pid: int) -> tuple[int, int, int]:
    """Read, written, stored. Raises OSError once it has gone."""
    io = dict(line.split(b": ") for line in Path(f"/proc/{pid}/io").read_bytes().splitlines())
    return int(io[b"rchar"]), int(io[b"wchar"]), int(io[b"write_bytes"])


def _used_ns(pid: int) -> int:
    """CPU time of that process: 0 once it has gone."""
    try:
        return _Counters.of(pid).cpu_ns
    except OSError:
        return 0


def _works(pid: int, thread: int) -> bool:
    """Whether a thread of that process but for this one wants to run."""
    try:
        return others_want_to_run(pid, thread)
    except OSError:  # it has ended
        return False


def _main_thread_cpu_ns(pid: int) -> int:
    """Raises OSError where the kernel does not keep it, or the process has gone."""
    return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[0])


def _size(path: Path) -> int:
    """In bytes; 0 for a file that is not there, as the worker will say."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
