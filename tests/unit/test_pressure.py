"""How busy the machine was: read from the kernel's counters, kept with the record, said beside times."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from pipeline_fixtures import run_of
from render_fixtures import cell, record, view
from rich.console import Console

from firstbyte.commands.compare import command as compare
from firstbyte.engine import pressure, store
from firstbyte.engine.pressure import Counters
from firstbyte.engine.store import RECORDS_FILE, RunFolder
from firstbyte.model import Conditions, Record, Sample
from firstbyte.render.html.report import render as render_html
from firstbyte.render.outputs import OUTPUTS
from firstbyte.render.request import Request

QUIET = Conditions(0.01, 0.0, 0.0, 0.0)
BUSY = Conditions(0.8, 0.55, 0.0, 0.4)
WAITED = Sample({"wall_ns": 1000, "run_queue_wait_ns": 250})


def counters(root: Path, stalled_us: int, stat: str) -> Path:
    (root / "proc/pressure").mkdir(parents=True, exist_ok=True)
    (root / "proc/pressure/cpu").write_text(
        f"some avg10=0.00 avg60=0.00 avg300=0.00 total={stalled_us}\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    (root / "proc/stat").write_text(f"cpu  {stat}\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    return root


def test_what_others_took_is_what_we_did_not(tmp_path: Path) -> None:
    tick = pressure._TICKS_PER_SECOND
    before = pressure.read(counters(tmp_path, 1_000_000, "0 0 0 0 0 0 0 0 9 9"))
    stat = f"{6 * tick} 0 {2 * tick} {9 * tick} {tick} 0 0 {2 * tick} 9 9"
    after = pressure.read(counters(tmp_path, 4_000_000, stat))
    before = replace(before, at_s=0.0, own_s=0.0)
    after = replace(after, at_s=10.0, own_s=4.0)
    assert pressure.between(before, after, [WAITED]) == Conditions(0.3, 0.3, 0.1, 0.25)


def test_what_the_kernel_does_not_keep_is_not_made_up(tmp_path: Path) -> None:
    there = pressure.read(tmp_path)
    assert pressure.between(there, replace(there, at_s=there.at_s + 1), []) == Conditions(
        None, None, None, None
    )


def test_here_the_counters_can_be_read() -> None:
    now = pressure.read()
    assert now.busy_s is not None
    assert now.total_s is not None
    assert 0 < now.busy_s < now.total_s
    later = Counters(now.at_s + 1, now.stalled_s, now.busy_s, now.steal_s, now.total_s, now.own_s)
    assert not pressure.between(now, later, []).busy


@pytest.mark.parametrize(
    ("conditions", "busy"),
    [
        (QUIET, False),
        (BUSY, True),
        (Conditions(0.9, 0.02, 0.0, 0.5), False),  # more threads than cores: its own doing
        (Conditions(0.02, 0.9, 0.0, 0.0), False),  # others had cores of their own
        (Conditions(0.0, 0.0, 0.2, 0.0), True),
        (Conditions(None, None, None, None), False),
    ],
)
def test_busy_is_what_others_did(conditions: Conditions, busy: bool) -> None:
    assert conditions.busy is busy


def figures(conditions: Conditions | None) -> list[Record]:
    made = [
        record(cell(variant="dataset"), {"wall_ns": 2e9}, spread=0.0),
        record(cell(variant="parquet_file"), {"wall_ns": 3e9}, spread=0.0),
        record(
            cell(instrument="proc_memory"), {"peak_rss_anon_bytes": 5e6, "wall_ns": 1.0}, spread=0.0
        ),
    ]
    return [made[0], *(replace(one, conditions=conditions) for one in made[1:])]


def test_times_are_marked_and_sizes_are_not() -> None:
    of = view(figures(BUSY))
    (table,) = of.tables("full_scan", "gettext")
    texts = {
        (row.label, column.metric): figure.text
        for row in table.rows
        for column, figure in zip(table.columns, row.figures, strict=True)
    }
    assert texts["pyarrow:dataset", "wall_ns"] == "2.00"
    assert texts["pyarrow:parquet_file", "wall_ns"] == "3.00~"
    assert texts["pyarrow:parquet_file", "peak_rss_anon_bytes"] == "5.00"
    note = (
        "2 of 3 cells were measured on a busy machine (CPU pressure up to 80%, CPU time of others up"
        " to 55%, stolen up to 0%): their times are marked ~"
    )
    console = Console(file=io.StringIO(), width=200)
    console.print(OUTPUTS.load("tables").render(Request(of)))
    assert note in " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    page = render_html(of)
    assert note in page
    assert "3.00~" in page


@pytest.mark.parametrize("conditions", [QUIET, None])
def test_nothing_is_said_of_a_quiet_machine(conditions: Conditions | None) -> None:
    page = render_html(view(figures(conditions)))
    assert "busy machine" not in page
    assert "3.00~" not in page


def test_it_is_kept_and_compare_says_it(tmp_path: Path) -> None:
    for name, conditions in (("before", BUSY), ("later", None)):
        folder = RunFolder.create(tmp_path, run_of(name))
        for one in figures(conditions):
            folder.append(one)
    assert [one.conditions for one in store.load(tmp_path / "before")[1]] == [None, BUSY, BUSY]
    found = CliRunner().invoke(compare, ["before", "later", "--results", str(tmp_path)])
    assert "run before: 2 of 3 cells were measured on a busy machine" in found.output
    assert "run later: " not in found.output


@pytest.mark.parametrize("schema", [1, 2])
def test_records_from_before_do_not_know(tmp_path: Path, schema: int) -> None:
    folder = RunFolder.create(tmp_path, run_of())
    for one in figures(None):
        raw = {**json.loads(one.to_json()), "schema": schema}
        del raw["conditions"]
        with (folder.path / RECORDS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(raw) + "\n")
    assert [one.conditions for one in store.load(folder.path)[1]] == [None, None, None]
