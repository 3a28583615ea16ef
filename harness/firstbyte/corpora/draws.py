"""Random numbers that are the same on every machine and under every version of NumPy.

NumPy promises stable output for its bit generators and seed sequences only, not for the
distributions on top of them, and floating-point functions differ between machines. So everything
here is integer arithmetic on raw PCG64 output (O'Neill, "PCG", 2014).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class Draws:
    """A stream of integers. A seed may have several parts: each combination is its own stream."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def words16(self, count: int) -> npt.NDArray[np.uint16]:
        """`count` integers, uniform in [0, 65536)."""
        raw = self._bits.random_raw(-(-count // 4)).astype("<u8", copy=False)
        return raw.view("<u2")[:count]

    def words8(self, count: int) -> npt.NDArray[np.uint8]:
        """`count` integers, uniform in [0, 256)."""
        return self.words16(-(-count // 2)).view(np.uint8)[:count]

    def below(self, bound: int, count: int) -> Integers:
        """`count` integers, uniform in [0, bound) up to a bias of bound / 2**32; bound <= 2**31."""
        raw = self._bits.random_raw(-(-count // 2)).astype("<u8", copy=False)
        words = raw.view("<u4")[:count].astype(np.uint64)
        return ((words * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)

    def lengths(self, quantiles: tuple[int, ...], count: int) -> Integers:
        """`count` integers whose distribution has these equally spaced quantiles, minimum first."""
        edges: Integers = np.array(quantiles, np.int64)
        position = self.below((len(quantiles) - 1) << 16, count)
        segment, fraction = position >> 16, position & 0xFFFF
        width = edges[segment + 1] - edges[segment]
        lengths: Integers = edges[segment] + ((width * fraction) >> 16)
        return lengths


def zipf_table(ranks: int) -> npt.NDArray[np.uint16]:
    """Maps uniform 16-bit words to ranks: rank r comes up in proportion to 1 / (r + 2).

    Zipf's law with Mandelbrot's shift, in integers. `ranks` <= 8192.
    """
    scale = 1 << 13
    counts = np.maximum(1, scale // (np.arange(ranks) + 2))
    spread = np.repeat(np.arange(ranks, dtype=np.uint16), counts)
    table: npt.NDArray[np.uint16] = spread[(np.arange(1 << 16) * len(spread)) >> 16]
    return table
