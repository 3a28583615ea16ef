"""What a read may add to the process."""

from __future__ import annotations

import resource

from .faults import Greedy


class Growth:
    """Raises Greedy where the highest memory of the process rises by more than allowed within the block."""

    def __init__(self, allowed_bytes: int) -> None:
        self._allowed_bytes = allowed_bytes

    def __enter__(self) -> None:
        self._before = _highest_bytes()

    def __exit__(self, *exc_info: object) -> None:
        grown = _highest_bytes() - self._before
        if grown > self._allowed_bytes:
            raise Greedy(f"the process grew by {grown} bytes, {self._allowed_bytes} are allowed")


def _highest_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_address_space(more_bytes: int) -> None:
    """From now on the process can have so much more, and no core file."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123  a pseudo file, read at once
        pages = int(statm.read().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
