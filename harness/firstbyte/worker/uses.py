"""One use of a reader in each of the shapes, for scenarios that look at what uses leave behind.

What a use made is gone when it returns, as far as the reader lets it go. Standard library only.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbyte.api import Backend
from firstbyte.worker.shapes import Shape

READERS = 4
"""Readers at once in a use of Shape.CONCURRENT."""
DAMAGED_FILES = 3
"""Files in a use of Shape.FAILING."""
CUT_SHARE = 0.5
TORN_SHARES = (0.5, 0.7)
"""So much that some of it is more than values, and that what stands at the end of a file stays."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is read and how."""

    backend: Backend
    columns: Sequence[str] | None
    batch_rows: int

    def open(self, path: Path) -> Any:
        return self.backend.open(path, columns=self.columns, batch_rows=self.batch_rows)


Use = Callable[[Opening, Path], int]
"""One use of the file; what it returns says which."""


def read_whole(opening: Opening, path: Path) -> int:
    """Rows of the file, read to its end and closed."""
    rows = 0
    with opening.open(path) as reader:
        for batch in reader:
            rows += reader.rows(batch)
    return rows


def abandon(opening: Opening, path: Path) -> int:
    """Rows of the first batch; batch and reader are dropped, and nothing is closed."""
    reader = opening.open(path)
    batch = next(reader, None)
    return 0 if batch is None else int(reader.rows(batch))


def read_side_by_side(opening: Opening, path: Path) -> int:
    """Rows of READERS threads that read the file at once. Raises what the first that failed raised."""
    rows: list[int] = []
    errors: list[BaseException] = []

    def one() -> None:
        try:
            rows.append(read_whole(opening, path))
        except BaseException as error:  # handed to the caller, who raises it
            errors.append(error)

    threads = [threading.Thread(target=one, daemon=True) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(rows)


def fail(opening: Opening, folder: Path) -> int:
    """How many of the folder's damaged files, and of one that is not there, gave an error."""
    missing = folder / "missing"
    return sum(_gives_error(opening, path) for path in (*sorted(folder.iterdir()), missing))


def _gives_error(opening: Opening, path: Path) -> bool:
    try:
        read_whole(opening, path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a Rust panic is no Exception
        return True
    return False


def scans_of(shape: Shape) -> int:
    """As long as how many scans one use takes, at most."""
    return READERS if shape is Shape.CONCURRENT else 1


IN_PROCESS: dict[Shape, Use] = {
    Shape.WHOLE: read_whole,
    Shape.ABANDONED: abandon,
    Shape.FAILING: fail,
    Shape.CONCURRENT: read_side_by_side,
    Shape.CHILDREN: read_whole,
}
"""What one use is in the process that does it."""


def damage(path: Path, folder: Path) -> None:
    """Put damaged copies of a file, or of a folder of files, into an empty folder: one is cut off in the
    middle, in the other a stretch behind the middle is overwritten.
    """
    for name, harm in (("cut", _cut), ("torn", _tear)):
        copy = folder / f"{name}-{path.name}"
        if path.is_file():
            shutil.copyfile(path, copy)
            harm(copy)
        else:
            shutil.copytree(path, copy)
            harm(max(_files(copy), key=lambda file: file.stat().st_size))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * CUT_SHARE))


def _tear(path: Path) -> None:
    start, stop = (int(path.stat().st_size * share) for share in TORN_SHARES)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * (stop - start))
