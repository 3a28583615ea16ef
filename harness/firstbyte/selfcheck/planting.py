"""Makes planted backends findable for as long as a self-check looks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstbyte.engine.registry import PLUGINS_VARIABLE


@contextmanager
def findable(root: Path) -> Iterator[None]:
    """Add the plug-in root to this process's while the block lasts: another check must not meet it."""
    before = os.environ.get(PLUGINS_VARIABLE)
    os.environ[PLUGINS_VARIABLE] = os.pathsep.join(filter(None, (before, str(root))))
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLUGINS_VARIABLE]
        else:
            os.environ[PLUGINS_VARIABLE] = before
