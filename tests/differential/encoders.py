"""Values to bytes: the encodings of Parquet, with the freedom that the format leaves to writers."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from itertools import pairwise

from crafted import varint


def bit_pack(values: Sequence[int], width: int) -> bytes:
    """The lowest bit first; the last byte is filled up with zeros."""
    packed = 0
    for place, value in enumerate(values):
        packed |= value << (place * width)
    return packed.to_bytes((len(values) * width + 7) // 8, "little")


def bit_pack_high_first(values: Sequence[int], width: int) -> bytes:
    """The deprecated BIT_PACKED of levels: the highest bit first."""
    packed = 0
    for value in values:
        packed = packed << width | value
    bits = len(values) * width
    return (packed << (-bits % 8)).to_bytes((bits + 7) // 8, "big")


def hybrid(values: Sequence[int], width: int, draw: random.Random, *, short: bool = False) -> bytes:
    """Runs of one value and packed groups of eight, mixed at will.

    `short`: the last packed run is not filled up to eight values, as some old writers left it.
    """
    out, at = bytearray(), 0
    size = (width + 7) // 8
    style = draw.choice(("runs", "packed", "mixed", "mixed"))
    while at < len(values):
        length = 1
        while at + length < len(values) and values[at + length] == values[at]:
            length += 1
        if style == "runs" or (style == "mixed" and (length >= 8 or draw.random() < 0.3)):
            out += varint(length << 1) + values[at].to_bytes(size, "little")
            at += length
            continue
        groups = (len(values) - at + 7) // 8 if style == "packed" else draw.randint(1, 3)
        groups = min(groups, (len(values) - at + 7) // 8)
        piece = list(values[at : at + 8 * groups])
        at += len(piece)
        if not (short and at == len(values)):
            piece += [0] * (8 * groups - len(piece))
        out += varint(groups << 1 | 1) + bit_pack(piece, width)
    return bytes(out)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def delta_binary_packed(values: Sequence[int], bits: int, draw: random.Random) -> bytes:
    """Integers as differences that wrap at so many bits, in blocks of packed miniblocks."""
    block, miniblocks = draw.choice(((128, 4), (128, 4), (128, 1), (256, 8), (256, 2), (1024, 4)))
    per_mini = block // miniblocks
    out = bytearray(varint(block) + varint(miniblocks) + varint(len(values)))
    out += varint(_zigzag(values[0] if values else 0))
    deltas = [_signed(after - before, bits) for before, after in pairwise(values)]
    for start in range(0, len(deltas), block):
        piece = deltas[start : start + block]
        least = min(piece)
        rest = [(delta - least) & ((1 << bits) - 1) for delta in piece]
        out += varint(_zigzag(least))
        widths, bodies = bytearray(), bytearray()
        for mini in range(miniblocks):
            part = rest[mini * per_mini : (mini + 1) * per_mini]
            if not part:
                # What stands in place of unused widths is no one's business.
                widths.append(draw.choice((0, 0, draw.randrange(33))))
                continue
            width = max(part).bit_length()
            widths.append(width)
            bodies += bit_pack(part + [0] * (per_mini - len(part)), width)
        out += widths + bodies
    return bytes(out)


def plain_byte_arrays(values: Sequence[bytes]) -> bytes:
    """Each behind its length."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def delta_length(values: Sequence[bytes], draw: random.Random) -> bytes:
    """All lengths, then all bytes."""
    return delta_binary_packed([len(value) for value in values], 32, draw) + b"".join(values)


def delta_byte_array(values: Sequence[bytes], draw: random.Random) -> bytes:
    """What is shared with the value before, and what is not."""
    before, prefixes, suffixes = b"", [], []
    for value in values:
        shared = 0
        while shared < min(len(before), len(value)) and before[shared] == value[shared]:
            shared += 1
        if draw.random() < 0.1:
            shared = draw.randint(0, shared)  # need not be the longest
        prefixes.append(shared)
        suffixes.append(value[shared:])
        before = value
    return delta_binary_packed(prefixes, 32, draw) + delta_length(suffixes, draw)


def byte_stream_split(values: Sequence[bytes]) -> bytes:
    """The first bytes of all values, then the second ones."""
    width = len(values[0]) if values else 0
    joined = b"".join(values)
    return b"".join(joined[place::width] for place in range(width))
