"""What pytest collects for `firstbyte microbench`: one backend and variant, in a pytest process of its own.

The order of the worker protocol comes in the environment variable FIRSTBYTE_ORDER. Rows and first
value are checked here, outside the timed calls: a wrong one fails the benchmark, so it has no figure.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from firstbyte.api import Backend, Shard
from firstbyte.worker import pagecache
from firstbyte.worker.loading import create_backend
from firstbyte.worker.order import Order

NEXT_BATCH_ROUNDS = 60

ORDER = Order.from_json(os.environ["FIRSTBYTE_ORDER"])
hot_paths: Any = importlib.import_module(ORDER.scenario_module)
SHARD = Shard(Path(ORDER.shards[0]), ORDER.shard_rows[0])


@pytest.fixture(scope="module")
def backend() -> Backend:
    made = create_backend(ORDER.plugin_roots, ORDER.backend_module, ORDER.backend_options)
    pagecache.warm(SHARD.path)
    return made


def test_reopen_first_batch(benchmark: Any, backend: Backend) -> None:
    benchmark.extra_info["versions"] = backend.versions()
    batch = benchmark(hot_paths.reopen_first_batch, backend, SHARD, ORDER.batch_rows)
    with backend.open(SHARD.path, batch_rows=ORDER.batch_rows) as reader:
        assert reader.rows(batch) == reader.rows(next(reader)), "two first batches differ in rows"


def test_next_batch(benchmark: Any, backend: Backend) -> None:
    benchmark.extra_info["versions"] = backend.versions()
    path = hot_paths.NextBatch(backend, SHARD, ORDER.batch_rows)
    benchmark.pedantic(path.step, setup=path.make_ready, rounds=NEXT_BATCH_ROUNDS)


def test_first_value(benchmark: Any, backend: Backend) -> None:
    benchmark.extra_info["versions"] = backend.versions()
    with backend.open(SHARD.path, batch_rows=ORDER.batch_rows) as reader:
        batch = next(reader)
        value = benchmark(hot_paths.first_value(reader, batch, ORDER.text_column))
    expected = os.environ["FIRSTBYTE_FIRST_VALUE"]
    assert not expected or repr(value) == expected, "the first value is not the corpus's"
