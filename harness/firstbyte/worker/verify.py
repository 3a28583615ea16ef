"""What a backend delivers of a shard, as digests. Never measured; done in whichever process reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from firstbyte.api import Backend, Shard


def shard_digests(
    backend: Backend, shard: Shard, batch_rows: int, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Read the shard once: `rows`, and `columns` as name -> digest in the order delivered.

    `columns` of the result is None where no batch came at all; `asked` are those that were asked for,
    None for all. Raises whatever the backend raises.
    """
    from firstbyte.corpora.digest import ColumnDigests

    digests: ColumnDigests | None = None
    with backend.open(shard.path, columns=columns, batch_rows=batch_rows) as reader:
        for batch in reader:
            canonical = reader.canonical(batch)
            if digests is None:
                digests = ColumnDigests(canonical.schema.names)
            digests.update(canonical)
    asked = None if columns is None else list(columns)
    if digests is None:
        return {"rows": 0, "columns": None, "asked": asked}
    return {"rows": digests.rows, "columns": digests.hexdigests(), "asked": asked}


def dump(backend: Backend, shard: Shard, batch_rows: int, path: Path) -> None:
    """Read the shard once and write all of it down as a stream of Arrow IPC; no file where no batch came, or
    where it did not come to its end.

    Raises whatever the backend raises, and ValueError where the schema changes between batches.
    """
    import pyarrow

    writer: Any = None
    unfinished = path.with_suffix(".part")
    with backend.open(shard.path, batch_rows=batch_rows) as reader:
        for batch in reader:
            canonical = reader.canonical(batch)
            if writer is None:
                writer = pyarrow.ipc.new_stream(unfinished, canonical.schema)
            writer.write_batch(canonical)
    if writer is not None:
        writer.close()
        unfinished.rename(path)


def elsewhere(work: Callable[[], None]) -> None:
    """Have another thread do it. Raises whatever it raises."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(work).result()
