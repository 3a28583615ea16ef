"""Work for other cores: the load under which the gate's self-check is repeated."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1000))"
"""It ends by itself once its parent has, however that ended."""


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep so many processes computing while the block lasts; nothing is left of them after it."""
    spinning = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()
