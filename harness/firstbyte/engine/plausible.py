"""Whether the figures of a worker can be true: what it said, held against what was seen of it from outside.

A rule is a function of the evidence that gives reasons. None of them knows what a reader is: each holds
figures against what no machine and no format allows, with room for whatever an honest one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from firstbyte.api import ReadsInSpan
from firstbyte.engine.looks import Evidence
from firstbyte.engine.plan import Planned
from firstbyte.model import Sample
from firstbyte.worker.instruments.clock import CPU
from firstbyte.worker.protocol import AFTER_COPY, AFTER_KNOWN

CLOCK_SLACK_NS = 1_000_000
"""Parent and worker read the same clock; this is for nothing but clocks of processors that differ."""
LEAST_SHARE = 0.25
"""Of a file that is read to its end, that is read at least: the rest may be indexes and filters."""
TOUCHED_BYTES = 16 * 4096
"""Of a mapped file, what one page fault brings in at most (fault_around_bytes)."""
TELLING_BYTES = 16_384
"""What is smaller may be read by the way, or not be noticed among what the harness reads of /proc."""
NOTHING_BYTES = 2_048
"""The harness itself reads some bytes of /proc in a span."""
COPIES = 5
"""So many are opened: all of them are hardly above all other reads by chance."""
COPY_RATIO = 2
METADATA_BYTES = 131_072
"""An honest reader may keep some metadata of a file, or what it has learnt of where that begins."""
LEAST_FAULTS = 2
"""Of a file that is mapped anew, the end and the beginning are touched."""
ASIDE_NS = 500_000
"""CPU time around a span that is in no figure: the instrument's own, and the worker's word to its parent."""
STATED_RATIO = 0.75
COPIED_BYTES_PER_NS = 10
"""Faster than any decompression; a copy of memory reaches it."""
LEAST_COMPRESSION, MOST_COMPRESSION = 1.1, 50
"""What is not compressed can be handed out as it lies there, what is very repetitive is made fast."""
REST_NS = 5_000_000
WHOLE_REST_SHARE = 0.1
"""Of the CPU time of a span, that threads may take after it until they sleep again."""
OUTSIDE_NS = 50_000_000
OUTSIDE_RATIO = 5
"""A reader that is closed early may still be at work for a while."""
STORED_BYTES = 16_000_000
"""Of bytecode, which an import may write in a new environment, there is less."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a process of a cell gave, and what was seen of it meanwhile."""

    planned: Planned
    samples: Sequence[Sample]
    evidence: Evidence
    sizes: Sequence[tuple[int, int]] = ()
    """Bytes of each shard, and of its column chunks before compression; empty where the backend reads files
    of its own."""
    footer_bytes: int = 0
    """Of the first shard, where it is a Parquet file."""

    def told(self, span: int) -> frozenset[int]:
        """The shards that it said it had delivered in that span."""
        return frozenset(one.shard for one in self.evidence.deliveries if one.span == span)

    def told_bytes(self, span: int) -> int:
        """Size of the files of these shards."""
        return sum(self.evidence.shard_bytes[shard] for shard in self.told(span))

    def least_bytes(self, span: int) -> float:
        """What must at least be read of them: not all that is in a file is rows."""
        return self.told_bytes(span) * LEAST_SHARE


def suspicions(claim: Claim) -> tuple[str, ...]:
    """Why the figures cannot be true, a reason for each rule that they break; none where they can."""
    found = (next(rule(claim), None) for rule in RULES)
    return tuple(reason for reason in found if reason is not None)


def clock(claim: Claim) -> Iterator[str]:
    """A span begins after the parent let the worker go on, and ends before it says that it has."""
    spans = claim.evidence.spans
    for number, stamps in enumerate(claim.evidence.stamps, 1):
        if stamps.span is None:
            if stamps.end_ns:
                yield f"sample {number} is of a span that nobody saw"
            continue
        span = spans[stamps.span]
        early_ns = span.before.ended_ns - stamps.begin_ns
        late_ns = stamps.end_ns - span.after.began_ns
        took_ns = span.after.began_ns - span.before.ended_ns
        if max(early_ns, late_ns) > CLOCK_SLACK_NS or stamps.end_ns < stamps.begin_ns:
            yield (
                f"its clock is not the machine's: it says that span {stamps.span + 1} took "
                f"{_time(stamps.end_ns - stamps.begin_ns)} and began "
                f"{_time(abs(early_ns))} {'before' if early_ns > 0 else 'after'} it could; "
                f"from outside it took {_time(took_ns)}"
            )


