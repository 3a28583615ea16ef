"""Damaged files: rows that the file itself contradicts must not be handed out, whatever was done to it.

A file is damaged in its bytes, half of the time with the checksums of pages made right again, or while it is
written, under whatever codec and checksum it has. What must hold of rows that come without an error:

- they are as many as the footer says;
- every way through the file gives the same ones;
- where pages have checksums and only their bodies were changed, they are those of the sound file.

Where our two readers see different rows, others must say which of them is wrong.
"""

from __future__ import annotations

import functools
import random
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import firstbyte_arrow
import pyarrow as pa
import pyarrow.parquet as pq
from mutations.mutators import MUTATORS, Base, Mutant
from mutations.readers import LIMITS, PEAK_LIMIT_BYTES
from mutations.thrift import NotThrift, Walk, encode, zigzag

from . import crate, pure
from .canonical import Columns
from .faults import Bad, Fault, Greedy, WrongRows, untyped_becomes_bad
from .memory import Growth
from .own_writer import Page, own_file
from .valid import NotWritten, Report, Sound, sound_file

MUTANTS_OF_ONE = 16
"""Mutants that are made of each sound file."""
PURE_GROWTH_BYTES = 64 << 20
"""What reading a file of some kilobytes may add to the process."""
CRC, PAGE_TYPE = (4,), (1,)
AIMED = ("header", "footer", "row", "index")


class ReadersDiffer(Bad):
    """Our two readers see different rows."""

    kind = "readers differ"


@functools.lru_cache(maxsize=4)
def _sound(seed: int, number: int) -> Sound:
    draw = random.Random(f"base {seed}/{number}")
    while True:
        try:
            return sound_file(draw)
        except NotWritten:
            continue


@functools.lru_cache(maxsize=4)
def _base(seed: int, number: int) -> Base | None:
    """None where the file's structure cannot be followed, as some old habits have it."""
    try:
        base = Base.of("base", _sound(seed, number).data)
    except (NotThrift, IndexError, ValueError):
        return None
    return base if base.headers else None


@functools.lru_cache(maxsize=4)
def _rows(seed: int, number: int) -> Columns | None:
    """What is in the sound file; None where the crate does not read it."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(_sound(seed, number).data)
        file.flush()
        try:
            return crate.scan(crate.open_file(Path(file.name)))
        except crate.ERRORS:
            return None


def damaged_file(seed: int, number: int) -> tuple[str, bytes, Columns | None]:
    """What was done, the file, and its rows where damage to them must be noticed."""
    draw = random.Random(f"damaged {seed}/{number}")
    if draw.random() < 0.35:
        lie = _Lie(draw)
        data = own_file(random.Random(f"lied {seed}/{number}"), lie).data
        return f"lied: {', '.join(lie.done) or 'nothing'}", data, None
    group = number // MUTANTS_OF_ONE
    sound, base = _sound(seed, group), _base(seed, group)
    if base is None:
        return f"{sound.writer}: bits", _bits(draw, sound.data), None
    if _has_checksums(base) and draw.random() < 0.3:
        return f"{sound.writer}: bodies", _in_bodies(draw, base), _rows(seed, group)
    others = tuple(
        found for it in range(max(group - 3, 0), group) if (found := _base(seed, it)) is not None
    )
    done, data = _mutate(draw, base, (base, *others))
    what = f"{sound.writer}: {done}"
    if _has_checksums(base):
        if draw.random() < 0.5:
            return f"{what}, checksums made right", with_right_checksums(base, data), None
        if _only_bodies(base, data):
            return what, data, _rows(seed, group)
    return what, data, None


def _bits(draw: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 3))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _mutate(draw: random.Random, base: Base, bases: tuple[Base, ...]) -> tuple[str, bytes]:
    made = Mutant(base, bases, draw, bytearray(base.data))
    changes = draw.choices(
        tuple(MUTATORS), tuple(MUTATORS.values()), k=draw.choice((1, 1, 1, 2, 3))
    )
    # Those that aim at a field know where it was in the sound file, so they go first.
    changes.sort(key=lambda change: not change.__name__.startswith(AIMED))
    for change in changes:
        if made.data:
            change(made)
    return ", ".join(change.__name__ for change in changes), bytes(made.data)


def _in_bodies(draw: random.Random, base: Base) -> bytes:
    """Bits of a page's body, whose checksum stays as it was."""
    data = bytearray(base.data)
    starts = [start for start, _ in base.headers]
    number = draw.randrange(len(starts))
    body = base.headers[number][1]
    sizes = [slot.value for slot in Walk(base.data, starts[number]).slots if slot.path == (3,)]
    for _ in range(draw.choice((1, 1, 3)) if sizes[0] else 0):
        data[body + draw.randrange(sizes[0])] ^= 1 << draw.randrange(8)
    return bytes(data)


