"""Where things are kept: results and reports in the project, what can be made again in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from harness.registry import PROJECT

RESULTS = PROJECT / "results"
REPORTS = PROJECT / "reports"


def cache() -> Path:
    """`$XDG_CACHE_HOME/firstbyte`, by default `~/.cache/firstbyte` (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "firstbyte"
