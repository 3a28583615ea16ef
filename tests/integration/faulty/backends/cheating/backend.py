"""One way to cheat per variant, by which figures become too good: everything else is the backend `sound`.

A cheat is a function that makes the backend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from firstbyte.backends.sound.backend import SoundBackend


def honest() -> SoundBackend:
    return SoundBackend()


def clock_of(rate: float) -> Callable[[], SoundBackend]:
    """A clock that goes at this rate from the import on."""

    def cheat() -> SoundBackend:
        true_ns = time.monotonic_ns
        began_ns = true_ns()
        time.monotonic_ns = lambda: began_ns + int((true_ns() - began_ns) * rate)
        return SoundBackend()

    return cheat


CHEATS: Mapping[str, Callable[[], SoundBackend]] = {
    "honest": honest,
    "slow_clock": clock_of(0.5),
    "fast_clock": clock_of(2.0),
    "still_clock": clock_of(0.0),
}


def create(cheat: str) -> SoundBackend:
    return CHEATS[cheat]()
