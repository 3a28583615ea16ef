"""The environment in which live bytes are exact: no per-thread caches, Python's objects from malloc.

A chunk in a cache of glibc's counts as live (mallinfo(3) cannot tell), and pymalloc's arenas are
mappings that malloc's statistics do not know. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_TUNABLES = "GLIBC_TUNABLES"
_NO_CACHES = "glibc.malloc.tcache_count=0"
_PYTHON = {"PYTHONMALLOC": "malloc"}

QUIET: Mapping[str, str] = {_TUNABLES: _NO_CACHES, **_PYTHON}


def is_quiet(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a process with this environment is quiet; the user may have set other tunables beside."""
    return _NO_CACHES in environ.get(_TUNABLES, "") and _PYTHON.items() <= environ.items()
