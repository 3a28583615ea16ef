"""What a pass delivered, kept to be looked at afterwards: a reader cannot tell it from a timed one.

A second pass for digests is made by other code than the timed one, and whoever reads can see by whom it is
asked. So a scenario makes one pass more by its own code, and keeps the batches of one shard, drawn at random.
Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from firstbyte.api import Reader, Shard

MOST_BYTES = 16_000_000
"""Of a shard's file: all that it holds is in memory at once."""


class KeptPass:
    """The batches of one shard."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self._taken: list[tuple[Reader, Any]] = []

    def take(self, shard: int, reader: Reader, batch: Any) -> None:
        """Keep the batch, if it is of the shard that was drawn."""
        if shard == self.shard:
            self._taken.append((reader, batch))

    def digests(self) -> dict[str, Any]:
        """Of all that was taken, in the order in which it was: as `worker.verify.shard_digests` gives them.

        Raises whatever the reader raises.
        """
        from firstbyte.corpora.digest import ColumnDigests

        batches = (reader.canonical(batch) for reader, batch in self._taken)
        digests: ColumnDigests | None = None
        for batch in batches:
            if digests is None:
                digests = ColumnDigests(batch.schema.names)
            digests.update(batch)
        if digests is None:
            return {"rows": 0, "columns": None}
        return {"rows": digests.rows, "columns": digests.hexdigests()}


def drawn(shards: Sequence[Shard]) -> KeptPass | None:
    """For one of the shards that are small enough; None where none is."""
    small = [
        number
        for number, shard in enumerate(shards)
        if shard.path.is_file() and shard.path.stat().st_size <= MOST_BYTES
    ]
    return KeptPass(small[int.from_bytes(os.urandom(4), "big") % len(small)]) if small else None
