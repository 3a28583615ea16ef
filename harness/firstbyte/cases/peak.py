"""The highest RssAnon during a call that does not come back in between, from a process beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from firstbyte.plugins import PACKAGE

_WATCH = """
import os, sys, time
from firstbyte.worker.status import read_status
status = os.open(f"/proc/{sys.argv[1]}/status", os.O_RDONLY)
os.set_blocking(0, False)
top = 0
print("ready", flush=True)
while sys.stdin.buffer.read(1) is None:
    top = max(top, read_status(status).anon)
    time.sleep(0.001)
print(top, flush=True)
"""


@contextmanager
def peak_rss_anon_bytes() -> Iterator[Callable[[], float]]:
    """Watch this process while inside; afterwards the yielded function returns the peak in bytes."""
    watcher = subprocess.Popen(
        [sys.executable, "-c", _WATCH, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )
    assert watcher.stdout is not None
    watcher.stdout.readline()
    found: list[float] = []
    try:
        yield lambda: found[0]
    finally:
        out, _ = watcher.communicate(b"x")
        found.append(float(out))
