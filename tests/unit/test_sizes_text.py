"""Sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbyte.errors import HarnessError
from firstbyte.sizes import parse_bytes

UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)
}


@given(st.integers(0, 10**17), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_whole_numbers_are_exact(number: int, unit: str, space: str) -> None:
    for text in (f"{number}{space}{unit}", f" {number}{unit.lower()} "):
        assert parse_bytes(text) == number * UNITS[unit]


def test_parts_are_exact() -> None:
    assert parse_bytes("1.5 GiB") == 3 << 29
    assert parse_bytes("0.1TB") == 10**11
    assert parse_bytes("9007199254740993B") == 9007199254740993


@pytest.mark.parametrize(
    "text",
    ["", "B", "-1", "1e9", "1..5", ".5", "1.", "5 XB", "5bytes", "1 2", "9" * 400, "٣", "nan"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="is not a size \\(allowed: a number and B, KB"):
        parse_bytes(text)
