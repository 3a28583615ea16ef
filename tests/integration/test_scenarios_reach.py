"""Import cost, codec floor, responsiveness and endurance in real workers, with planted disturbances."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from conftest import FAULTY, WORK

from firstbyte.engine import registry, session
from firstbyte.engine.plan import Axes
from firstbyte.model import Record, Status

pytestmark = pytest.mark.alone

UNQUIET = Path(__file__).parent / "unquiet"
USES = 12
SHORT = {"endurance": {"uses": USES}, "responsiveness": {"scan_s": 0.05}}
"""So much less than in earnest: what is tested is what is seen, not how often."""
REAL = [
    "pyarrow:buffered",
    pytest.param(
        "arrow_rs:threads2",
        marks=pytest.mark.skipif(
            "firstbyte_arrow" not in {d.metadata["Name"] for d in metadata.distributions()},
            reason="firstbyte_arrow is not installed: pip install ./backends/arrow_rs",
        ),
    ),
]
MILLISECOND = 1e6

Measure = Callable[..., Record]


@pytest.fixture(scope="module")
def measure(tiny_corpus: str, cache_home: Path) -> Iterator[Measure]:
    """Runs one cell of a scenario in one process, with its parameters made small."""

    def record(scenario: str, backend: str, **params: Any) -> Record:
        axes = Axes(
            scenarios=(scenario,),
            backends=(backend,),
            corpora=(tiny_corpus,),
            params={name: (str(value),) for name, value in params.items()},
            profile="full",
        )
        opened = session.open_session(axes)
        (planned,) = opened.plan.cells
        small = {**planned.cell.params, **SHORT.get(scenario, {})}
        cell = replace(planned.cell, processes=1, params=small)
        return opened.engine("reach").record(replace(planned, warmup_processes=0, cell=cell))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv(registry.PLUGINS_VARIABLE, f"{UNQUIET}{os.pathsep}{FAULTY}")
        yield record


def figures(record: Record) -> dict[str, float]:
    assert record.status is Status.OK, record.reason + record.stderr_tail
    (sample,) = record.samples
    return dict(sample.values)


@pytest.mark.parametrize("backend", REAL)
def test_an_import_costs_time_and_memory(measure: Measure, backend: str) -> None:
    found = figures(measure("import_cost", backend))
    assert found["import_ns"] > 0
    assert found["import_rss_file_bytes"] > 100_000  # a native library has been mapped and touched


def test_the_memory_of_an_import_is_that_of_the_import(measure: Measure) -> None:
    control = figures(measure("import_cost", "unquiet:quiet"))
    heavy = figures(measure("import_cost", "unquiet:heavy_import"))
    gained = heavy["import_rss_anon_bytes"] - control["import_rss_anon_bytes"]
    assert gained == pytest.approx(16 << 20, rel=0.05)


def test_the_codec_alone_gives_every_byte_of_every_page(
    measure: Measure, tiny_shards: Path
) -> None:
    pytest.importorskip("firstbyte_arrow")
    import pyarrow.parquet

    found = figures(measure("codec_floor", "arrow_rs:default"))
    assert found["cpu_ns"] > 0
    assert found["wall_ns"] > 0
    metadata_of = [pyarrow.parquet.read_metadata(path) for path in tiny_shards.glob("*.parquet")]
    # What a footer calls uncompressed holds the headers of the pages as well.
    uncompressed = sum(
        of.row_group(group).column(column).total_uncompressed_size
        for of in metadata_of
        for group in range(of.num_row_groups)
        for column in range(of.num_columns)
    )
    assert 0.9 * uncompressed < found["decompressed_bytes"] < uncompressed


def test_the_memory_floor_is_a_page_and_a_dictionary_of_each_column_and_a_batch(
    measure: Measure, tiny_shards: Path
) -> None:
    firstbyte_arrow = pytest.importorskip("firstbyte_arrow")
    found = figures(measure("codec_floor", "arrow_rs:default"))
    datasets = [firstbyte_arrow.open(path) for path in tiny_shards.glob("*.parquet")]
    pages_bytes = max(dataset.pages_in_hand() for dataset in datasets)
    assert 0 < found["memory_floor_bytes"] - pages_bytes < found["decompressed_bytes"]


def test_a_backend_without_a_codec_only_pass_is_skipped(measure: Measure) -> None:
    record = measure("codec_floor", "pyarrow:buffered")
    assert (record.status, record.reason) == (Status.SKIPPED, "has no codec-only pass")


@pytest.mark.parametrize("backend", REAL)
def test_sleeps_beside_a_scan_and_alone(measure: Measure, backend: str) -> None:
    found = figures(measure("responsiveness", backend))
    for name in ("sleep", "idle_sleep"):
        p50, p99, most = (found[f"{name}_{of}_ns"] for of in ("p50", "p99", "max"))
        assert 0.5 * MILLISECOND <= p50 <= p99 <= most
    assert found["sleeps_count"] >= 1


def test_a_reader_that_holds_the_lock_is_seen_and_the_idle_sleeps_are_not_touched(
    measure: Measure,
) -> None:
    held_ns = 200 * MILLISECOND * WORK
    found = figures(measure("responsiveness", "unquiet:holds_lock"))
    assert found["sleep_p99_ns"] >= held_ns
    assert found["sleep_max_ns"] >= held_ns
    # So long that idle sleeps of 0.5 ms stay below it on any host that gets anything done.
    assert found["idle_sleep_p50_ns"] < held_ns


@pytest.mark.parametrize("use", ["whole", "abandoned"])
@pytest.mark.parametrize("backend", [*REAL, "unquiet:quiet"])
def test_nothing_is_left(measure: Measure, backend: str, use: str) -> None:
    found = figures(measure("endurance", backend, use=use))
    assert found["uses_count"] == USES
    assert found["left_live_bytes"] == 0
    assert found["left_threads"] == 0
    assert found["left_descriptors"] == 0
    assert "left_rss_anon_bytes" in found


@pytest.mark.parametrize(
    ("fault", "use", "metric", "left"),
    [
        ("leaves_thread", "whole", "left_threads", USES),
        ("leaves_descriptor", "abandoned", "left_descriptors", USES),
        ("leaves_bytes", "whole", "left_live_bytes", 100 * USES),
        ("leaves_abandoned", "abandoned", "left_live_bytes", 100 * USES),
        ("leaves_abandoned", "whole", "left_live_bytes", 0),
        ("returns_late", "whole", "left_live_bytes", 0),
        ("returns_late", "whole", "most_left_live_bytes", 200),
    ],
)
def test_what_is_left_is_counted(
    measure: Measure, fault: str, use: str, metric: str, left: int
) -> None:
    found = figures(measure("endurance", f"unquiet:{fault}", use=use))
    assert found[metric] == left


def test_a_backend_without_a_counter_has_no_exact_figure(measure: Measure) -> None:
    found = figures(measure("endurance", "sound", use="whole"))
    assert "left_live_bytes" not in found
    assert "most_left_live_bytes" not in found
    assert {"left_rss_anon_bytes", "left_threads", "left_descriptors"} <= set(found)


@pytest.mark.parametrize(
    ("scenario", "params", "fault", "reason"),
    [
        ("endurance", {"use": "whole"}, "one_row_less", "row count mismatch, expected 2000"),
        ("endurance", {"use": "abandoned"}, "wrong_value", "column 'number', row "),
        ("responsiveness", {}, "one_row_less", "row count mismatch, expected 3000, got 2999"),
        ("import_cost", {}, "wrong_value", "column 'number', row "),
    ],
)
def test_wrong_rows_are_no_figure(
    measure: Measure, scenario: str, params: dict[str, Any], fault: str, reason: str
) -> None:
    record = measure(scenario, f"faulty:{fault}", **params)
    assert record.status is Status.WRONG
    assert reason in record.reason
