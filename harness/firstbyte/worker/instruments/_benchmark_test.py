"""What pytest collects inside a worker (`firstbyte.worker.instruments.pytest_benchmark`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_calls(benchmark: Any, use: Callable[[Any], None]) -> None:
    use(benchmark)
