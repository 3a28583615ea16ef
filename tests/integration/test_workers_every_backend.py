"""Every installed backend and variant through every scenario, on files with what formats stumble over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import WORK

from firstbyte.engine import registry, session
from firstbyte.engine.cells import Engine
from firstbyte.engine.plan import Axes, Planned
from firstbyte.model import Record, Status

CATALOGUE = registry.discover()
INSTALLED = [
    f"{backend.name}:{variant.name}"
    for backend in CATALOGUE.backends.values()
    for variant in backend.variants
    if not backend.unavailable
]
Point = tuple[str, Mapping[str, Any]]
"""An instrument, and parameters."""

POINTS: dict[str, list[Point]] = {
    "full_scan": [("clock", {}), ("proc_memory", {}), ("heap", {})],
    "time_to_first_byte": [
        ("clock", {"start": "cold", "cache": "warm"}),
        ("clock", {"start": "reopened", "cache": "evicted"}),
    ],
    "concurrent_reads": [
        ("clock", {"mode": "threads", "readers": 2}),
        ("clock", {"mode": "processes", "readers": 2}),
    ],
    "allocator_slack": [("proc_memory", {"pool": "shipped"})],
    "leak_scan": [("proc_memory", {})],
    "endurance": [("proc_memory", {"use": "abandoned", "uses": 1000})],
}
"""Points that together use every value but the numbers of readers, where that is not all of the grid; what
not every backend has, such as a pool to normalise, is tested where it is planted."""
DEFAULTS = {
    f"{backend.name}:{variant.name}"
    for backend in CATALOGUE.backends.values()
    for variant in backend.variants
    if variant.default
}
OTHER_VARIANTS: dict[str, list[Point]] = {
    "allocator_slack": POINTS["allocator_slack"],
    "full_scan": [("clock", {})],
    "time_to_first_byte": [("clock", {"start": "reopened", "cache": "evicted"})],
    "concurrent_reads": [("clock", {"mode": "threads", "readers": 2})],
    "leak_scan": [],
    "endurance": [],
}
"""Variants differ in how they read: their digests count, once in each way of reading."""
ELSEWHERE = {
    "hot_paths": "does not depend on how odd a file is: test_faults",
    "accumulation": "needs far more than a tiny corpus: tested on memory whose truth is known",
    "visibility": "needs far more than a tiny corpus: tested on memory whose truth is known",
    "import_cost": "does not depend on how odd a file is: test_scenarios_reach",
    "codec_floor": "does not depend on how odd a file is: test_scenarios_reach",
    "responsiveness": "does not depend on how odd a file is: test_scenarios_reach",
}
"""Scenarios that are left out here, and why. All others are run, also those that nobody names here."""
SCENARIOS = [name for name in CATALOGUE.scenarios if name not in ELSEWHERE]
COMPLETE = {"arro3", "arrow_rs", "datafusion", "duckdb", "polars", "pure_python", "pyarrow"}
"""They read all that is written here; others may skip a cell, if their reason names what it is about."""


def write_shards(folder: Path) -> None:
    """Two shards: nulls, nested lists, structs, empty strings, empty row groups, odd names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("число", pa.int64()),
            ("текст mit Umlauten ö", pa.string()),
            ("lists.of lists", pa.list_(pa.list_(pa.int32()))),
            ("struct", pa.struct([("naïve", pa.string()), ("x", pa.list_(pa.float64()))])),
            ("空", pa.binary()),
            ("flag", pa.bool_()),
            ("only nulls", pa.string()),
        ]
    )

    def table(start: int, rows: int) -> pa.Table:
        numbers = range(start, start + rows)
        columns: list[list[Any]] = [
            [None if n % 7 == 3 else n for n in numbers],
            [None if n % 5 == 4 else "" if n % 3 == 1 else f"строка {n} 🙂" for n in numbers],
            [None if n % 11 == 5 else [[n, None], [], None][: n % 4] for n in numbers],
            [
                None if n % 6 == 5 else {"naïve": None if n % 4 else "", "x": [0.5] * (n % 3)}
                for n in numbers
            ],
            [None if n % 9 == 8 else bytes(n % 4) for n in numbers],
            [None if n % 4 == 2 else n % 2 == 0 for n in numbers],
            [None] * rows,
        ]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    with pq.ParquetWriter(folder / "ä 0.parquet", schema, compression="zstd") as writer:
        for start, rows in ((0, 0), (0, 250), (250, 0), (250, 1), (251, 149), (400, 0)):
            writer.write_table(table(start, rows), row_group_size=max(1, rows))
    with pq.ParquetWriter(folder / "ä 1.parquet", schema, compression="snappy") as writer:
        writer.write_table(table(5000, 300), row_group_size=130)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("odd files")
    write_shards(folder)
    return f"files:{folder}/*.parquet"


