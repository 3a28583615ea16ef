"""Files that are there whole or not at all, and that can be written when their time comes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from firstbyte.errors import HarnessError


def write_whole(path: Path, text: str) -> None:
    """Write the text in one step, so that nobody reads a part of it, not even after a power cut.

    Makes the folder. Two processes may write it at once: the later one's text is there whole. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def require_place(path: Path) -> None:
    """Make the folder of a file that is to be written later: nobody wants to hear of it hours later.

    Raises HarnessError where it cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from error
