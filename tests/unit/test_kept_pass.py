"""Batches of one more pass: which are kept, and that they are judged as what the scenario read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa

from firstbyte.api import Reader, Shard
from firstbyte.corpora.digest import ColumnDigests
from firstbyte.worker.kept import MOST_BYTES, KeptPass, drawn

READER = cast(Reader, SimpleNamespace(canonical=lambda batch: batch))
BATCHES = pa.table({"n": list(range(10))}).to_batches(max_chunksize=4)


def expected() -> dict[str, Any]:
    digests = ColumnDigests(["n"])
    for batch in BATCHES:
        digests.update(batch)
    return {"rows": 10, "columns": digests.hexdigests()}


def test_only_what_was_drawn_is_kept_and_in_order() -> None:
    kept = KeptPass(1)
    for shard in (0, 1, 2):
        for batch in BATCHES:
            kept.take(shard, READER, batch)
    assert kept.digests() == expected()


def test_without_a_batch_there_are_no_columns() -> None:
    assert KeptPass(0).digests() == {"rows": 0, "columns": None}


def test_every_shard_that_is_small_enough_can_be_drawn(tmp_path: Path) -> None:
    shards = [Shard(tmp_path / str(number), 1) for number in range(4)]
    for number, shard in enumerate(shards):
        with shard.path.open("wb") as file:
            file.truncate(MOST_BYTES + (number == 2))
    seen = {cast(KeptPass, drawn(shards)).shard for _ in range(200)}
    assert seen == {0, 1, 3}
    assert drawn(shards[2:3]) is None
    assert drawn([]) is None
