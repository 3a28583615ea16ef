"""The compact protocol reader on structures written out by hand."""

from __future__ import annotations

import random

import pytest
from firstbyte.backends.pure_python.errors import MalformedError, TruncatedError
from firstbyte.backends.pure_python.thrift import ListOf, Spec, read_struct

SPEC: Spec = {
    1: ("small", "int"),
    2: ("flag", "bool"),
    3: ("name", "text"),
    20: ("numbers", ListOf("int")),
    21: ("inner", {1: ("raw", "bytes")}),
}
EVERYTHING = b"".join(
    [
        b"\x15\x03",  # 1: i32 -2
        b"\x12",  # 2: false, in the header
        b"\x18\x02\xc3\xa9",  # 3: "é"
        b"\x17\0\0\0\0\0\0\xf0\x3f",  # 4: double, unknown
        b"\x1b\x01\x85\x01a\x02",  # 5: map of binary to i32, unknown
        b"\x1c\x18\x01b\0",  # 6: struct, unknown
        b"\x11",  # 7: true, unknown
        b"\x19\x21\x01\x02",  # 8: list of booleans, unknown
        b"\x09\x28\x25\x02\x80\x01",  # 20, by its own id: list of i32 1, 64
        b"\x1c\x18\x01\xff\0",  # 21: struct
        b"\0",
    ]
)
EXPECTED = {
    "small": -2,
    "flag": False,
    "name": "é",
    "numbers": [1, 64],
    "inner": {"raw": b"\xff"},
}


def test_known_fields_are_read_and_unknown_ones_skipped() -> None:
    assert read_struct(b"x" + EVERYTHING + b"x", 1, SPEC) == (EXPECTED, len(EVERYTHING) + 1)


@pytest.mark.parametrize("length", range(len(EVERYTHING)))
def test_every_truncation_is_reported(length: int) -> None:
    with pytest.raises(TruncatedError):
        read_struct(EVERYTHING[:length], 0, SPEC)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (bytes([0x18, 1, 97, 0]), "field small has thrift type 8, expected int"),
        (bytes([0x11, 0]), "field small has thrift type 1, expected int"),
        (bytes([0x35, 2, 0]), "field name has thrift type 5, expected text"),
        (bytes([0x38, 1, 0xFF, 0]), "field name is not UTF-8"),
        (bytes([0x15] + [0xFF] * 11 + [0]), "more than ten bytes"),
        (bytes([0x4E, 0]), "unknown thrift type 14"),
        (bytes([0x4C] + [0x1C] * 100), "nest deeper"),
        (bytes([0x49] + [0x19] * 100), "nest deeper"),
        (bytes([0x05, 42, 2, 0]), "field inner has thrift type 5, expected struct"),
    ],
)
def test_faults_are_named(data: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        read_struct(data, 0, SPEC)


def test_random_bytes_never_leak_another_error() -> None:
    draws = random.Random(1)
    ends = set()
    for _ in range(3000):
        data = draws.randbytes(draws.randrange(60))
        try:
            read_struct(data, 0, SPEC)
            ends.add("read")
        except MalformedError as fault:
            ends.add(type(fault).__name__)
    assert ends == {"read", "MalformedError", "TruncatedError"}
