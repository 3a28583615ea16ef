"""Strategies and fakes for the engine's tests: no process, no real backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import strategies as st

from firstbyte.api import Metric, Repetitions, Scenario
from firstbyte.corpora.manifest import Manifest, SchemaColumn, ShardEntry
from firstbyte.engine.launch import Outcome
from firstbyte.engine.registry import (
    BackendInfo,
    Catalogue,
    InstrumentInfo,
    ScenarioInfo,
    Variant,
)
from firstbyte.model import (
    SCHEMA_VERSION,
    Cell,
    Conditions,
    Environment,
    Limits,
    Param,
    Record,
    Run,
    Sample,
    Status,
)
from firstbyte.worker.protocol import Counted, Digested, FirstValue

HERE = Environment("current", "/no/such/python", "/no/such/root")
LIMITS = Limits(timeout_s=600.0, memory_bytes=10**9)

names = st.text("abcdefgh_", min_size=1, max_size=6)
texts = st.text(max_size=20)
params = st.dictionaries(names, st.integers(-5, 99) | names, max_size=3)
figures = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    return Cell(
        scenario=draw(names),
        backend=draw(names),
        variant=draw(names),
        environment=draw(names),
        corpus=draw(names),
        params=draw(params),
        instrument=draw(names),
        processes=draw(st.integers(1, 9)),
        repetitions=draw(st.integers(1, 9)),
        limits=Limits(draw(st.floats(0.1, 1e6)), draw(st.integers(0, 2**63))),
    )


@st.composite
def records(draw: st.DrawFn) -> Record:
    samples = st.builds(
        Sample,
        values=st.dictionaries(names, figures, max_size=3),
        series=st.dictionaries(names, st.lists(figures, max_size=4), max_size=2),
        process=st.integers(0, 9),
    )
    return Record(
        schema=SCHEMA_VERSION,
        run_id=draw(texts),
        cell=draw(cells()),
        versions=draw(st.dictionaries(texts, texts, max_size=3)),
        status=draw(st.sampled_from(Status)),
        reason=draw(texts),
        samples=tuple(draw(st.lists(samples, max_size=3))),
        stderr_tail=draw(texts),
        started=draw(texts),
        duration_s=draw(st.floats(0, 1e9)),
        conditions=draw(st.none() | st.builds(Conditions, *[st.none() | st.floats(0, 1)] * 4)),
    )


def run_of(run_id: str = "20260101T000000-aaaa", **changes: Any) -> Run:
    """A run with nothing in it."""
    run = Run(
        run_id=run_id,
        started="2026-01-01T00:00:00+00:00",
        argv=("firstbyte", "run"),
        profile="quick",
        git={},
        host={"cores": 2},
        versions={},
        corpora={},
    )
    return replace(run, **changes)


def fake_scenario(
    grid: Mapping[str, tuple[Param, ...]] | None = None,
    instruments: tuple[str, ...] = ("clock",),
    needs: Callable[[Mapping[str, Param]], frozenset[str]] = lambda params: frozenset(),
    repetitions: Callable[..., Repetitions] = lambda *_: Repetitions(1, 1),
) -> Scenario:
    """A scenario's module that nobody runs; a sample's `total` is derived from its `part`."""

    def derive(params: Mapping[str, Param], values: Mapping[str, float]) -> dict[str, float]:
        return {"total_ns": values["part_ns"] * 2} if "part_ns" in values else {}

    return cast(
        Scenario,
        SimpleNamespace(
            ORDER=1,
            QUICK_VARIANTS="all",
            INSTRUMENTS=instruments,
            GRID=grid or {},
            METRICS=(Metric("part_ns", "a part", headline=True), Metric("total_ns", "all")),
            needs=needs,
            repetitions=repetitions,
            derive=derive,
        ),
    )


def instrument_info(name: str, *metrics: Metric) -> InstrumentInfo:
    """An instrument that nobody makes."""
    info = InstrumentInfo(name, Path("/no/such/instrument"), f"instruments.{name}")
    info.__dict__["module"] = SimpleNamespace(METRICS=metrics)
    return info


def scenario_info(name: str, module: Scenario, folder: Path) -> ScenarioInfo:
    """The scenario as the registry knows it: its docstring is read from a file in `folder`."""
    path = folder / f"{name}.py"
    path.write_text(f'"""What {name} does."""\n', encoding="utf-8")
    instruments = {name: instrument_info(name) for name in module.INSTRUMENTS}
    info = ScenarioInfo(name, path, f"scenarios.{name}", instruments)
    info.__dict__["module"] = module  # what cached_property would import
    return info


def backend_info(
    name: str,
    variants: Sequence[str] = ("default",),
    capabilities: Sequence[str] = ("scan",),
    distribution: str | None = None,
) -> BackendInfo:
    return BackendInfo(
        name=name,
        language="None",
        format="none",
        summary=f"the fake {name}",
        folder=Path("/no/such/folder"),
        module=f"backends.{name}.backend",
        distribution=distribution,
        install=f"pip install {name}",
        capabilities=frozenset(capabilities),
        variants=tuple(
            Variant(variant, "", default=not index, best=False, options={"variant": variant})
            for index, variant in enumerate(variants)
        ),
    )


def catalogue(backends: Sequence[BackendInfo], scenarios: Sequence[ScenarioInfo]) -> Catalogue:
    return Catalogue({b.name: b for b in backends}, {s.name: s for s in scenarios})


def manifest(
    rows: Sequence[int] = (3,), first_values: Sequence[Any] = ("one",), spec: str = "fake"
) -> Manifest:
    """Shards of so many rows with the columns `text` and `number`."""
    shards = tuple(
        ShardEntry(
            path=f"{index}.parquet",
            rows=count,
            row_groups=1,
            bytes=10,
            raw_bytes=20,
            sha256=f"{index:064x}",
            digests={"text": f"text-digest-{index}", "number": f"number-digest-{index}"},
            first_value=first,
        )
        for index, (count, first) in enumerate(zip(rows, first_values, strict=True))
    )
    columns = (SchemaColumn("text", "string"), SchemaColumn("number", "int64"))
    return Manifest(
        name="files",
        spec=spec,
        how={"made": "up"},
        built="",
        schema=columns,
        text_column="text",
        shards=shards,
        digest_version=1,
        witnesses=("one", "two"),
        refusals=(),
        folder=Path("/no/such/corpus"),
    )


def good_outcome(of: Manifest, **changes: Any) -> Outcome:
    """What a worker gives that did everything right."""
    outcome = Outcome(
        samples=[Sample({"part_ns": 5.0})],
        rows=[Counted(index, shard.rows) for index, shard in enumerate(of.shards)],
        first_values=[
            FirstValue(index, shard.first_value) for index, shard in enumerate(of.shards)
        ],
        digests=[
            Digested(index, shard.rows, dict(shard.digests))
            for index, shard in enumerate(of.shards)
        ],
        versions={"fake": "1"},
    )
    return replace(outcome, **changes)
