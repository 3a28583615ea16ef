"""Files that cases read, made once in the cache: random bytes, so that sizes are what they seem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

VALUE_BYTES = 1024
ROWS = 96 * 1024
"""Of the long files: 96 MiB of values."""
ROW_GROUPS = 60
NUMBER_COLUMNS = 200
NUMBER_ROWS = 10_000
"""In a row group of the files of numbers."""
WIDE_FILES = 60
WIDE_COLUMNS = 1000


def many_row_groups(folder: Path) -> Path:
    """One file of 96 MiB in 60 row groups."""
    return _long(folder / "many.parquet", -(-ROWS // ROW_GROUPS))


def one_row_group(folder: Path) -> Path:
    """The same rows in one row group."""
    return _long(folder / "one.parquet", ROWS)


def ipc_file(folder: Path) -> Path:
    """The same rows as an Arrow IPC file, for mapping."""
    import pyarrow as pa

    path = folder / "rows.arrow"
    if not path.exists():
        partial = _partial(path)
        table = _values()
        with pa.OSFile(str(partial), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table, 1024)
        partial.replace(path)
    return path


def wide_files(folder: Path) -> list[Path]:
    """60 files of 1,000 columns and 10 rows: almost nothing but metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = folder / "wide"
    target.mkdir(parents=True, exist_ok=True)
    paths = [target / f"{number:02d}.parquet" for number in range(WIDE_FILES)]
    if missing := [path for path in paths if not path.exists()]:
        column = pa.array(range(10), pa.int64())
        table = pa.table(
            {f"a_column_called_{number:04d}": column for number in range(WIDE_COLUMNS)}
        )
        for path in missing:
            partial = _partial(path)
            pq.write_table(table, partial)
            partial.replace(path)
    return paths


def numbers(folder: Path, row_groups: int) -> Path:
    """A file of 200 columns of float32, 8 MB to the row group once decoded."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"numbers-{row_groups}.parquet"
    if not path.exists():
        partial = _partial(path)
        random = np.random.default_rng(0)
        names = [f"c{number:03d}" for number in range(NUMBER_COLUMNS)]
        schema = pa.schema([(name, pa.float32()) for name in names])
        with pq.ParquetWriter(partial, schema) as writer:
            for _ in range(row_groups):
                draws = random.integers(0, 100, (NUMBER_COLUMNS, NUMBER_ROWS)).astype("float32")
                writer.write_table(pa.table(list(draws), schema=schema))
        partial.replace(path)
    return path


def _long(path: Path, row_group_rows: int) -> Path:
    import pyarrow.parquet as pq

    if not path.exists():
        partial = _partial(path)
        pq.write_table(
            _values(),
            partial,
            row_group_size=row_group_rows,
            compression="none",
            use_dictionary=False,
        )
        partial.replace(path)
    return path


def _values() -> pa.Table:
    import numpy as np
    import pyarrow as pa

    content = np.random.default_rng(0).bytes(ROWS * VALUE_BYTES)
    kind = pa.binary(VALUE_BYTES)
    values = pa.Array.from_buffers(kind, ROWS, [None, pa.py_buffer(content)]).cast(pa.binary())
    return pa.table({"number": np.arange(ROWS), "value": values})


def _partial(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_suffix(".partial")