def _has_checksums(base: Base) -> bool:
    """Whether all pages have one."""
    return sum(slot.path == CRC for slot in base.header_slots) == len(base.headers)


def _only_bodies(base: Base, data: bytes) -> bool:
    """Whether nothing but bodies of pages was changed."""
    if len(data) != len(base.data) or data[base.footer[0] :] != base.data[base.footer[0] :]:
        return False
    return all(data[start:end] == base.data[start:end] for start, end in base.headers)


def with_right_checksums(base: Base, data: bytes) -> bytes:
    """The file with the checksum of each page that is where it was made to fit its bytes."""
    out = bytearray(data)
    for start, _ in base.headers:
        try:
            walk = Walk(out, start)
        except NotThrift:
            continue
        sizes = [slot.value for slot in walk.slots if slot.path == (3,)]
        checks = [slot for slot in walk.slots if slot.path == CRC]
        if not sizes or not checks or sizes[0] < 0:
            continue
        crc = zlib.crc32(out[walk.at : walk.at + sizes[0]])
        width = checks[0].end - checks[0].start
        written = encode(zigzag(crc - (1 << 32) if crc >> 31 else crc), width)
        if len(written) == width:
            out[checks[0].start : checks[0].end] = written
    return bytes(out)


class _Lie:
    """Changes one or two pages while they are written."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._left = draw.choice((1, 1, 2))
        self.done: list[str] = []

    def __call__(self, stage: str, page: Page) -> None:
        draw = self._draw
        if not self._left or draw.random() < 0.75:
            return
        lies: dict[str, tuple[Callable[[Page], None], ...]] = {
            "levels": (self._level, self._level_missing, self._level_more, self._value),
            "bytes": (self._stream_bits, self._value_bits, self._cut, self._longer),
            "header": (self._number, self._number, self._body_bits),
        }
        lie = draw.choice(lies[stage])
        lie(page)
        self._left -= 1
        self.done.append(lie.__name__.strip("_"))

    def _levels_of(self, page: Page) -> tuple[list[int], int]:
        if page.node.max_repetition and self._draw.random() < 0.5:
            return page.repetition, page.node.max_repetition
        return page.definition, page.node.max_definition

    def _level(self, page: Page) -> None:
        levels, most = self._levels_of(page)
        if levels and most:
            bits = (1 << most.bit_length()) - 1
            levels[self._draw.randrange(len(levels))] = self._draw.randint(0, bits)

    def _level_missing(self, page: Page) -> None:
        levels, _ = self._levels_of(page)
        if levels:
            del levels[self._draw.randrange(len(levels))]

    def _level_more(self, page: Page) -> None:
        levels, most = self._levels_of(page)
        if most:
            levels.insert(self._draw.randint(0, len(levels)), self._draw.randint(0, most))

    def _value(self, page: Page) -> None:
        if page.values:
            del page.values[self._draw.randrange(len(page.values))]

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        changed = bytearray(data)
        # Lengths, widths and counts are at the beginning.
        reach = self._draw.choice((len(data), len(data), 8))
        changed[self._draw.randrange(min(reach, len(data)))] ^= 1 << self._draw.randrange(8)
        return bytes(changed)

    def _stream_bits(self, page: Page) -> None:
        page.definition_bytes = self._flip(page.definition_bytes)
        if self._draw.random() < 0.5:
            page.repetition_bytes = self._flip(page.repetition_bytes)

    def _value_bits(self, page: Page) -> None:
        page.value_bytes = self._flip(page.value_bytes)

    def _cut(self, page: Page) -> None:
        kept = self._draw.randint(0, len(page.value_bytes))
        page.value_bytes = page.value_bytes[:kept]

    def _longer(self, page: Page) -> None:
        page.value_bytes += self._draw.randbytes(self._draw.randint(1, 9))

    def _number(self, page: Page) -> None:
        draw = self._draw
        inner = page.header.get(5) or page.header.get(8)
        target = draw.choice((page.header, inner, inner))
        name = draw.choice([it for it in target if type(target[it]) is int])
        value = target[name]
        others = (
            value + 1,
            value - 1,
            value * 2,
            0,
            -1,
            1 << 20,
            (1 << 31) - 1,
            draw.randrange(300),
        )
        target[name] = draw.choice(others)

    def _body_bits(self, page: Page) -> None:
        page.body = self._flip(page.body)


def check(seed: int, number: int, path: Path) -> tuple[Report, bytes]:
    """Draw the damaged file of this number and put it through both our readers."""
    what, data, expected = damaged_file(seed, number)
    path.write_bytes(data)
    report = Report(what)
    draw = random.Random(f"options {seed}/{number}")
    stated = _stated_rows(path)
    ours = _run(report, "crate", lambda: _crate(path, draw, stated, expected), crate.ERRORS)
    theirs = _run(report, "pure_python", lambda: _pure(path, stated, expected), pure.ERRORS)
    if isinstance(ours, dict) and isinstance(theirs, dict) and (ours or theirs):
        try:
            crate.differs(ours, theirs or {name: [] for name in ours}, "crate, not pure_python")
        except WrongRows as error:
            report.counts[ReadersDiffer.kind] += 1
            report.faults.append(Fault("both", ReadersDiffer.kind, f"{what}: {error}"))
    elif isinstance(ours, dict) and isinstance(theirs, str):
        report.counts["only crate reads"] += 1
        report.notes.append(Fault("crate", "only one reads", f"{what}: {theirs}"))
    elif isinstance(theirs, dict) and isinstance(ours, str):
        report.counts["only pure_python reads"] += 1
        report.notes.append(Fault("pure_python", "only one reads", f"{what}: {ours}"))
    return report, data


def _stated_rows(path: Path) -> int | None:
    """Of all row groups, as another parser of footers sees them; None where it sees nothing."""
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError):
        return None
    return sum(footer.row_group(number).num_rows for number in range(footer.num_row_groups))


def _run(
    report: Report, reader: str, read: Callable[[], Columns], typed: Any
) -> Columns | str | None:
    """The rows, the words of the error, or None for a fault."""
    try:
        try:
            found = untyped_becomes_bad(read, typed)
        except typed as error:
            report.counts[f"{reader} error"] += 1
            return str(error)
    except Bad as error:
        report.counts[f"{reader} {error.kind}"] += 1
        report.faults.append(Fault(reader, error.kind, f"{report.what}: {error}"))
        return None
    report.counts[f"{reader} rows"] += 1
    return found


def _held_to(found: Columns, stated: int | None, expected: Columns | None) -> None:
    """Raises WrongRows where they are not what the file says."""
    if stated is not None and found and crate.rows_of(found) != stated:
        raise WrongRows(f"{crate.rows_of(found)} rows, the footer says {stated}")
    if expected is not None and found:
        crate.differs(found, expected, "although pages have checksums")


def _crate(
    path: Path, draw: random.Random, stated: int | None, expected: Columns | None
) -> Columns:
    before = firstbyte_arrow.memory().live_bytes
    firstbyte_arrow.reset_peak()
    try:
        dataset = crate.open_file(path)
        whole = crate.scan(dataset, batch_size=draw.choice(crate.BATCHES), **LIMITS)
        _held_to(whole, stated, expected)
        crate.Modes(dataset, whole, draw, **LIMITS).any(2)
    finally:
        peak = firstbyte_arrow.memory().peak_bytes - before
        if peak > PEAK_LIMIT_BYTES:
            raise Greedy(f"{peak} bytes at once, {PEAK_LIMIT_BYTES} are allowed")
    return whole


def _pure(path: Path, stated: int | None, expected: Columns | None) -> Columns:
    with Growth(PURE_GROWTH_BYTES):
        found = pure.scan(path)
    _held_to(found, stated, expected)
    return found
