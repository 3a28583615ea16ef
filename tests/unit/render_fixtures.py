"""A synthetic run with every shape that a renderer meets: figures made up, for tests only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from firstbyte.api import Metric
from firstbyte.engine.registry import Catalogue, discover
from firstbyte.engine.store import RECORDS_FILE, RunFolder
from firstbyte.model import SCHEMA_VERSION, Cell, Limits, Record, Run, Sample, Status
from firstbyte.render.tables import RunView
from firstbyte.visibility import shown
from firstbyte.visibility.rule import Coverage, Sight, VisibilityCertificate

HOSTILE = "<script>alert(1)</script>"

METRICS = {
    "time_to_first_byte": (
        Metric(
            "first_byte_ns",
            "from spawn to the first record's str",
            headline=True,
            parts=("spawn_ns", "import_ns", "open_ns", "first_batch_ns", "first_record_ns"),
        ),
        Metric("spawn_ns", "until the interpreter runs"),
        Metric("import_ns", "until the backend is imported"),
        Metric("open_ns", "until a reader is there"),
        Metric("first_batch_ns", "until the first batch"),
        Metric("first_record_ns", "until the first str"),
        Metric("harness_ns", "the harness's own part, not in the total"),
        Metric("resident_ratio", "share of the shard in the page cache before"),
    ),
    "full_scan": (
        Metric("wall_ns", "the whole scan", headline=True),
        Metric("cpu_ns", "CPU time of all threads"),
        Metric("rows_per_s", "rows delivered", better="higher", headline=True),
        Metric("bytes_per_s", "compressed source bytes", better="higher"),
        Metric("base_rss_anon_bytes", "before the scan"),
        Metric(
            "peak_rss_anon_bytes",
            "highest",
            headline=True,
            parts=("base_rss_anon_bytes", "peak_rss_anon_above_base_bytes"),
        ),
        Metric("peak_rss_anon_above_base_bytes", "highest above base", headline=True),
        Metric("peak_heap_bytes", "memray", headline=True),
    ),
    "leak_scan": (Metric("growth_bytes_per_scan", "from first to last", headline=True),),
    "concurrent_reads": (
        Metric("rows_per_s", "all readers together", better="higher", headline=True),
        Metric(
            "efficiency_ratio",
            "rows per second over those of one reader times the readers",
            better="higher",
            scaling=("rows_per_s", "readers"),
        ),
        Metric("wait_p99_ns", "wait for a batch", headline=True),
        Metric("memory_per_reader_bytes", "peak shared out", headline=True),
    ),
}

SUBJECTS = {
    ("arrow_rs", "sync"): 0.5,
    ("legacy", "r0"): 60.0,
    ("legacy", "r1"): 12.0,
    ("polars", "default"): 1.4,
    ("pyarrow", "dataset"): 1.2,
    ("pyarrow", "parquet_file"): 1.0,
}


def scenario(name: str, metrics: tuple[Metric, ...], doc: str = "") -> Any:
    """A scenario that derives nothing and certifies nothing."""
    module = SimpleNamespace(derive=lambda params, values: {})
    return SimpleNamespace(
        name=name, doc=doc, metrics=metrics, own_metrics=metrics, module=module, certifies=""
    )


def catalogue() -> Catalogue:
    scenarios = {
        name: scenario(name, metrics, f"What {name} asks.\n\nAnd how.")
        for name, metrics in METRICS.items()
    }
    backends: dict[str, Any] = {}
    for backend, variant in SUBJECTS:
        info = backends.setdefault(
            backend,
            SimpleNamespace(
                name=backend,
                language="Rust",
                format="Parquet",
                summary=f"{backend} reads",
                variants=[],
            ),
        )
        info.variants.append(SimpleNamespace(name=variant, summary=f"the {variant} way"))
    return Catalogue(backends, cast(Any, scenarios), discover().instruments)


def cell(
    scenario: str = "full_scan",
    backend: str = "pyarrow",
    variant: str = "parquet_file",
    instrument: str = "clock",
    corpus: str = "gettext",
    **params: Any,
) -> Cell:
    return Cell(
        scenario,
        backend,
        variant,
        "current",
        corpus,
        params,
        instrument,
        5,
        2,
        Limits(60.0, 2_000_000_000),
    )


def record(
    of: Cell,
    values: dict[str, float] | None = None,
    *,
    status: Status = Status.OK,
    reason: str = "",
    series: dict[str, list[float]] | None = None,
    spread: float = 0.02,
    stderr: str = "",
) -> Record:
    """A record with 5 processes of 2 samples around `values`."""
    samples = (
        tuple(
            Sample(
                {
                    name: value * (1 + spread * ((3 * p + 5 * r) % 7 - 3))
                    for name, value in values.items()
                },
                series or {},
                p,
            )
            for p in range(5)
            for r in range(2)
        )
        if values is not None
        else ()
    )
    return Record(
        SCHEMA_VERSION,
        "run-1",
        of,
        {of.backend: "1.2.3"},
        status,
        reason,
        samples,
        stderr,
        "2025-01-01T00:00:00+00:00",
        1.5,
        None,
    )


def run(**changes: Any) -> Run:
    fields: dict[str, Any] = {
        "run_id": "run-1",
        "started": "2025-01-01T00:00:00+00:00",
        "finished": "2025-01-01T00:05:00+00:00",
        "argv": ("firstbyte", "run", "--corpus", "files:a b/*.parquet"),
        "profile": "quick",
        "git": {"revision": "0123abc", "dirty": "no"},
        "host": {"cpu": "Example CPU", "cores": 2, "kernel": "6.1"},
        "versions": {"pyarrow": "1.2.3"},
        "corpora": {"gettext": {"rows": 573000, "bytes": 70_000_000}},
        "notes": ("the gettext corpus could not be fetched",),
    }
    return Run(**(fields | changes))


def records() -> list[Record]:
    found: list[Record] = []
    for (backend, variant), factor in SUBJECTS.items():
        subject = {"backend": backend, "variant": variant}
        for start in ("cold", "reopened"):
            for cache in ("warm", "evicted"):
                parts = {
                    "spawn_ns": 20e6 if start == "cold" else 0.0,
                    "import_ns": 60e6 if start == "cold" else 0.0,
                    "open_ns": 4e6 * factor * (3 if cache == "evicted" else 1),
                    "first_batch_ns": 12e6 * factor,
                    "first_record_ns": 0.05e6,
                }
                parts["first_byte_ns"] = sum(parts.values())
                parts["harness_ns"] = 1e6
                parts["resident_ratio"] = 1.0 if cache == "warm" else 0.0
                found.append(
                    record(cell("time_to_first_byte", start=start, cache=cache, **subject), parts)
                )
        found.append(
            record(
                cell("full_scan", **subject),
                {
                    "wall_ns": 0.8e9 * factor,
                    "cpu_ns": 0.7e9 * factor,
                    "rows_per_s": 573000 / 0.8 / factor,
                    "bytes_per_s": 2e7 / factor,
                },
            )
        )
        base, above = 50e6, 40e6 * factor
        found.append(
            record(
                cell("full_scan", instrument="proc_memory", **subject),
                {
                    "base_rss_anon_bytes": base,
                    "peak_rss_anon_bytes": base + above,
                    "peak_rss_anon_above_base_bytes": above,
                    "wall_ns": 99e9,
                    "rows_per_s": 1.0,
                },
                spread=0.002,
            )
        )
        heap = cell("full_scan", instrument="heap", **subject)
        if backend == "polars":
            found.append(record(heap, {"wall_ns": 99e9}, reason="jemalloc hides its allocations"))
        else:
            found.append(record(heap, {"peak_heap_bytes": above, "wall_ns": 99e9}))
        found.append(
            record(
                cell("leak_scan", instrument="proc_memory", **subject),
                {"growth_bytes_per_scan": 120.0 * factor},
                series={"rss_anon_bytes": [base + 1e5 * (i % 5) + 900 * i for i in range(60)]},
            )
        )
        for readers in (1, 2, 4, 8):
            for mode in ("threads", "processes"):
                speed = min(readers, 2) * 573000 / factor
                params = {"readers": readers, "mode": mode}
                found.append(
                    record(
                        cell("concurrent_reads", **subject, **params),
                        {"rows_per_s": speed, "wait_p99_ns": 2e6 * factor * readers},
                    )
                )
                found.append(
                    record(
                        cell("concurrent_reads", instrument="proc_memory", **subject, **params),
                        {"rows_per_s": 1.0, "memory_per_reader_bytes": above / readers},
                    )
                )
    subject = {"backend": "pure_python", "variant": "default"}
    found.extend(
        record(
            cell("full_scan", instrument=instrument, **subject),
            {"wall_ns": 1.0, "rows_per_s": 1e15, "peak_rss_anon_bytes": 1.0},
            status=Status.WRONG,
            reason="column 'target': digest mismatch, expected 3f2a, got 77b0",
            stderr=f"Traceback\n{HOSTILE}",
        )
        for instrument in ("clock", "proc_memory")
    )
    found.append(
        record(
            cell("time_to_first_byte", start="cold", cache="warm", **subject),
            status=Status.CRASHED,
            reason="signal 11 (SIGSEGV)",
        )
    )
    found.append(
        record(
            cell(
                "concurrent_reads",
                backend="datafusion",
                variant="default",
                readers=1,
                mode="threads",
            ),
            status=Status.SKIPPED,
            reason="cannot open twice",
        )
    )
    return found


def show(
    found: Iterable[Record], of: Run | None = None, known: Catalogue | None = None
) -> shown.ShownRun:
    """What is shown of a run with these records: by way of a run folder, as there is no other."""
    with tempfile.TemporaryDirectory() as results:
        folder = RunFolder.create(Path(results), of or run())
        lines = "".join(record.to_json() + "\n" for record in found)
        (folder.path / RECORDS_FILE).write_text(lines, encoding="utf-8")
        return shown.load(folder.path, known or catalogue())


def view(found: Iterable[Record], of: Run | None = None, known: Catalogue | None = None) -> RunView:
    """The view of a run with these records."""
    return RunView(show(found, of, known), known or catalogue())


def certify_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let memray see every backend of these records but polars, whose figures are not there."""
    seen = VisibilityCertificate("heap", (Coverage("heap", 1e8, 1.0, Sight.SEEN),), "it does")
    every = {("heap", *subject, "current"): seen for subject in SUBJECTS if subject[0] != "polars"}
    monkeypatch.setattr(shown, "certificates", lambda found, known: every)
