"""What a backend delivers of a shard, as digests. Never timed; done in whichever process reads."""

from __future__ import annotations

from typing import Any

from firstbyte.api import Backend, Shard


def shard_digests(backend: Backend, shard: Shard, batch_rows: int) -> dict[str, Any]:
    """Read the shard once: `rows`, and `columns` as name -> digest in the order delivered.

    `columns` is None where no batch came at all. Raises whatever the backend raises.
    """
    from firstbyte.corpora.digest import ColumnDigests

    digests: ColumnDigests | None = None
    with backend.open(shard.path, batch_rows=batch_rows) as reader:
        for batch in reader:
            canonical = reader.canonical(batch)
            if digests is None:
                digests = ColumnDigests(canonical.schema.names)
            digests.update(canonical)
    if digests is None:
        return {"rows": 0, "columns": None}
    return {"rows": digests.rows, "columns": digests.hexdigests()}
