"""The folder of built corpora: each appears whole or not at all, and is built by one process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firstbyte.corpora.manifest import MANIFEST_NAME


def key(*parts: Any) -> str:
    """A short name for what decides a corpus; the parts are JSON."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def folders(root: Path) -> list[Path]:
    """The folders of all built corpora."""
    return sorted(path.parent for path in root.glob(f"[!.]*/{MANIFEST_NAME}"))


@contextmanager
def locked(root: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on one corpus among processes; `waiting` is called if another one has it."""
    locks = root / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes `folder`'s place when the block ends well, and goes if not.

    The caller holds the lock: leftovers of a killed builder are removed.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
