"""Spans of time as a user writes them: `10m`, `90s`, `1h30m`, `600`."""

from __future__ import annotations

import re

from firstbyte.errors import HarnessError

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def parse_seconds(text: str) -> float:
    """Seconds; a bare number is seconds. Raises HarnessError for anything else, or nothing."""
    stripped = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        seconds = float(stripped)
    elif re.fullmatch(r"(\d+(\.\d+)?[hms])+", stripped):
        parts = re.findall(r"([\d.]+)([hms])", stripped)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        seconds = 0.0
    if seconds <= 0:
        raise HarnessError(f"'{text}' is not a span of time (write 10m, 90s or 1h30m)")
    return seconds
