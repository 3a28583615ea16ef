"""Where the numbers and lengths are in Thrift's compact protocol, so that mutators can aim at them."""

from __future__ import annotations

from dataclasses import dataclass

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
MAX_DEPTH = 64


class NotThrift(ValueError):
    """The bytes are no structure of the compact protocol."""


@dataclass(frozen=True)
class Slot:
    """A variable-length integer at [start, end) of the bytes; `path` has the field ids that lead to it."""

    start: int
    end: int
    raw: int
    zigzag: bool
    path: tuple[int, ...]

    @property
    def value(self) -> int:
        return (self.raw >> 1) ^ -(self.raw & 1) if self.zigzag else self.raw


def encode(raw: int, width: int = 0) -> bytes:
    """A variable-length integer, made `width` bytes long by needless continuation where shorter."""
    out = bytearray()
    while raw > 0x7F or len(out) + 1 < width:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    out.append(raw)
    return bytes(out)


def zigzag(value: int) -> int:
    """The unsigned form of a 64-bit integer."""
    return (value << 1 ^ value >> 63) & (2**64 - 1)


class Walk:
    """One pass over a structure: `slots` has its integers and lengths, `at` is where it ends.

    Raises NotThrift where the bytes cannot be followed.
    """

    def __init__(self, data: bytes | bytearray, start: int) -> None:
        self.data = data
        self.at = start
        self.slots: list[Slot] = []
        self._structure((), 0)

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise NotThrift("the bytes end early")
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self, path: tuple[int, ...], zigzag: bool) -> int:
        start, raw, shift = self.at, 0, 0
        while True:
            byte = self._byte()
            raw |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 63:
                raise NotThrift("an integer of more than 64 bits")
        self.slots.append(Slot(start, self.at, raw, zigzag, path))
        return raw

    def _structure(self, path: tuple[int, ...], depth: int) -> None:
        last = 0
        while True:
            head = self._byte()
            kind = head & 0x0F
            if kind == STOP:
                return
            if head >> 4:
                last += head >> 4
            else:
                self._varint((*path, -1), True)
                last = self.slots[-1].value
            self._value(kind, (*path, last), depth + 1, in_list=False)

    def _value(self, kind: int, path: tuple[int, ...], depth: int, *, in_list: bool) -> None:
        if depth > MAX_DEPTH:
            raise NotThrift("nested too deep")
        match kind:
            case 1 | 2:
                self.at += in_list
            case 3:
                self._byte()
            case 4 | 5 | 6:
                self._varint(path, True)
            case 7:
                self.at += 8
            case 8:
                length = self._varint(path, False)
                self.at += length
            case 9 | 10:
                self._list(path, depth)
            case 12:
                self._structure(path, depth)
            case _:
                raise NotThrift(f"wire type {kind}")
        if self.at > len(self.data):
            raise NotThrift("the bytes end early")

    def _list(self, path: tuple[int, ...], depth: int) -> None:
        head = self._byte()
        count = head >> 4
        if count == 15:
            count = self._varint(path, False)
        if count > len(self.data):
            raise NotThrift("more elements than bytes")
        for _ in range(count):
            self._value(head & 0x0F, path, depth + 1, in_list=True)


def footer_start(data: bytes | bytearray) -> int:
    """Where the footer begins, as the length at the end says. Raises NotThrift where it cannot."""
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if len(data) < 12 or start < 4:
        raise NotThrift("no room for a footer")
    return start


GROUP_ROWS = (4, 3)


def footer_rows(data: bytes) -> int:
    """The rows of all row groups as the footer states them. Raises NotThrift where it cannot be followed."""
    return sum(
        slot.value for slot in Walk(data, footer_start(data)).slots if slot.path == GROUP_ROWS
    )
