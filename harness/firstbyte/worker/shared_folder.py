"""What uses leave in /dev/shm, told apart from what other programs of the same user leave there meanwhile.

Nobody can say whose such a file is. But a reader leaves it during its own uses, and others at any time: what
appears between two uses is theirs, and as much of it, for the time that the uses took, is taken off what
appeared in them; twice that, so that their rhythm does not look like a leak. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import time
from array import array

FOLDER = "/dev/shm"
_BLOCK_BYTES = 512
"""Unit of st_blocks (stat(2))."""
OTHERS = 2
"""What others are taken to leave, over what they were seen to leave between the uses."""


def folder_bytes(folder: str = FOLDER) -> int:
    """Memory of the user's files below the folder, however many names each has."""
    sizes: dict[tuple[int, int], int] = {}
    folders = [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with contextlib.suppress(FileNotFoundError):  # it was removed since it was listed
                    about = entry.stat(follow_symlinks=False)
                    if about.st_uid == os.getuid():
                        sizes[about.st_dev, about.st_ino] = about.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())


class SharedFolderWatch:
    """Looks before and after each use; keeps nothing that grows."""

    def __init__(self, uses: int) -> None:
        self._within = array("q", bytes(8 * uses))
        self._between = array("q", bytes(8 * uses))
        self._uses = 0
        self._before_bytes = self._after_bytes = folder_bytes()
        self._began_ns = self._ended_ns = time.monotonic_ns()
        self._within_ns = self._between_ns = 0

    def before_use(self) -> None:
        self._began_ns = time.monotonic_ns()
        self._before_bytes = folder_bytes()

    def after_use(self) -> None:
        """Raises IndexError after more uses than were announced."""
        before, now_ns = self._before_bytes, time.monotonic_ns()
        if self._uses:
            self._between_ns += self._began_ns - self._ended_ns
            self._between[self._uses] = before - self._after_bytes
        self._within_ns += now_ns - self._began_ns
        self._after_bytes = folder_bytes()
        self._within[self._uses] = self._after_bytes - before
        self._ended_ns = now_ns
        self._uses += 1

    def left_bytes(self) -> list[float]:
        """After each use, what all uses so far have left, less what others are taken to have left in them."""
        share = OTHERS * self._within_ns / max(1, self._between_ns)
        left, found = 0.0, []
        for within, between in zip(
            self._within[: self._uses], self._between[: self._uses], strict=True
        ):
            left += within - share * between
            found.append(left)
        return found
