"""Sizes as people write them: `50MB`, `1.5 GiB`, `64B`. Decimal units are powers of 1000."""

from __future__ import annotations

import re
from fractions import Fraction

from firstbyte.errors import HarnessError

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZE = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)\s*")


def parse_bytes(text: str) -> int:
    """Bytes of a size. Raises HarnessError that names the allowed units."""
    match = _SIZE.fullmatch(text)
    if match is None or match[2].upper() not in _UNITS:
        raise HarnessError(
            f"'{text}' is not a size (allowed: a number and B, KB, MB, GB, TB or KiB ... TiB)"
        )
    return int(Fraction(match[1]) * _UNITS[match[2].upper()])
