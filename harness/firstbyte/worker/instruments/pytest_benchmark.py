"""The timer of pytest-benchmark: one call in the mean over a round, as many rounds as it finds worth it.

It calibrates how many calls make a round, so that what is short is not lost in the clock's own time,
and keeps garbage collection out of them. pytest runs inside the worker, with one test and no plug-in
but this one, so that limits, crashes and checks are those of every other cell.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firstbyte.api import Metric, Unsupported

CALL = Metric("call_ns", "one call, the mean over a round of calls")
METRICS = (CALL,)

_TEST = Path(__file__).with_name("_benchmark_test.py")
_OPTIONS = [
    *(str(_TEST), f"--rootdir={_TEST.parent}", "-c", os.devnull, "--noconftest"),
    *("--import-mode=importlib", "--assert=plain", "-q", "-s", "--no-header", "--no-summary"),
    *("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler"),
    *("--benchmark-only", "--benchmark-quiet", "--benchmark-disable-gc"),
    # A round of a millisecond: many enough to see the spread, few enough to keep every one of them.
    *("--benchmark-min-rounds=20", "--benchmark-max-time=0.5", "--benchmark-min-time=0.001"),
]


class Probe:
    """pytest-benchmark reads the clock around its rounds: nothing is left to do around the span."""

    def __init__(self) -> None:
        try:
            import pytest_benchmark.plugin  # noqa: F401
        except ImportError as error:
            raise Unsupported(
                f"pytest-benchmark is not there ({error}): pip install pytest-benchmark"
            ) from error

    def begin(self) -> None:
        pass

    def end(self) -> dict[str, float]:
        return {}


class Rounds:
    """A plug-in of pytest that gives its test what to measure, and keeps what came of it."""

    def __init__(self, use: Callable[[Any], object]) -> None:
        self._use = use
        self._error: BaseException | None = None
        self._seconds: list[float] = []

    def pytest_generate_tests(self, metafunc: Any) -> None:
        metafunc.parametrize("use", [self._measure], ids=["use"])

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if call.excinfo is not None and self._error is None:
            self._error = call.excinfo.value

    def _measure(self, benchmark: Any) -> None:
        self._use(benchmark)
        self._seconds = list(benchmark.stats.stats.data)

    def run(self) -> list[float]:
        """Nanoseconds a call, round by round. Raises what the measured code raised."""
        import pytest

        # A user's options and plug-ins, or a session of pytest around this worker, are none of ours.
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        code = pytest.main(_OPTIONS, plugins=[self])
        if self._error is not None:
            raise self._error
        if not self._seconds:
            raise RuntimeError(f"pytest-benchmark gave no rounds: pytest ended with {code!r}")
        return [seconds * 1e9 for seconds in self._seconds]


def rounds_ns(use: Callable[[Any], object]) -> list[float]:
    """Nanoseconds a call, a figure for each round.

    `use` gets pytest-benchmark's `benchmark` and calls it, or its `pedantic`, once. Raises what it
    raises.
    """
    return Rounds(use).run()
