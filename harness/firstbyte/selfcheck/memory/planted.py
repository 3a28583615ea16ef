"""The planted truths: what each fault of the planted backend is, and what the checks must say of
it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from firstbyte.api import Unsupported
from firstbyte.errors import HarnessError
from firstbyte.leaks.rules import LeakClass
from firstbyte.model import Subject
from firstbyte.plugins import PACKAGE, mount
from firstbyte.visibility.rule import Sight

BACKEND = "planted"
FOLDER = PACKAGE / "selfcheck" / "planted"
"""A plug-in root: its backend is found by self-checks and by nobody else."""

TRUTHS: dict[str, LeakClass] = {
    "clean": LeakClass.CLEAN,
    "malloc_leak": LeakClass.LEAK,
    "malloc_leak_4k": LeakClass.LEAK,
    "malloc_leak_per_batch": LeakClass.LEAK,
    "malloc_leak_every_7th": LeakClass.LEAK,
    "python_leak": LeakClass.LEAK,
    "mmap_leak": LeakClass.LEAK,
    "bundled_leak": LeakClass.LEAK,
    "bundled_leak_counted": LeakClass.LEAK,
    "thread_leak": LeakClass.LEAK,
    "descriptor_leak": LeakClass.LEAK,
    "retention": LeakClass.RETENTION,
    "fragmentation": LeakClass.FRAGMENTATION,
    "cache_bounded": LeakClass.CACHE,
    "cache_unbounded": LeakClass.CACHE,
    "accumulation": LeakClass.ACCUMULATION,
    "accumulation_bundled": LeakClass.ACCUMULATION,
    "read_ahead": LeakClass.CLEAN,
    "reference_cycle": LeakClass.CLEAN,
}
"""Variant of the planted backend -> the only right verdict."""

SIGHTS: dict[str, Sight] = {
    "native": Sight.SEEN,
    "bundled": Sight.HIDDEN,
    "bundled_counted": Sight.HIDDEN,
}
"""Variant -> what memray sees of it."""

HARDEST = ("malloc_leak", "bundled_leak")
"""The smallest planted leaks, with and without an allocator that can be asked: tried most often."""

CONTROLS = ("clean", "read_ahead", "reference_cycle")


@dataclass(frozen=True, slots=True)
class PlantedPeak:
    """A peak of known size, and whether memray can see it."""

    variant: str
    size_bytes: int
    in_heap: bool


PEAKS = (
    PlantedPeak("peak", 64 << 20, in_heap=True),
    PlantedPeak("peak_bundled", 64 << 20, in_heap=False),
)
"""Held for 10 ms in the middle of one scan."""
PEAK_TOLERANCE_BYTES = 1e6
PEAK_TOLERANCE_SHARE = 0.02


def planted_subject(variant: str) -> str:
    """`backend:variant` of a planted fault."""
    return str(Subject(BACKEND, variant))


def compile_faults() -> None:
    """Build what the planted faults need, before hours are spent on faults that need nothing.

    Raises HarnessError where there is no C compiler, or none that can.
    """
    mount([FOLDER])
    native = importlib.import_module(f"firstbyte.backends.{BACKEND}.native")
    try:
        native.build()
    except Unsupported as error:
        raise HarnessError(f"no memory self-check here: {error}") from error
    except OSError as error:
        raise HarnessError(
            f"no memory self-check here: cannot keep its C library in {error.filename}: "
            f"{error.strerror}"
        ) from error