def zero(claim: Claim) -> Iterator[str]:
    """No time that is headlined is nothing."""
    times = {
        metric.name
        for metric in claim.planned.scenario.metrics
        if metric.headline and metric.name.endswith("_ns")
    }
    for number, sample in enumerate(claim.samples, 1):
        for name in sorted(times & sample.values.keys()):
            if sample.values[name] <= 0:
                yield f"{name} of sample {number} is {sample.values[name]:g}"


def opened(claim: Claim) -> Iterator[str]:
    """What a span delivered of a shard came from that shard: somebody has opened it meanwhile."""
    if claim.planned.scenario.reads is None:
        return
    for number, span in enumerate(claim.evidence.spans):
        if span.after.opened is None:
            continue
        if missing := claim.told(number) - span.after.opened:
            yield (
                f"span {number + 1} delivered shard {min(missing)}, whose file nobody opened meanwhile: "
                f"it was not read"
            )
        elif not span.after.opened:
            yield f"in span {number + 1} nobody opened a file of the corpus: nothing was read"


def read(claim: Claim) -> Iterator[str]:
    """A shard that was read to its end was read: by read(2), or by touching the pages of a mapped file."""
    if claim.planned.scenario.reads is not ReadsInSpan.WHOLE:
        return
    spans = list(enumerate(claim.evidence.spans))
    if all(span.read_bytes < TELLING_BYTES for _, span in spans):
        return  # in a way that is not counted, such as a mapping or io_uring(7)
    # Who reads by read(2) does so in all spans: only others may have touched pages instead. In one span alone
    # it may have been a library that was imported late.
    by_calls = sum(span.read_bytes >= claim.least_bytes(number) > 0 for number, span in spans) > 1
    for number, span in spans:
        touched = span.read_bytes + (0 if by_calls else span.faults * TOUCHED_BYTES)
        if touched < claim.least_bytes(number):
            yield (
                f"in span {number + 1} {_bytes(touched)} were read at most, of shards of "
                f"{_bytes(claim.told_bytes(number))} that were delivered whole"
            )


def read_again(claim: Claim) -> Iterator[str]:
    """A shard that is opened once more is read once more, or mapped once more."""
    spans = claim.evidence.spans
    if claim.planned.scenario.reads is None or not spans:
        return
    first_bytes = spans[0].read_bytes
    for number, span in enumerate(spans[1:], 2):
        nothing = span.read_bytes < NOTHING_BYTES and span.faults < LEAST_FAULTS
        if nothing and min(first_bytes, *claim.evidence.shard_bytes) >= TELLING_BYTES:
            yield (
                f"span {number} read {_bytes(span.read_bytes)}, span 1 {_bytes(first_bytes)}: what it "
                f"delivered was kept from a read before"
            )


def copied(claim: Claim) -> Iterator[str]:
    """Copies of a shard, under names that nobody has read before, take no more reading than the shard.

    But for metadata: the footer, and page indexes that may be as large.
    """
    evidence = claim.evidence
    # In the first span a library may have been imported late.
    known = [span.read_bytes for span in (*evidence.spans[1:], *evidence.before(AFTER_KNOWN))]
    copies = [span.read_bytes for span in evidence.before(AFTER_COPY)]
    if len(copies) < COPIES:
        return
    # Who reads ahead until it is closed reads more or less each time.
    most, least = max(known), min(copies)
    if least > COPY_RATIO * most + METADATA_BYTES + 2 * claim.footer_bytes:
        yield (
            f"it read {_bytes(most)} at most of a shard that it had read before, and {_bytes(least)} at "
            f"least of a copy of it: what it delivered was kept from a read before"
        )


def processor_clock(claim: Claim) -> Iterator[str]:
    """The CPU time that was stated is not less than what the kernel counted of the main thread alone."""
    evidence = claim.evidence
    stated_ns = seen_ns = 0.0
    for sample, stamps in zip(claim.samples, evidence.stamps, strict=False):
        if stamps.span is None or CPU.name not in sample.values:
            return
        span = evidence.spans[stamps.span]
        if span.after.children or span.after.named:  # looking for them takes time of its own
            return
        stated_ns += sample.values[CPU.name]
        seen_ns += max(0, span.main_cpu_ns - ASIDE_NS)
    if stated_ns < STATED_RATIO * seen_ns:
        yield (
            f"its clock of CPU time is not the machine's: it says {_time(stated_ns)}, the kernel "
            f"{_time(seen_ns)} for the main thread alone"
        )


