"""Builds and loads the small C library that the planted faults call."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from firstbyte.api import Unsupported

SOURCE = Path(__file__).with_name("planted.c")
LIBRARY = SOURCE.parent / "build" / "libplanted.so"


def build() -> Path:
    """The library, compiled if it is missing or older than its source.

    Raises Unsupported without a C compiler, so that the native faults are skipped with a reason.
    """
    if LIBRARY.exists() and LIBRARY.stat().st_mtime >= SOURCE.stat().st_mtime:
        return LIBRARY
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise Unsupported("the native planted faults need a C compiler (cc, or CC=...)")
    LIBRARY.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LIBRARY.parent) as scratch:
        made = Path(scratch) / LIBRARY.name
        command = [compiler, "-std=c11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
        subprocess.run([*command, "-o", str(made), str(SOURCE)], check=True, capture_output=True)
        # Renamed into place, as two workers may build at once.
        made.replace(LIBRARY)
    return LIBRARY


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
