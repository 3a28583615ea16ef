"""What a backend's own counters say is named after the allocator, and peaks are added up once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from firstbyte.worker.instruments.allocators import Ledgers, aftermath
from firstbyte.worker.ledgers import (
    FREE,
    KERNELS,
    PEAKS,
    RESIDENT,
    Moment,
    allocator_of,
    counts_live,
    live_ledger,
)
from firstbyte.worker.quiet import QUIET, is_quiet


def counting() -> Any:
    return SimpleNamespace(
        allocator_bytes=lambda: {"Arrow pool": 5, "other": 6},
        allocator_peak_bytes=lambda: {"Arrow pool": 7, "other": 8},
    )


@pytest.fixture
def ledgers() -> Iterator[Ledgers]:
    with closing(Ledgers(counting())) as made:
        yield made


def test_peaks_are_told_apart_and_added_up(ledgers: Ledgers) -> None:
    assert ledgers.peaks() == {"arrow_pool_peak_bytes": 7, "other_peak_bytes": 8, PEAKS: 15}
    with closing(Ledgers(SimpleNamespace())) as silent:  # type: ignore[arg-type]
        assert silent.peaks() == {}


def test_ledgers_are_named_after_their_allocators(ledgers: Ledgers) -> None:
    read = ledgers.read()
    assert {name: read[name] for name in ("arrow_pool_live_bytes", "other_live_bytes")} == {
        "arrow_pool_live_bytes": 5,
        "other_live_bytes": 6,
    }
    of_kernel = {name for name in read if not counts_live(name)}
    assert RESIDENT in of_kernel
    assert of_kernel <= set(KERNELS)
    assert allocator_of(live_ledger("Arrow pool")) == "arrow_pool"


def test_what_is_left_is_read_before_and_after_the_trim(ledgers: Ledgers) -> None:
    left = aftermath(ledgers)
    assert left.moments.keys() == {Moment.DROPPED, Moment.TRIMMED}
    values = left.values()
    for moment, readings in left.moments.items():
        assert moment.readings(values) == readings
    assert values.get(FREE) == left.free_bytes


def test_the_quiet_environment_is_recognised_among_other_tunables() -> None:
    assert is_quiet(QUIET)
    beside = {**QUIET, "GLIBC_TUNABLES": f"glibc.malloc.check=1:{QUIET['GLIBC_TUNABLES']}"}
    assert is_quiet(beside)
    assert not is_quiet({**QUIET, "PYTHONMALLOC": "pymalloc"})
    assert not is_quiet({})
