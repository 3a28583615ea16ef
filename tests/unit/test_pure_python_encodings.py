"""The encodings of the pure Python decoder against encoders written here from the specification."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from firstbyte.backends.pure_python.encodings.bits import GROUPS, unpack
from firstbyte.backends.pure_python.encodings.booleans import PlainBooleans, RleBooleans
from firstbyte.backends.pure_python.encodings.byte_stream_split import joined
from firstbyte.backends.pure_python.encodings.delta import (
    DeltaBinaryPacked,
    DeltaByteArrays,
    DeltaLengthByteArrays,
)
from firstbyte.backends.pure_python.encodings.dictionary import Dictionary, Gather
from firstbyte.backends.pure_python.encodings.hybrid import Hybrid
from firstbyte.backends.pure_python.encodings.plain import ByteArrays, FixedWidth, Int96
from firstbyte.backends.pure_python.errors import MalformedError, TruncatedError
from hypothesis import given, settings
from hypothesis import strategies as st


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def pack(values: list[int], width: int) -> bytes:
    bits = 0
    for place, value in enumerate(values):
        bits |= value << place * width
    return bits.to_bytes((len(values) * width + 7) // 8, "little")


def delta_binary_packed(values: list[int], block: int = 128, miniblocks: int = 4) -> bytes:
    """Encodes without wrapping: differences of 64-bit values may take 64 bits at most."""
    out = bytearray(varint(block) + varint(miniblocks) + varint(len(values)))
    out += zigzag(values[0] if values else 0)
    deltas = [b - a for a, b in pairwise(values)]
    size = block // miniblocks
    for start in range(0, len(deltas), block):
        part = deltas[start : start + block]
        least = min(part)
        minis = [part[i : i + size] for i in range(0, len(part), size)]
        widths = [max(delta - least for delta in mini).bit_length() for mini in minis]
        out += zigzag(least)
        out += bytes(widths + [0] * (miniblocks - len(widths)))
        for mini, width in zip(minis, widths, strict=True):
            padded = [delta - least for delta in mini] + [0] * (size - len(mini))
            out += pack(padded, width)
    return bytes(out)


def in_pieces(decoder: object, sizes: list[int], total: int) -> list[object]:
    taken: list[object] = []
    for size in sizes:
        taken += decoder.take(min(size, total - len(taken)))  # type: ignore[attr-defined]
    return taken + decoder.take(total - len(taken))  # type: ignore[attr-defined]


PIECES = st.lists(st.integers(0, 50), max_size=6)


@pytest.mark.parametrize("width", range(1, 65))
@pytest.mark.parametrize("groups", [1, 3, 4, 63, GROUPS, GROUPS + 1, 2 * GROUPS + 5])
def test_unpack_every_width(width: int, groups: int) -> None:
    top = (1 << width) - 1
    values = [(place * 0x9E3779B97F4A7C15 ^ place) & top for place in range(groups * 8 - 2)]
    values += [0, top]
    assert list(unpack(pack(values, width), width)) == values


def test_unpack_refuses_wider_than_a_machine_word() -> None:
    with pytest.raises(MalformedError, match="bit width 65"):
        unpack(bytes(65), 65)


@given(
    width=st.integers(0, 32),
    data=st.data(),
    pieces=PIECES,
)
@settings(max_examples=150, deadline=None)
def test_hybrid(width: int, data: st.DataObject, pieces: list[int]) -> None:
    item = st.integers(0, (1 << width) - 1)
    encoded = bytearray(b"\xff")
    expected: list[int] = []
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            length, value = data.draw(st.integers(0, 300)), data.draw(item)
            encoded += varint(length << 1) + value.to_bytes((width + 7) // 8, "little")
            expected += [value] * length
        else:
            groups = data.draw(st.integers(0, 6))
            values = data.draw(st.lists(item, min_size=groups * 8, max_size=groups * 8))
            encoded += varint(groups << 1 | 1) + pack(values, width)
            expected += values
    end = len(encoded)
    everything = list(range(1 << min(width, 10)))
    decoder = Hybrid(bytes(encoded) + b"\xff" * 3, 1, end, width)
    found: list[int] = []
    for size in [*pieces, len(expected)]:
        for length, value, literals in decoder.runs(min(size, len(expected) - len(found))):
            assert literals is None or len(literals) == length
            found += [value] * length if literals is None else literals
    assert found == expected
    if width:
        with pytest.raises(TruncatedError):
            list(decoder.runs(1))
    if width <= 10:
        page = b"page" + bytes([width]) + encoded[1:]
        dictionary = Dictionary(FixedWidth(ints(*everything), 0, "i"), len(everything))
        assert in_pieces(Gather(dictionary, page, 4), pieces, len(expected)) == expected
        assert len(dictionary.values) == max(expected, default=-1) + 1
        if dictionary.undecoded:  # the next page may reach further
            page = (
                bytes([width])
                + varint(1 << 1)
                + everything[-1].to_bytes((width + 7) // 8, "little")
            )
            assert Gather(dictionary, page, 0).take(1) == everything[-1:]
    if width <= 8:
        assert Hybrid(bytes(encoded), 1, end, width).levels(len(expected)) == bytes(expected)


def test_a_run_of_two_thousand_million_takes_no_memory() -> None:
    decoder = Hybrid(varint((2**31 - 1) << 1) + b"\1", 0, 6, 1)
    assert decoder.levels(3) == b"\1\1\1"


def test_hybrid_faults() -> None:
    with pytest.raises(MalformedError, match="bit width 33"):
        Hybrid(b"", 0, 0, 33)
    with pytest.raises(TruncatedError, match="bit-packed run is cut off"):
        Hybrid(varint(2 << 1 | 1) + b"\0", 0, 2, 1).levels(1)
    with pytest.raises(TruncatedError, match="value is cut off"):
        Hybrid(varint(4 << 1), 0, 1, 1).levels(1)
    with pytest.raises(MalformedError, match="needs more than 1 bits"):
        Hybrid(varint(4 << 1) + b"\2", 0, 2, 1).levels(1)
    with pytest.raises(TruncatedError, match="header is cut off"):
        Hybrid(b"\x80", 0, 1, 1).levels(1)
    dictionary = Dictionary(FixedWidth(ints(7, 8), 0, "i"), 2)
    literals = b"\2" + varint(1 << 1 | 1) + pack([0, 1, 2, 0, 0, 0, 0, 0], 2)
    run = b"\2" + varint(4 << 1) + b"\2"
    for page in (literals, run):
        with pytest.raises(MalformedError, match="beyond the 2 dictionary entries"):
            Gather(dictionary, page, 0).take(4)
    dictionary.reach(1)
    assert (dictionary.values, dictionary.undecoded) == ([7, 8], 0)
    for page in (literals, run):
        with pytest.raises(MalformedError, match="beyond the 2 dictionary entries"):
            Gather(dictionary, page, 0).take(4)
    with pytest.raises(TruncatedError, match="bit width of the dictionary indices is missing"):
        Gather(dictionary, b"", 0)


@given(
    values=st.lists(st.integers(-(2**62), 2**62), max_size=700)
    | st.lists(st.integers(-9, 9), max_size=5000),
    layout=st.sampled_from([(128, 4), (256, 4), (2048, 8), (8192, 4)]),
    pieces=PIECES,
)
@settings(max_examples=60, deadline=None)
def test_delta_binary_packed(values: list[int], layout: tuple[int, int], pieces: list[int]) -> None:
    encoded = delta_binary_packed(values, *layout) + b"rest"
    decoder = DeltaBinaryPacked(encoded, 0, 64)
    assert in_pieces(decoder, pieces, len(values)) == values
    with pytest.raises(TruncatedError, match="1 integers wanted, 0 are left"):
        decoder.take(1)
    assert decoder.take_all() == ([], len(encoded) - 4)


def test_delta_wraps_around() -> None:
    # 2147483647 then -2147483648: the difference is +1 in 32 bits.
    encoded = varint(128) + varint(4) + varint(2) + zigzag(2**31 - 1) + zigzag(1) + bytes(4)
    assert DeltaBinaryPacked(encoded, 0, 32).take(2) == [2**31 - 1, -(2**31)]
    assert DeltaBinaryPacked(encoded, 0, 32, signed=False).take(2) == [2**31 - 1, 2**31]


def test_widths_of_miniblocks_behind_the_last_value_mean_nothing() -> None:
    encoded = varint(128) + varint(4) + varint(3) + zigzag(5) + zigzag(0) + b"\1\7\7\7"
    decoder = DeltaBinaryPacked(encoded + b"\3\0\0\0" + b"rest", 0, 32)
    assert decoder.take_all() == ([5, 6, 7], len(encoded) + 4)


@pytest.mark.parametrize(
    ("encoded", "fault"),
    [
        (b"", "header of the deltas"),
        (varint(0) + varint(4) + varint(1) + zigzag(0), "blocks of 0"),
        (varint(1 << 40) + varint(4) + varint(1) + zigzag(0), "blocks of 1099511627776"),
        (varint(128) + varint(0) + varint(1) + zigzag(0), "in 0 miniblocks"),
        (varint(128) + varint(3) + varint(1) + zigzag(0), "do not divide"),
        (varint(128) + varint(4) + varint(9) + zigzag(0), "block of deltas is cut off"),
        (varint(128) + varint(4) + varint(9) + zigzag(0) + b"\0\1", "miniblock is cut"),
        (varint(128) + varint(4) + varint(9) + zigzag(0) + b"\0\1\0\0\0", "miniblock is cut"),
        (varint(128) + varint(4) + varint(9) + zigzag(0) + b"\0\x41\0\0\0", "bit width 65"),
    ],
)
def test_delta_faults(encoded: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        DeltaBinaryPacked(encoded, 0, 64).take(9)


@given(values=st.lists(st.text(max_size=20), max_size=300), pieces=PIECES)
@settings(max_examples=60, deadline=None)
def test_byte_arrays_in_every_encoding(values: list[str], pieces: list[int]) -> None:
    raw = [value.encode() for value in values]
    lengths = delta_binary_packed([len(value) for value in raw])
    delta_length = lengths + b"".join(raw)
    prefixes = [0] * len(raw)
    for place in range(1, len(raw)):
        a, b = raw[place - 1], raw[place]
        while prefixes[place] < min(len(a), len(b)) and a[prefixes[place]] == b[prefixes[place]]:
            prefixes[place] += 1
    suffixes = [value[prefix:] for value, prefix in zip(raw, prefixes, strict=True)]
    delta_bytes = delta_binary_packed(prefixes)
    delta_bytes += delta_binary_packed([len(suffix) for suffix in suffixes]) + b"".join(suffixes)
    plain = b"".join(struct.pack("<I", len(value)) + value for value in raw)
    count = len(values)
    for text, expected in ((True, values), (False, raw)):
        assert in_pieces(ByteArrays(b"x" + plain, 1, text=text), pieces, count) == expected
        decoder = DeltaLengthByteArrays(b"x" + delta_length, 1, count, text=text)
        assert in_pieces(decoder, pieces, count) == expected
        front = DeltaByteArrays(b"x" + delta_bytes, 1, count, text=text)
        assert in_pieces(front, pieces, count) == expected


def test_byte_array_faults() -> None:
    with pytest.raises(TruncatedError, match="length of a byte array"):
        ByteArrays(b"\1\0\0", 0, text=False).take(1)
    with pytest.raises(TruncatedError, match="a byte array is cut off"):
        ByteArrays(b"\5\0\0\0abcd", 0, text=False).take(1)
    with pytest.raises(UnicodeDecodeError):
        ByteArrays(b"\1\0\0\0\xff", 0, text=True).take(1)
    with pytest.raises(TruncatedError, match="a byte array is cut off"):
        DeltaLengthByteArrays(delta_binary_packed([3]) + b"ab", 0, 1, text=False).take(1)
    with pytest.raises(MalformedError, match="length is negative"):
        DeltaLengthByteArrays(delta_binary_packed([-3]) + b"ab", 0, 1, text=False)
    with pytest.raises(MalformedError, match="2 lengths for a page of 1"):
        DeltaLengthByteArrays(delta_binary_packed([1, 1]) + b"ab", 0, 1, text=False)
    lengths = delta_binary_packed([1])
    with pytest.raises(MalformedError, match="prefix of 1 bytes of a value of 0 bytes"):
        DeltaByteArrays(lengths + lengths + b"a", 0, 1, text=False).take(1)


@given(values=st.lists(st.integers(-(2**31), 2**31 - 1)), pieces=PIECES)
def test_fixed_width_and_byte_stream_split(values: list[int], pieces: list[int]) -> None:
    plain = struct.pack(f"<{len(values)}i", *values)
    assert in_pieces(FixedWidth(b"abc" + plain, 3, "i"), pieces, len(values)) == values
    split = b"".join(plain[byte::4] for byte in range(4))
    assert joined(b"abc" + split, 3, 4) == plain
    with pytest.raises(TruncatedError):
        FixedWidth(plain + b"abc", 0, "i").take(len(values) + 1)
    with pytest.raises(MalformedError, match="no whole number"):
        joined(split + b"a", 0, 4)


@given(values=st.lists(st.booleans(), max_size=5000), pieces=PIECES)
@settings(max_examples=30, deadline=None)
def test_booleans(values: list[bool], pieces: list[int]) -> None:
    packed = pack([int(value) for value in values], 1)
    assert in_pieces(PlainBooleans(packed, 0), pieces, len(values)) == values
    runs = varint(len(packed) << 1 | 1) + packed
    rle = RleBooleans(struct.pack("<I", len(runs)) + runs, 0)
    assert in_pieces(rle, pieces, len(values)) == values
    assert all(type(value) is bool for value in PlainBooleans(packed, 0).take(len(values)))
    with pytest.raises(TruncatedError):
        PlainBooleans(packed, 0).take(len(packed) * 8 + 1)


def test_int96_counts_from_the_julian_epoch() -> None:
    encoded = struct.pack("<qiqi", 0, 2440588, 1, 2440587)
    assert Int96(encoded, 0).take(2) == [0, 1 - 86_400_000_000_000]
