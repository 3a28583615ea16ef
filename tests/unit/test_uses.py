"""Uses of a reader: each shape does what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firstbyte.worker.shapes import Shape
from firstbyte.worker.uses import DAMAGED_FILES, IN_PROCESS, READERS, Opening, damage

ROWS = 20_000
BATCH_ROWS = 1000


class Reader:
    """Over pyarrow; tells its backend what becomes of it."""

    def __init__(self, backend: Backend, path: Path, batch_rows: int) -> None:
        self._backend = backend
        self._batches = pq.ParquetFile(path, pre_buffer=False).iter_batches(batch_rows)
        backend.opened += 1

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Any:
        return next(self._batches)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._backend.closed += 1

    def rows(self, batch: Any) -> int:
        return int(batch.num_rows)


class Backend:
    def __init__(self) -> None:
        self.opened = self.closed = 0

    def open(self, path: Path, *, columns: None, batch_rows: int) -> Reader:
        return Reader(self, path, batch_rows)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pa.table({"number": range(ROWS), "text": [f"row {row}" for row in range(ROWS)]})
    pq.write_table(table, tmp_path / "file.parquet", row_group_size=5000, compression="zstd")
    return tmp_path / "file.parquet"


def used(shape: Shape, what: Path) -> tuple[int, Backend]:
    backend: Any = Backend()
    return IN_PROCESS[shape](Opening(backend, None, BATCH_ROWS), what), backend


@pytest.mark.parametrize(
    ("shape", "rows", "readers", "closed"),
    [
        (Shape.WHOLE, ROWS, 1, 1),
        (Shape.CHILDREN, ROWS, 1, 1),
        (Shape.ABANDONED, BATCH_ROWS, 1, 0),
        (Shape.CONCURRENT, READERS * ROWS, READERS, READERS),
    ],
)
def test_so_many_rows_are_read_by_so_many_readers(
    path: Path, shape: Shape, rows: int, readers: int, closed: int
) -> None:
    found, backend = used(shape, path)
    assert (found, backend.opened, backend.closed) == (rows, readers, closed)


def test_damaged_and_missing_files_give_errors_and_nothing_else_is_done(
    path: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    whole = path.read_bytes()
    damage(path, damaged)
    found, backend = used(Shape.FAILING, damaged)
    assert found == DAMAGED_FILES
    assert backend.opened == backend.closed == 1, "the torn one can be opened, and fails within"
    assert path.read_bytes() == whole


def test_an_error_of_one_of_several_readers_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        used(Shape.CONCURRENT, tmp_path / "missing")


def test_folders_are_damaged_in_their_largest_file(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "large").write_bytes(path.read_bytes())
    (folder / "small").write_bytes(b"small")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    damage(folder, damaged)
    for copy in damaged.iterdir():
        assert (copy / "small").read_bytes() == b"small"
        assert (copy / "large").read_bytes() != path.read_bytes()
