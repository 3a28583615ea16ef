"""Numbers for people: the unit is read from the metric's name, one unit for a whole column."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

_TIME = (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9))
_BYTES = (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9))
_COUNT = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9))
_SECONDS = (("s", 1.0),)
_PLAIN = (("", 1.0),)

DECIMAL_NOTE = "1 kB = 1,000 bytes, 1 MB = 1,000,000 bytes"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a stored value is divided by before it is shown, and the symbol it is shown with."""

    symbol: str
    scale: float

    def text(self, value: float) -> str:
        """The value in this unit with three significant digits and no symbol."""
        return number(value / self.scale)


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    ladder: tuple[tuple[str, float], ...]
    suffix: str = ""


def unit_for(metric: str, values: Iterable[float]) -> Unit:
    """The unit for all of `values` (in the metric's stored unit), chosen by their median size."""
    kind = _kind(metric)
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    typical = statistics.median_low(sizes) if sizes else 0.0
    symbol, scale = kind.ladder[0]
    for candidate, step in kind.ladder[1:]:
        # 0.95 so that values about to be rounded up to the next unit are shown in it.
        if typical >= 0.95 * step:
            symbol, scale = candidate, step
    # A prefix binds to its noun by a space ("k rows/s"), a unit to "/s" by none ("MB/s").
    joint = " " if symbol and kind.suffix and not kind.suffix.startswith("/") else ""
    return Unit(f"{symbol}{joint}{kind.suffix}", scale)


def title(metric: str) -> str:
    """The metric's name as words, without its unit: `first_byte_ns` is 'first byte'."""
    return _kind(metric).title


def number(value: float) -> str:
    """Three significant digits and thousands separators; never in exponent form."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}"


def duration(seconds: float) -> str:
    """A span of time as a clock would count it down: '8 s', '3 min 05 s', '1 h 02 min'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _kind(metric: str) -> _Kind:
    if metric.endswith("_bytes_per_s"):
        return _Kind(_words(metric, "_bytes_per_s"), _BYTES, "/s")
    if metric == "bytes_per_s":
        return _Kind("throughput", _BYTES, "/s")
    if metric.endswith("_ns"):
        return _Kind(_words(metric, "_ns"), _TIME)
    if metric.endswith("_bytes"):
        return _Kind(_words(metric, "_bytes"), _BYTES)
    if "_bytes_per_" in metric:
        name, _, per = metric.rpartition("_bytes_per_")
        return _Kind(_words(name), _BYTES, f"/{per.replace('_', ' ')}")
    if metric.endswith("_per_s"):
        noun = _words(metric, "_per_s")
        return _Kind(f"{noun} per second", _COUNT, f"{noun}/s")
    if metric.endswith("_ratio"):
        return _Kind(_words(metric), _PLAIN)
    if metric.endswith("_s"):
        return _Kind(_words(metric, "_s"), _SECONDS)
    return _Kind(_words(metric), _COUNT)


def _words(metric: str, suffix: str = "") -> str:
    words = metric.removesuffix(suffix).replace("_", " ")
    return (
        words.replace("rss anon", "RssAnon")
        .replace("rss file", "RssFile")
        .replace("rss shmem", "RssShmem")
        .replace("rss", "memory")
        .replace("vm hwm", "VmHWM")
    )
