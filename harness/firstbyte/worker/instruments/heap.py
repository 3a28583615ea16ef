"""Requested heap bytes within the span, as memray sees them: allocation by allocation, with stacks.

memray patches the allocation calls of the loaded libraries. It does not see an allocator that is
linked into a library, and it counts a mapping at its full length, touched or not. A figure from
here is shown only where a certificate of the backend says that memray sees its allocations
(`firstbyte.visibility`).

Captures are full, not aggregated: only full ones give totals, and they survive a killed worker.
Neither native stacks nor Python's small-object allocator are traced: that slows a worker tenfold.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from firstbyte.api import Metric
from firstbyte.worker.captures import CAPTURES_VARIABLE, capture_path

PEAK_HEAP = Metric(
    "peak_heap_bytes", "highest heap in use as memray saw it", needs_certificate=True
)
ALLOCATED = Metric(
    "total_allocated_bytes", "all bytes ever requested as memray saw it", needs_certificate=True
)
ALLOCATIONS = Metric(
    "allocation_count", "all allocations as memray saw them", better="", needs_certificate=True
)
LEAKED = Metric(
    "leaked_heap_bytes",
    "bytes not freed when the span ended, as memray saw it",
    needs_certificate=True,
)
METRICS = (PEAK_HEAP, ALLOCATED, ALLOCATIONS, LEAKED)


class Probe:
    """Worker half: one memray capture per span.

    A directory named by the environment variable FIRSTBYTE_CAPTURES keeps the captures, one a span;
    otherwise each is deleted once it is read.
    """

    def __init__(self) -> None:
        # Imported with the probe, which is made before the worker takes its memory base: memray's own
        # weight is part of that.
        import memray

        self._memray = memray
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        kept = os.environ.get(CAPTURES_VARIABLE)
        if kept is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="firstbyte-heap-")
            kept = self._temporary.name
        self._directory = Path(kept)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._spans = 0
        self._stack = ExitStack()

    def begin(self) -> None:
        """Start to track. A capture of the same name from an earlier process is replaced."""
        destination = self._memray.FileDestination(
            self._path(), overwrite=True, compress_on_exit=False
        )
        self._stack.enter_context(self._memray.Tracker(destination=destination))

    def end(self) -> dict[str, float]:
        """Stop to track and read the capture.

        Returns peak and total of the requested bytes, the number of allocations, and the bytes
        allocated within the span that were not freed when it ended.
        """
        self._stack.close()
        path = self._path()
        self._spans += 1
        try:
            return read_capture(path)
        finally:
            if self._temporary is not None:
                path.unlink()

    def _path(self) -> Path:
        return capture_path(self._directory, self._spans)


def read_capture(path: Path) -> dict[str, float]:
    """The four figures of a full capture, in bytes or allocations. Raises OSError if damaged."""
    import memray

    # Private, but memray has no public way to total a capture without a Python object per allocation.
    from memray._memray import compute_statistics

    statistics = compute_statistics(str(path), report_progress=False, num_largest=1)
    with memray.FileReader(path) as reader:
        leaked = sum(
            record.size for record in reader.get_leaked_allocation_records(merge_threads=True)
        )
    return {
        PEAK_HEAP.name: float(statistics.peak_memory_allocated),
        ALLOCATED.name: float(statistics.total_memory_allocated),
        ALLOCATIONS.name: float(statistics.total_num_allocations),
        LEAKED.name: float(leaked),
    }
