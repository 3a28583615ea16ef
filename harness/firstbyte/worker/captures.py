"""Where the captures of the heap instrument lie: written by a worker, read by the leak check.

Standard library only; memray itself is in `firstbyte.worker.instruments.heap`.
"""

from __future__ import annotations

from pathlib import Path

CAPTURES_VARIABLE = "FIRSTBYTE_CAPTURES"
"""Names the folder in which a worker keeps its captures; without it they are deleted once read."""


def capture_path(folder: Path, span: int) -> Path:
    """The capture of a process's span; the first is 0."""
    return folder / f"heap-{span:03d}.bin"
