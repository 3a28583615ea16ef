"""Builds and loads the small C library that the planted faults call.

It is kept in the user's cache: where the package is installed may be read-only, or somebody else's.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from firstbyte import places
from firstbyte.api import Unsupported

SOURCE = Path(__file__).with_name("planted.c")
FLAGS = ("-std=c11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC")
COMPILER_LINES = 3
"""So much of what a compiler says goes into the reason."""


def build() -> Path:
    """The library, compiled unless the cache has one of the same source.

    Raises Unsupported without a C compiler that can build it, so that the native faults are skipped with
    a reason, and OSError where the cache cannot be written.
    """
    content = hashlib.blake2b(SOURCE.read_bytes(), digest_size=8).hexdigest()
    library = places.cache() / "planted" / f"libplanted-{content}.so"
    if library.exists():
        return library
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise Unsupported("the native planted faults need a C compiler (cc, or CC=...)")
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        done = subprocess.run(
            [compiler, *FLAGS, "-o", str(made), str(SOURCE)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            said = " | ".join(done.stderr.strip().splitlines()[:COMPILER_LINES])
            raise Unsupported(f"{compiler} cannot build the native planted faults: {said}")
        # Renamed into place, as two workers may build at once.
        made.replace(library)
    return library


def load() -> ctypes.CDLL:
    """The library with its signatures set. Raises Unsupported without a C compiler."""
    library = ctypes.CDLL(str(build()))
    for name, arguments, result in (
        ("native_alloc", [ctypes.c_size_t], ctypes.c_void_p),
        ("native_free", [ctypes.c_void_p], None),
        ("native_map", [ctypes.c_size_t], ctypes.c_void_p),
        ("native_unmap", [ctypes.c_void_p, ctypes.c_size_t], None),
        ("burst_under_pin", [ctypes.c_size_t, ctypes.c_size_t], ctypes.c_int),
        ("fragment", [ctypes.c_size_t], ctypes.c_int),
        ("bundled_alloc", [ctypes.c_size_t], ctypes.c_void_p),
        ("bundled_free", [ctypes.c_void_p], None),
        ("bundled_live_bytes", [], ctypes.c_size_t),
    ):
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = result
    return library
