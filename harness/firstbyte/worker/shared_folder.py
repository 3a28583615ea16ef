"""What uses leave in /dev/shm, told apart from what other programs of the same user leave there meanwhile.

Nobody can say whose such a file is. But a reader leaves it during its own uses, and others at any time: what
stays of what appears between two uses is theirs, and where that is not little, nothing can be said of the
uses. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from itertools import accumulate

FOLDER = "/dev/shm"
_BLOCK_BYTES = 512
"""Unit of st_blocks (stat(2))."""
OTHERS_SHARE = 0.1
"""Of what uses seem to leave: so much between them, and it is taken to be others' work altogether."""


def folder_bytes(folder: str = FOLDER) -> int:
    """Memory of the user's files below the folder, however many names each has."""
    sizes: dict[
        int, int
    ] = {}  # by number alone: Python keeps tuples that were freed, for all files
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
                        sizes[about.st_ino] = about.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())


class SharedFolderWatch:
    """Looks before and after each use; keeps nothing that grows."""

    def __init__(self, uses: int) -> None:
        self._within = array("q", bytes(8 * uses))
        self._between = array("q", bytes(8 * uses))
        self._uses = 0
        self._before_bytes = self._after_bytes = folder_bytes()

    def before_use(self) -> None:
        self._before_bytes = folder_bytes()

    def after_use(self) -> None:
        """Raises IndexError after more uses than were announced."""
        self._between[self._uses] = self._before_bytes - self._after_bytes
        self._after_bytes = folder_bytes()
        self._within[self._uses] = self._after_bytes - self._before_bytes
        self._uses += 1

    def left_bytes(self) -> list[float]:
        """After each use, what all uses so far have left; zeros where others left something as well."""
        within = self._within[: self._uses]
        if sum(self._between) > OTHERS_SHARE * sum(within):
            return [0.0] * self._uses
        return [float(left) for left in accumulate(within)]
