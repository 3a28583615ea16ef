"""show, compare and report as a user calls them, on a stored run."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from render_fixtures import cell, record, run

from firstbyte.commands import compare, report, show
from firstbyte.engine.store import RunFolder
from firstbyte.errors import IncomparableError, UnknownNameError
from firstbyte.leaks import kept as verdicts
from firstbyte.leaks.investigation import Investigation
from firstbyte.model import Record, Run, Status

RECORDS = [
    record(cell(backend="a", variant="x"), {"wall_ns": 5e9, "rows_per_s": 10.0}, spread=0.0),
    record(cell(backend="b", variant="x"), {"wall_ns": 6e9, "rows_per_s": 9.0}, spread=0.0),
    record(cell(backend="c", variant="x"), status=Status.TIMEOUT, reason="took over 60 s"),
]


OPTIONS = {"html": "--output", "csv": "--csv", "json": "--json"}


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
    finding = Investigation("a", "x", None, (), "CRASHED: signal 11 (SIGSEGV)")
    verdicts.write(results / "run-1", run(), "firstbyte leaks", [finding])
    found = call(show.command, results, "run-1").output
    assert "leak or not" in found
    assert "a:x, whole: CRASHED: signal 11 (SIGSEGV)" in found


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
    assert "\nfull_scan/a:x@current/gettext/-/clock\n" in found.output
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
    assert found.output.count("a:x: heap figures are withheld") == 1


def test_compare_says_which_environment_variables_differ(results: Path) -> None:
    pool = "ARROW_DEFAULT_MEMORY_POOL"
    shipped = run().host | {"allocator_variables": {}}
    store(results, replace(run(run_id="shipped"), host=shipped), RECORDS)
    system = run().host | {"variables": {pool: "system"}}
    store(results, replace(run(run_id="system"), host=system), RECORDS)
    found = call(compare.command, results, "shipped", "system")
    assert found.exit_code == 0, found.output
    assert (
        f"environment variables differ, and the ratios tell of them as well: {pool} was unset, is 'system'\n"
    ) in found.output
    assert "variables differ" not in call(compare.command, results, "system", "system").output


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
    assert "--check needs --readme" in found.output


def test_a_resumed_cell_counts_once(tmp_path: Path) -> None:
    again = replace(RECORDS[2], status=Status.CRASHED, reason="signal 11")
    store(tmp_path, run(), [*RECORDS, again])
    found = call(show.command, tmp_path, "run-1")
    assert "signal 11" in found.output
    assert "took over 60 s" not in found.output


HIDDEN_BYTES = 1_074_075_119.0
SECRET = [
    record(cell("full_scan", "a", "x", "heap"), {"peak_heap_bytes": HIDDEN_BYTES}, spread=0.0),
    record(cell("full_scan", "b", "x", "heap"), {"peak_heap_bytes": 2e6}, spread=0.0),
    record(
        cell("visibility", "a", "x", "heap"),
        {"taken_rss_anon_bytes": 80e6, "leaked_heap_bytes": 1.6e6},
        spread=0.0,
    ),
    record(
        cell("visibility", "b", "x", "heap"),
        {"taken_rss_anon_bytes": 80e6, "leaked_heap_bytes": 79e6},
        spread=0.0,
    ),
]


def shows(text: str) -> bool:
    """Whether the hidden figure is in the text, in any form that a figure takes."""
    return any(form in text.replace(",", "") for form in ("1074075119", "1074.07", "1.07"))


@pytest.mark.parametrize(
    "words",
    [
        ("--samples",),
        ("--samples", "-s", "full_scan"),
        ("--metric", "all"),
        ("--metric", "all", "-s", "full_scan", "-b", "a"),
        ("--metric", "peak_heap_bytes", "--against", "b"),
        ("--metric", "peak_heap_bytes", "--against", "b", "-s", "full_scan"),
    ],
    ids=" ".join,
)
def test_show_withholds_what_is_not_certified_and_shows_what_is(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    store(tmp_path, run(), [*RECORDS, *SECRET])
    found = call(show.command, tmp_path, "run-1", *words)
    assert found.exit_code == 0, found.output
    assert not shows(found.output)
    assert "heap accounts for" in found.output.replace("\n", " ")
    if "a" not in words:
        assert re.search(r"\b2\.00\b|\b2000000\.0\b", found.output), "b's is certified"


def test_exports_hold_the_reason_in_the_place_of_a_withheld_figure(tmp_path: Path) -> None:
    store(tmp_path, run(), [*RECORDS, *SECRET])
    files = {name: tmp_path / f"r.{name}" for name in ("html", "csv", "json")}
    words = [word for name, path in files.items() for word in (OPTIONS[name], str(path))]
    found = call(report.command, tmp_path, "run-1", *words)
    assert found.exit_code == 0, found.output
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert not any(map(shows, texts.values()))
    rows = [
        row
        for row in csv.DictReader(io.StringIO(texts["csv"]))
        if row["metric"] == "peak_heap_bytes"
    ]
    assert {(row["backend"], row["value"], row["withheld"][:21]) for row in rows} == {
        ("a", "", "heap figures are with"),
        ("b", "2000000.0", ""),
    }
    samples = [
        sample
        for one in json.loads(texts["json"])["records"]
        if (one["cell"]["scenario"], one["cell"]["backend"]) == ("full_scan", "a")
        and one["cell"]["instrument"] == "heap"
        for sample in one["samples"]
    ]
    assert len(samples) == 10
    assert all(sample["values"] == {"peak_heap_bytes": None} for sample in samples)
    assert all("2% of 80 MB" in sample["withheld"]["peak_heap_bytes"] for sample in samples)


def test_the_headline_says_why_a_figure_is_withheld(tmp_path: Path) -> None:
    store(tmp_path, run(), [*RECORDS, *SECRET])
    readme = tmp_path / "README.md"
    readme.write_text(
        "<!-- headline:begin\ncolumn: Heap | full_scan | peak_heap_bytes\n-->\n<!-- headline:end -->",
        encoding="utf-8",
    )
    found = call(report.command, tmp_path, "run-1", "--readme", str(readme))
    assert found.exit_code == 0, found.output
    text = readme.read_text(encoding="utf-8")
    assert "| a:x | withheld |" in text
    assert "| b:x | 2.00 |" in text
    assert "2% of 80 MB" in text
    assert not shows(text)


def test_compare_says_on_which_side_a_figure_is_withheld(tmp_path: Path) -> None:
    store(tmp_path, run(), SECRET)
    seen = [SECRET[0], SECRET[1], replace(SECRET[3], cell=SECRET[2].cell), SECRET[3]]
    store(tmp_path, run(run_id="seen"), seen)
    found = call(compare.command, tmp_path, "run-1", "seen", "--metric", "all")
    assert "peak_heap_bytes is withheld before: heap figures are withheld" in found.output
    assert not shows(found.output)