def speed(claim: Claim) -> Iterator[str]:
    """Pages that are compressed are decompressed: no processor does that faster than it copies memory."""
    if claim.planned.scenario.reads is not ReadsInSpan.WHOLE or not claim.sizes:
        return
    for number, span in enumerate(claim.evidence.spans):
        sizes = [claim.sizes[shard] for shard in claim.told(number)]
        stored, raw = sum(one[0] for one in sizes), sum(one[1] for one in sizes)
        if span.after.named or not LEAST_COMPRESSION < raw / max(1, stored) < MOST_COMPRESSION:
            continue
        if raw > span.cpu_ns * COPIED_BYTES_PER_NS:
            yield (
                f"span {number + 1} took {_time(span.cpu_ns)} of CPU time, less than the floor: "
                f"{_bytes(raw)} to decompress"
            )


def lingering(claim: Claim) -> Iterator[str]:
    """A reader that has delivered everything has nothing left to do after the span, and no child ever has.

    Not judged is a span in which a library was loaded: what an import starts may spin for a while (numpy's
    threads do), and no second span of the process loads it again.
    """
    reads = claim.planned.scenario.reads
    if reads is None:
        return
    share = WHOLE_REST_SHARE if reads is ReadsInSpan.WHOLE else OUTSIDE_RATIO
    for number, span in enumerate(claim.evidence.spans, 1):
        own_ns = span.main_cpu_ns + span.threads_cpu_ns
        loaded = span.after.libraries > span.before.libraries
        if not loaded and span.after.lingered_ns > REST_NS + share * own_ns:
            yield (
                f"its threads or child processes went on after span {number}, outside any: "
                f"{_time(span.after.lingered_ns)} of CPU time, {_time(own_ns)} in the span"
            )


def outside(claim: Claim) -> Iterator[str]:
    """The work is done in the spans, and not before them by other threads or by children."""
    evidence = claim.evidence
    if claim.planned.scenario.reads is None or any(look.named for look in evidence.looks):
        return
    spans = evidence.spans
    most_ns = max((span.cpu_ns for span in spans), default=0)
    for number, step in enumerate(evidence.outside, 1):
        for who, used_ns in (
            ("other threads", step.threads_cpu_ns),
            ("children", step.children_cpu_ns),
        ):
            if used_ns > OUTSIDE_NS + OUTSIDE_RATIO * most_ns:
                yield (
                    f"before span {number}, outside any, its {who} took {_time(used_ns)} of CPU time; "
                    f"no span took more than {_time(most_ns)}"
                )


def stored(claim: Claim) -> Iterator[str]:
    """A reader writes no files: what it leaves there, the next one need not decode."""
    looks = claim.evidence.looks
    if (
        claim.planned.scenario.reads is None
        or len(looks) < 2
        or claim.planned.instrument.name == "heap"
    ):
        return
    first, last = looks[0], looks[-1]
    written = last.stored_bytes - first.stored_bytes
    if not any(look.children_cpu_ns or look.named for look in looks):  # there is no pipe to anyone
        written = max(written, last.written_bytes - first.written_bytes)
    most_bytes = max(STORED_BYTES, sum(claim.evidence.shard_bytes) / 4)
    if written > most_bytes:
        yield f"it wrote {_bytes(written)} to files, which a reader does not"
    # Files in memory have a name there, and are anybody's: but it has written what nobody of its family has
    # read, as they do what goes through pipes.
    appeared = max(look.shared_files_bytes for look in looks) - first.shared_files_bytes
    unread = (last.written_bytes - first.written_bytes) - (last.read_bytes - first.read_bytes)
    if min(appeared, unread) > most_bytes:
        yield f"it wrote to files in /dev/shm, which a reader does not: {_bytes(appeared)} came there"


RULES: tuple[Callable[[Claim], Iterator[str]], ...] = (
    clock,
    zero,
    processor_clock,
    opened,
    read,
    read_again,
    copied,
    speed,
    lingering,
    outside,
    stored,
)


def _time(took_ns: float) -> str:
    return f"{took_ns / 1e6:,.3f} ms"


def _bytes(size: float) -> str:
    return f"{size:,.0f} bytes"
