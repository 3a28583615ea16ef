"""Mutants: a sound file and a few changes, all decided by a seed and a number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from .thrift import Slot, Walk, encode, footer_start, zigzag

EXTREMES = (
    *(0, 1, -1, 2, 3, 7, 8, 127, 128, 255, 256, 1023, 1024, 65_535, 65_536, 2**20, 2**24),
    *(2**28, 2**30, 2**31 - 1, -(2**31), 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63)),
)
FOOTER_LENGTH_BYTES = 4
TRAILER_BYTES = 8


@dataclass(frozen=True)
class Base:
    """A sound file and where its footer, page headers and page indexes are."""

    name: str
    data: bytes
    footer: tuple[int, int]
    headers: tuple[tuple[int, int], ...]
    footer_slots: tuple[Slot, ...]
    header_slots: tuple[Slot, ...]
    index_slots: tuple[Slot, ...]

    @classmethod
    def of(cls, name: str, data: bytes) -> Base:
        """Raises NotThrift where the file is not sound."""
        start = footer_start(data)
        walk = Walk(data, start)
        headers, slots = _page_headers(data, walk.slots)
        span = (start, len(data) - TRAILER_BYTES)
        starts = [slot.value for slot in walk.slots if slot.path in INDEX_OFFSETS]
        indexes = tuple(slot for at in starts for slot in Walk(data, at).slots)
        return cls(name, data, span, headers, tuple(walk.slots), slots, indexes)


# Field ids of FileMetaData.row_groups.columns.meta_data and what is in it.
COLUMN = (4, 1, 3)
TOTAL_COMPRESSED = (*COLUMN, 7)
DATA_PAGE_OFFSET = (*COLUMN, 9)
DICTIONARY_PAGE_OFFSET = (*COLUMN, 11)
PAGE_COMPRESSED_SIZE = (3,)
# Where the offset index and the column index of a chunk are.
INDEX_OFFSETS = ((4, 1, 4), (4, 1, 6))


def _page_headers(
    data: bytes, footer: list[Slot]
) -> tuple[tuple[tuple[int, int], ...], tuple[Slot, ...]]:
    """The spans of all page headers, and the integers in them."""
    chunks: list[tuple[int, int]] = []
    size = first = 0
    for slot in footer:
        if slot.path == TOTAL_COMPRESSED:
            size = slot.value
        elif slot.path == DATA_PAGE_OFFSET:
            first = slot.value
            chunks.append((first, first + size))
        elif slot.path == DICTIONARY_PAGE_OFFSET:
            chunks[-1] = (slot.value, slot.value + size)
    spans, slots = [], []
    for at, end in chunks:
        while at < end:
            walk = Walk(data, at)
            spans.append((at, walk.at))
            slots += walk.slots
            bodies = [slot.value for slot in walk.slots if slot.path == PAGE_COMPRESSED_SIZE]
            at = walk.at + bodies[0]
    return tuple(spans), tuple(slots)


@dataclass
class Mutant:
    """A file in the making."""

    base: Base
    others: tuple[Base, ...]
    draw: random.Random
    data: bytearray

    def spot(self) -> int:
        """A byte position: in the footer, in a page header or anywhere, equally often."""
        span = (0, len(self.data))
        match self.draw.randrange(3):
            case 0:
                span = self.base.footer
            case 1:
                span = self.draw.choice(self.base.headers)
        return min(self.draw.randrange(*span), max(len(self.data) - 1, 0))

    def span(self) -> tuple[int, int]:
        """A range of bytes, mostly short."""
        start = self.spot()
        return start, min(start + int(2 ** self.draw.uniform(0, 10)), len(self.data))


def bit_flip(mutant: Mutant) -> None:
    """One bit."""
    mutant.data[mutant.spot()] ^= 1 << mutant.draw.randrange(8)


def byte_set(mutant: Mutant) -> None:
    """One to four bytes of any value."""
    for _ in range(mutant.draw.randint(1, 4)):
        telling = mutant.draw.choice((0, 1, 0x7F, 0x80, 0xFF))
        mutant.data[mutant.spot()] = mutant.draw.choice((telling, mutant.draw.randrange(256)))


def zero(mutant: Mutant) -> None:
    """A range of zeros."""
    start, end = mutant.span()
    mutant.data[start:end] = bytes(end - start)


def truncate(mutant: Mutant) -> None:
    """The end is missing; half of the time the trailer is put back, so that the footer is looked for."""
    trailer = mutant.data[-TRAILER_BYTES:]
    del mutant.data[mutant.draw.randrange(len(mutant.data)) :]
    if mutant.draw.random() < 0.5:
        mutant.data += trailer


def cut(mutant: Mutant) -> None:
    """A range is missing."""
    start, end = mutant.span()
    del mutant.data[start:end]


def duplicate(mutant: Mutant) -> None:
    """A range is there twice, put in or written over what is elsewhere."""
    start, end = mutant.span()
    _place(mutant, mutant.data[start:end])


def splice(mutant: Mutant) -> None:
    """A range of another file."""
    other = mutant.draw.choice(mutant.others).data
    start = mutant.draw.randrange(len(other))
    _place(mutant, other[start : start + int(2 ** mutant.draw.uniform(0, 11))])


def _place(mutant: Mutant, piece: bytes | bytearray) -> None:
    at = mutant.spot()
    replaced = len(piece) if mutant.draw.random() < 0.7 else 0
    mutant.data[at : at + replaced] = piece


def footer_length(mutant: Mutant) -> None:
    """The footer's length at the end of the file."""
    if len(mutant.data) >= TRAILER_BYTES:
        value = _other_value(mutant, len(mutant.data)) & 0xFFFF_FFFF
        mutant.data[-8:-4] = value.to_bytes(FOOTER_LENGTH_BYTES, "little")


