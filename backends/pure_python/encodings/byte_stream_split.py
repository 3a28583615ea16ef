"""BYTE_STREAM_SPLIT: the first bytes of all values, then the second bytes, and so on."""

from __future__ import annotations

from ..errors import MalformedError


def joined(data: bytes, position: int, width: int) -> bytes:
    """The values as PLAIN would store them. Raises MalformedError where one is cut off."""
    size = len(data) - position
    if size % width:
        raise MalformedError(f"{size} bytes are no whole number of values of {width} bytes")
    count = size // width
    plain = bytearray(size)
    for byte in range(width):
        plain[byte::width] = data[position + byte * count : position + (byte + 1) * count]
    return bytes(plain)
