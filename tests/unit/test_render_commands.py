"""show, compare and report as a user calls them, on a stored run."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from render_fixtures import cell, record, run

from firstbyte.commands import compare, report, show
from firstbyte.engine.store import RunFolder
from firstbyte.errors import IncomparableError, UnknownNameError
from firstbyte.leaks import kept as verdicts
from firstbyte.leaks.investigation import Finding
from firstbyte.model import Record, Run, Status

RECORDS = [
    record(cell(backend="a", variant="x"), {"wall_ns": 5e9, "rows_per_s": 10.0}, spread=0.0),
    record(cell(backend="b", variant="x"), {"wall_ns": 6e9, "rows_per_s": 9.0}, spread=0.0),
    record(cell(backend="c", variant="x"), status=Status.TIMEOUT, reason="took over 60 s"),
]


def store(results: Path, of: Run, records: list[Record]) -> None:
    folder = RunFolder.create(results, of)
    for one in records:
        folder.append(one)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store(tmp_path, run(), RECORDS)
    store(tmp_path, run(run_id="other", host={"cpu": "Another CPU"}), RECORDS)
    return tmp_path


def call(command: object, results: Path, *words: str) -> Result:
    return CliRunner().invoke(
        command,
        [*words, "--results", str(results)],
        env={"COLUMNS": "120"},  # type: ignore[arg-type]
    )


def test_show_prints_tables_and_reasons(results: Path) -> None:
    found = call(show.command, results, "run-1", "--metric", "wall_ns")
    assert found.exit_code == 0, found.output
    assert "5.00" in found.output
    assert "took over 60 s" in found.output


def test_show_prints_the_leak_verdicts_kept_beside_the_run(results: Path) -> None:
    assert "leak or not" not in call(show.command, results, "run-1").output
    finding = Finding("a", "x", None, (), "CRASHED: signal 11 (SIGSEGV)")
    verdicts.write(results / "run-1", run(), "firstbyte leaks", [finding])
    found = call(show.command, results, "run-1").output
    assert "leak or not" in found
    assert "a:x: CRASHED: signal 11 (SIGSEGV)" in found


def test_show_limits_to_a_backend_and_names_the_known_ones(results: Path) -> None:
    found = call(show.command, results, "run-1", "--backend", "a:x")
    assert "b:x" not in found.output
    wrong = call(show.command, results, "run-1", "--backend", "d")
    assert isinstance(wrong.exception, UnknownNameError)
    assert "a:x" in str(wrong.exception)


def test_show_samples_is_csv_with_every_sample_and_every_failure(results: Path) -> None:
    found = call(show.command, results, "run-1", "--samples", "--metric", "wall_ns")
    rows = list(csv.DictReader(io.StringIO(found.output)))
    assert len(rows) == 10 + 10 + 1
    assert rows[-1]["status"] == "TIMEOUT"
    assert rows[-1]["value"] == ""


def test_compare_prints_ratio_and_interval(results: Path) -> None:
    found = call(compare.command, results, "run-1", "run-1", "--metric", "wall_ns")
    assert found.exit_code == 0, found.output
    assert "1.000 to 1.000" in found.output
    assert "TIMEOUT before: took over 60 s" in found.output


def test_compare_leaves_out_what_no_certificate_covers(results: Path) -> None:
    hidden = record(
        cell("full_scan", backend="a", variant="x", instrument="heap"),
        {"peak_heap_bytes": 123e6, "wall_ns": 1e9},
    )
    for name in ("old", "new"):
        store(results, run(run_id=name), [*RECORDS, hidden])
    found = call(compare.command, results, "old", "new", "--metric", "all")
    assert found.exit_code == 0, found.output
    assert "123" not in found.output
    assert found.output.count("memray's figures for a:x are withheld") == 1


def test_compare_refuses_another_host_without_the_flag(results: Path) -> None:
    refused = call(compare.command, results, "run-1", "other")
    assert isinstance(refused.exception, IncomparableError)
    assert "Another CPU" in str(refused.exception)
    allowed = call(compare.command, results, "run-1", "other", "--allow-different-hosts")
    assert allowed.exit_code == 0, allowed.output


def test_report_writes_all_that_was_asked_for(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "<!-- headline:begin\ncolumn: Wall | full_scan | wall_ns\n-->\n<!-- headline:end -->\n",
        encoding="utf-8",
    )
    stale = call(report.command, results, "run-1", "--readme", str(readme), "--check")
    assert stale.exit_code != 0
    found = call(
        report.command,
        results,
        "run-1",
        "--output",
        str(tmp_path / "new" / "r.html"),
        "--csv",
        str(tmp_path / "r.csv"),
        "--json",
        str(tmp_path / "r.json"),
        "--readme",
        str(readme),
    )
    assert found.exit_code == 0, found.output
    page = (tmp_path / "new" / "r.html").read_text(encoding="utf-8")
    assert "firstbyte report run-1 --output r.html" in page
    assert "| b:x | 6.00 |" in readme.read_text(encoding="utf-8")
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert len(document["records"]) == 3
    assert {row["median"] for row in document["summary"]} == {5e9, 6e9, 10.0, 9.0}
    assert "TIMEOUT" in (tmp_path / "r.csv").read_text(encoding="utf-8")
    fresh = call(report.command, results, "run-1", "--readme", str(readme), "--check")
    assert fresh.exit_code == 0, fresh.output


def test_report_needs_readme_for_what_readme_decides(results: Path) -> None:
    found = call(report.command, results, "run-1", "--check")
    assert found.exit_code == 2
    assert "need --readme" in found.output


def test_a_resumed_cell_counts_once(tmp_path: Path) -> None:
    again = replace(RECORDS[2], status=Status.CRASHED, reason="signal 11")
    store(tmp_path, run(), [*RECORDS, again])
    found = call(show.command, tmp_path, "run-1")
    assert "signal 11" in found.output
    assert "took over 60 s" not in found.output