def footer_number(mutant: Mutant) -> None:
    """An integer or length of the footer, with the footer's length made to fit, mostly."""
    _replace_in_footer(mutant, [mutant.draw.choice(mutant.base.footer_slots)])


def footer_numbers_agree(mutant: Mutant) -> None:
    """The same other value wherever the footer has one value: a lie that is told consistently."""
    chosen = mutant.draw.choice(mutant.base.footer_slots)
    same = [
        slot
        for slot in mutant.base.footer_slots
        if (slot.value, slot.zigzag) == (chosen.value, chosen.zigzag)
    ]
    _replace_in_footer(mutant, same)


ROW_COUNTS = {(3,), (4, 3), (*COLUMN, 5)}


def row_counts_agree(mutant: Mutant) -> None:
    """More or fewer rows in the last row group and in the file, in a way that adds up."""
    slots = [slot for slot in mutant.base.footer_slots if slot.path in ROW_COUNTS]
    group_rows = [slot for slot in slots if slot.path == (4, 3)][-1].value
    change = mutant.draw.choice((1, -1, 8, -8, 1000, 2**20, 2**31, 2**40, -group_rows))
    last = [slot for slot in slots if slot.path == (4, 3)][-2:-1]
    after = last[0].start if last else 0
    _write_footer(
        mutant,
        {
            slot: zigzag(slot.value + change)
            for slot in slots
            if slot.path == (3,) or slot.start > after
        },
    )


def header_number(mutant: Mutant) -> None:
    """An integer or length of a page header. Offsets stay true: the page gives or takes the bytes."""
    slot = mutant.draw.choice(mutant.base.header_slots)
    if slot.end > len(mutant.data):
        return
    value = _other_value(mutant, slot.value)
    raw = zigzag(value) if slot.zigzag else value & (2**64 - 1)
    new = encode(raw, slot.end - slot.start)
    grown = len(new) - (slot.end - slot.start)
    following = [start for start, _ in mutant.base.headers if start > slot.start]
    page_end = following[0] if following else mutant.base.footer[0]
    del mutant.data[max(page_end - grown, slot.end) : page_end]
    mutant.data[slot.start : slot.end] = new


def index_number(mutant: Mutant) -> None:
    """An integer or length of a page index, or a byte of a bound behind it. Nothing moves."""
    if not mutant.base.index_slots:
        return
    slot = mutant.draw.choice(mutant.base.index_slots)
    if slot.end + 1 > len(mutant.data):
        return
    if mutant.draw.random() < 0.3:
        mutant.data[slot.end] = mutant.draw.randrange(256)
        return
    value = _other_value(mutant, slot.value)
    width = slot.end - slot.start
    raw = (zigzag(value) if slot.zigzag else value) & (2 ** (7 * width) - 1)
    mutant.data[slot.start : slot.end] = encode(raw, width)


def _other_value(mutant: Mutant, value: int) -> int:
    draw = mutant.draw
    match draw.randrange(4):
        case 0:
            return value + draw.choice((-1, 1, -8, 8))
        case 1:
            return draw.choice((value * 2, value // 2, -value))
        case 2:
            return draw.randrange(2 * len(mutant.data) + 1)
        case _:
            return draw.choice(EXTREMES)


def _replace_in_footer(mutant: Mutant, slots: list[Slot]) -> None:
    value = _other_value(mutant, slots[0].value)
    raw = zigzag(value) if slots[0].zigzag else value & (2**64 - 1)
    _write_footer(mutant, dict.fromkeys(slots, raw))


def _write_footer(mutant: Mutant, raws: dict[Slot, int]) -> None:
    if mutant.base.footer[1] > len(mutant.data):
        return
    before = len(mutant.data)
    for slot in sorted(raws, key=lambda slot: slot.start, reverse=True):
        mutant.data[slot.start : slot.end] = encode(raws[slot])
    if mutant.draw.random() < 0.9:
        length = int.from_bytes(mutant.data[-8:-4], "little") + len(mutant.data) - before
        mutant.data[-8:-4] = (length & 0xFFFF_FFFF).to_bytes(FOOTER_LENGTH_BYTES, "little")


MUTATORS: dict[Callable[[Mutant], None], int] = {
    bit_flip: 6,
    byte_set: 4,
    zero: 2,
    truncate: 1,
    cut: 1,
    duplicate: 2,
    splice: 2,
    footer_length: 1,
    footer_number: 4,
    footer_numbers_agree: 3,
    row_counts_agree: 1,
    header_number: 6,
    index_number: 3,
}


def mutant(bases: tuple[Base, ...], seed: int, number: int) -> tuple[str, bytes]:
    """What was done to which file, and the result: the same for the same seed and number."""
    draw = random.Random(f"{seed}/{number}")
    base = draw.choice(bases)
    made = Mutant(base, bases, draw, bytearray(base.data))
    # The mutators that aim at a field know where it was in the sound file, so they go first.
    changes = draw.choices(
        tuple(MUTATORS), tuple(MUTATORS.values()), k=draw.choice((1, 1, 1, 2, 3))
    )
    changes.sort(
        key=lambda change: not change.__name__.startswith(("header", "footer", "row", "index"))
    )
    for change in changes:
        if made.data:
            change(made)
    return f"{base.name}: {', '.join(change.__name__ for change in changes)}", bytes(made.data)


def bases_of(files: list[tuple[str, bytes]]) -> tuple[Base, ...]:
    """The files, looked into. Raises NotThrift for one that is not sound."""
    return tuple(Base.of(name, data) for name, data in files)