Workshop = tuple[session.Session, Engine]


@pytest.fixture(scope="module")
def workshop(corpus: str, cache_home: Path) -> Iterator[Workshop]:
    """The plan over everything, and what runs its cells."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.delenv("FIRSTBYTE_PLUGINS", raising=False)
        axes = Axes(scenarios=SCENARIOS, backends=INSTALLED, corpora=(corpus,), profile="full")
        opened = session.open_session(axes)
        yield opened, opened.engine("every")


def measured(workshop: Workshop, backend: str, scenario: str) -> list[Record]:
    """The records of a backend and variant at the chosen points of a scenario."""
    opened, engine = workshop
    return [
        engine.record(once(planned))
        for planned in opened.plan.cells
        if f"{planned.cell.backend}:{planned.cell.variant}" == backend
        and planned.cell.scenario == scenario
        and (planned.cell.instrument, dict(planned.cell.params)) in points(backend, scenario)
    ]


def points(backend: str, scenario: str) -> list[Point]:
    """Where of a scenario this backend and variant is tested."""
    named = POINTS if backend in DEFAULTS else OTHER_VARIANTS
    return named[scenario] if scenario in named else everywhere(scenario)


def everywhere(scenario: str) -> list[Point]:
    """The whole grid of a scenario, under each of its instruments."""
    of = CATALOGUE.scenario(scenario).module
    return [
        (instrument, dict(zip(of.GRID, point, strict=True)))
        for point in product(*of.GRID.values())
        for instrument in of.INSTRUMENTS
        if of.repetitions(dict(zip(of.GRID, point, strict=True)), instrument, "full").processes
    ]


def once(planned: Planned) -> Planned:
    """One process and two samples: what is tested is that they are right, not how fast."""
    params = dict(planned.cell.params)
    if planned.cell.scenario == "leak_scan":
        params["budget_s"] = 0.1 * WORK
    if planned.cell.scenario == "endurance":
        params["uses"] = 3
    cell = replace(planned.cell, processes=1, repetitions=2, params=params)
    return replace(planned, warmup_processes=0, cell=cell)


def test_what_is_named_here_is_there() -> None:
    """A scenario's file that goes, or gets another name, would leave its special treatment behind."""
    assert set(POINTS) | set(OTHER_VARIANTS) | set(ELSEWHERE) <= set(CATALOGUE.scenarios)
    for scenario, named in POINTS.items():
        assert [one for one in named if one not in everywhere(scenario)] == []


def test_a_scenario_that_nobody_names_is_run_at_every_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = sorted(POINTS["concurrent_reads"][0][1])
    monkeypatch.delitem(POINTS, "concurrent_reads")
    found = points(min(DEFAULTS), "concurrent_reads")
    assert len(found) > 2
    assert {tuple(sorted(params)) for _, params in found} == {tuple(known)}


def test_the_corpus_is_as_odd_as_it_says(corpus: str) -> None:
    import pyarrow.parquet as pq

    folder = Path(corpus.removeprefix("files:")).parent
    footer = pq.ParquetFile(folder / "ä 0.parquet").metadata
    rows = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
    assert rows[0] == 0
    assert 0 in rows[2:-1]


@pytest.mark.parametrize(
    ("backend", "scenario"),
    [
        (backend, scenario)
        for backend in INSTALLED
        for scenario in SCENARIOS
        if points(backend, scenario)
    ],
)
def test_a_worker_end_to_end(workshop: Workshop, backend: str, scenario: str) -> None:
    opened, _ = workshop
    records = measured(workshop, backend, scenario)
    assert len(records) == len(points(backend, scenario))
    for record in records:
        if record.status is Status.SKIPPED:
            assert record.cell.backend not in COMPLETE, record.reason
            columns = [repr(column.name) for column in opened.manifests[record.cell.corpus].schema]
            assert any(name in record.reason for name in [*columns, "does not declare"])
            continue
        assert record.status is Status.OK, f"{record.cell.key}: {record.reason}"
        assert record.samples
        assert record.versions
        known = {metric.name for metric in CATALOGUE.scenario(scenario).metrics}
        got = {name for sample in record.samples for name in sample.values}
        assert got & known, "no sample has a figure of the scenario"
        headline = {m.name for m in CATALOGUE.scenario(scenario).metrics if m.headline}
        for sample in record.samples:
            assert all(value >= 0 for name, value in sample.values.items() if name in headline)
