"""Records survive whatever kills the parent; what is damaged is named; runs are found by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_fixtures import records, run_of

from firstbyte.contracts import Document
from firstbyte.engine import store
from firstbyte.engine.store import (
    RECORDS_FILE,
    RUN_FILE,
    SEALED_FILE,
    RunFolder,
    durations,
    find,
    find_unfinished,
    load,
    read_records,
    run_folders,
)
from firstbyte.errors import StoreError
from firstbyte.model import SCHEMA_VERSION, Cell, Limits, Record, Sample, Status

SOME = st.lists(records(), min_size=1, max_size=3)
MADE = settings(
    max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def filled(folder: Path, kept: list[Record], **changes: str) -> RunFolder:
    made = RunFolder.create(folder, run_of(**changes))
    for record in kept:
        made.append(record)
    return made


@MADE
@given(SOME)
def test_what_is_appended_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, kept: list[Record]
) -> None:
    folder = filled(tmp_path_factory.mktemp("results"), kept)
    assert load(folder.path) == (run_of(), kept)


CELL = Cell("scan", "b", "v", "current", "c", {"n": 1}, "clock", 1, 1, Limits(1.0, 1))
RECORD = Record(
    schema=SCHEMA_VERSION,
    run_id="r",
    cell=CELL,
    versions={"b": "1"},
    status=Status.OK,
    reason="",
    samples=(
        Sample({"wall_ns": 5, "rows_per_s": 0.5}),
        Sample({"wall_ns": 7}, {"rss_bytes": [1, 2, 3]}, process=1),
    ),
    stderr_tail="grüße",
    started="",
    duration_s=1.0,
    conditions=None,
)
FAILED = replace(RECORD, status=Status.CRASHED, reason="killed by SIGSEGV", samples=())


def test_a_last_line_torn_anywhere_is_passed_over_and_cut(tmp_path: Path) -> None:
    folder = filled(tmp_path, [RECORD, FAILED])
    path = folder.path / RECORDS_FILE
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert load(folder.path)[1] == [RECORD], length
        folder.cut_torn_line()
        assert path.read_bytes() == whole[:first]
    folder.append(FAILED)
    assert path.read_bytes() == whole, "the run goes on as if nothing had been lost"


def test_a_torn_only_line_leaves_no_record(tmp_path: Path) -> None:
    folder = filled(tmp_path, [])
    (folder.path / RECORDS_FILE).write_bytes(b'{"schema": 1')
    folder.cut_torn_line()
    assert (folder.path / RECORDS_FILE).read_bytes() == b""
    assert load(folder.path)[1] == []


def test_whole_lines_are_not_touched(tmp_path: Path) -> None:
    folder = filled(tmp_path, [RECORD])
    before = (folder.path / RECORDS_FILE).stat().st_mtime_ns
    folder.cut_torn_line()
    assert (folder.path / RECORDS_FILE).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b'{"cell": 1}', b"null"])
def test_a_damaged_line_within_is_named(tmp_path: Path, damage: bytes) -> None:
    folder = filled(tmp_path, [RECORD, RECORD, RECORD])
    path = folder.path / RECORDS_FILE
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], damage, *lines[2:]]))
    with pytest.raises(StoreError, match=rf"{RECORDS_FILE}, line 2: ") as caught:
        load(folder.path)
    assert "\n" not in str(caught.value)


DAMAGES = {
    "{": "cannot read .*run.json: no JSON: ",
    "[]": r"cannot read .*run.json: expected a table, got \[\]",
    "{}": "cannot read .*run.json: schema: expected a whole number, got None",
    '{"schema": 99}': "cannot read .*run.json: its schema is 99, this firstbyte reads up to 3: use ",
}


@pytest.mark.parametrize("text", DAMAGES)
def test_a_damaged_run_file_is_named(tmp_path: Path, text: str) -> None:
    folder = filled(tmp_path, [])
    (folder.path / RUN_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=DAMAGES[text]):
        load(folder.path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*run.json: No such file"):
        load(tmp_path)
    folder = filled(tmp_path, [])
    (folder.path / RECORDS_FILE).unlink()
    with pytest.raises(StoreError, match=r"cannot read .*records.jsonl: No such"):
        load(folder.path)


def test_a_folder_that_has_a_run_has_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment of its making, it is no trouble to later commands."""

    def killed(self: RunFolder, run: object) -> None:
        assert (self.path / RECORDS_FILE).is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "write_run", killed)
    with pytest.raises(KeyboardInterrupt):
        RunFolder.create(tmp_path, run_of())
    assert run_folders(tmp_path) == []


def test_a_run_folder_is_made_once(tmp_path: Path) -> None:
    filled(tmp_path, [])
    with pytest.raises(StoreError, match=r"cannot make the run folder .*File exists"):
        filled(tmp_path, [])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot make the run folder .*Not a directory"):
        filled(tmp_path / "file" / "results", [])


def test_a_sealed_run_is_a_table(tmp_path: Path) -> None:
    folder = filled(tmp_path, [RECORD, FAILED])
    folder.seal(run_of(finished="2026-01-01"))
    frame = pandas.read_parquet(folder.path / SEALED_FILE)
    assert set(frame["cell"]) == {str(CELL.key)}
    ok = frame[frame["status"] == "OK"]
    values = ok.dropna(subset="value")
    assert list(values["metric"]) == ["wall_ns", "rows_per_s", "wall_ns"]
    assert list(values["value"]) == [5, 0.5, 7]
    assert list(values["sample"]) == [0, 0, 1]
    assert list(values["process"]) == [0, 0, 1]
    (series,) = ok["series"].dropna()
    assert list(series) == [1, 2, 3]
    (failed,) = frame[frame["status"] == "CRASHED"].to_dict("records")
    assert (failed["reason"], failed["sample"]) == ("killed by SIGSEGV", -1)
    assert pandas.isna(failed["metric"])
    assert json.loads(failed["params"]) == {"n": 1}
    assert load(folder.path) == (run_of(finished="2026-01-01"), [RECORD, FAILED])
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(
        [RUN_FILE, RECORDS_FILE, SEALED_FILE]
    )


@MADE
@given(SOME)
def test_any_run_can_be_sealed(
    tmp_path_factory: pytest.TempPathFactory, kept: list[Record]
) -> None:
    folder = filled(tmp_path_factory.mktemp("results"), kept)
    folder.seal(run_of())
    frame = pandas.read_parquet(folder.path / SEALED_FILE)
    figures = sum(len(sample.values) for record in kept for sample in record.samples)
    assert frame["value"].notna().sum() == figures
    assert frame["value"].dtype == "float64"
    assert set(frame["cell"]) == {str(record.cell.key) for record in kept}


IDS = ("20260101T000000-aaaa", "20260102T000000-bbbb", "20260102T000000-cccc")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three runs, the second of them published; the oldest was not finished."""
    filled(tmp_path, [], run_id=IDS[0], plan_fingerprint="p")
    filled(tmp_path / "published", [], run_id=IDS[1], plan_fingerprint="p", finished="then")
    filled(tmp_path, [], run_id=IDS[2], plan_fingerprint="q")
    return tmp_path


def test_a_run_is_found_by_name_beginning_path_and_age(results: Path) -> None:
    assert find(IDS[0], results) == results / IDS[0]
    assert find("20260101", results) == results / IDS[0]
    assert find("20260102T000000-b", results) == results / "published" / IDS[1]
    assert find("latest", results) == results / IDS[2]
    assert find(str(results / IDS[0]), Path("/no/such")) == results / IDS[0]


def test_the_whole_name_is_never_ambiguous(results: Path) -> None:
    filled(results, [], run_id=f"{IDS[0]}-2")
    assert find(IDS[0], results) == results / IDS[0]


def test_ambiguous_and_unknown_names_list_the_runs(results: Path) -> None:
    listed = f"(runs: {IDS[1]}, {IDS[0]}, {IDS[2]})"
    for name, problem in (("20260102", "is ambiguous"), ("nope", "does not exist")):
        with pytest.raises(StoreError) as caught:
            find(name, results)
        assert str(caught.value) == f"run '{name}' {problem} {listed}"


def test_without_runs_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    for name in ("latest", "x"):
        with pytest.raises(StoreError, match="none yet: `firstbyte run` makes one"):
            find(name, tmp_path / "missing")


def test_only_an_unfinished_run_of_the_same_plan_goes_on(results: Path) -> None:
    assert find_unfinished(results, "p", pytest.fail) == results / IDS[0]
    assert find_unfinished(results, "q", pytest.fail) == results / IDS[2]
    assert find_unfinished(results, "other", pytest.fail) is None
    filled(results, [], run_id="20260103T000000-dddd", plan_fingerprint="p")
    assert find_unfinished(results, "p", pytest.fail) == results / "20260103T000000-dddd"


DAMAGED_RUNS = {
    "of a newer version": (RUN_FILE, '{"schema": 99}'),
    "of no version": (RUN_FILE, "{}"),
    "torn": (RUN_FILE, '{"schema": 1, "run'),
}


@pytest.mark.parametrize("kind", DAMAGED_RUNS)
def test_a_run_that_nobody_named_does_not_stop_another(results: Path, kind: str) -> None:
    file, text = DAMAGED_RUNS[kind]
    foreign = filled(results, [], run_id="20260104T000000-eeee", plan_fingerprint="p")
    (foreign.path / file).write_text(text)
    said: list[str] = []
    assert find_unfinished(results, "p", said.append) == results / IDS[0]
    (line,) = said
    assert line.startswith(f"a run was passed over: cannot read {foreign.path / file}: ")
    assert "\n" not in line


@pytest.mark.parametrize("line", [b'{"schema": 99}\n', b"{}\n", b"\xff\n", b'{"schema": 1}\n'])
def test_durations_pass_over_a_run_that_cannot_be_read(tmp_path: Path, line: bytes) -> None:
    good = filled(tmp_path, [RECORD, FAILED])
    foreign = filled(tmp_path, [RECORD], run_id="foreign")
    with (foreign.path / RECORDS_FILE).open("ab") as file:
        file.write(line)
    said: list[str] = []
    found = durations([foreign.path, good.path], said.append)
    assert [(one.cell, one.duration_s) for one in found] == [(CELL, 1.0), (CELL, 1.0)]
    (warning,) = said
    assert f"cannot read {foreign.path / RECORDS_FILE}, line 2: " in warning


FIRST_RUN = (
    '{"run_id": "r", "started": "2026-11-21T10:22:53+00:00", "argv": ["firstbyte", "run"], '
    '"profile": "quick", "git": {"commit": "c"}, "host": {"cores": 2}, "versions": {"numpy": "2"}, '
    '"corpora": {"mt": {"rows": 5}}, "notes": [], "finished": "", "plan_fingerprint": "f", "schema": 1}'
)
FIRST_RECORD = (
    '{"schema":1,"run_id":"r","cell":{"scenario":"full_scan","backend":"arro3","variant":"default",'
    '"environment":"current","corpus":"mt","params":{"start":"cold"},"instrument":"clock",'
    '"processes":3,"repetitions":1,"limits":{"timeout_s":120.0,"memory_bytes":8000000000}},'
    '"versions":{"arro3-io":"0.9.1"},"status":"OK","reason":"","samples":[{"values":{"wall_ns":3794141,'
    '"resident_ratio":1.0},"series":{"rss_bytes":[1,2]},"process":0}],"stderr_tail":"",'
    '"started":"2026-11-21T10:22:53+00:00","duration_s":0.747032990999287}'
)


def test_a_run_of_the_first_version_is_read(tmp_path: Path) -> None:
    """As it was written then: a version that is not read any more fails here."""
    (tmp_path / RUN_FILE).write_text(FIRST_RUN)
    (tmp_path / RECORDS_FILE).write_text(FIRST_RECORD + "\n")
    run, (record,) = load(tmp_path)
    assert (run.run_id, run.host["cores"]) == ("r", 2)
    assert str(record.cell.key) == "full_scan/arro3:default@current/mt/start=cold/clock"
    assert record.samples == (
        Sample({"wall_ns": 3794141, "resident_ratio": 1.0}, {"rss_bytes": [1, 2]}),
    )


def test_there_is_a_way_from_every_version_to_todays() -> None:
    for document in (store.RUN, store.RECORD):
        assert set(document.upgrades) == set(range(1, SCHEMA_VERSION))


@dataclass(frozen=True, slots=True)
class LaterRecord(Record):
    """A record with one field more."""

    weather: str = field(kw_only=True)


def test_a_field_can_be_added_without_losing_what_was_published() -> None:
    def upgrade(raw: dict[str, Any]) -> dict[str, Any]:
        return {**raw, "weather": "unknown"}

    later = Document(
        LaterRecord,
        SCHEMA_VERSION + 1,
        StoreError,
        {**store.RECORD.upgrades, SCHEMA_VERSION: upgrade},
    )
    folders = run_folders(Path(__file__).parents[2] / "results" / "published")
    assert folders
    for folder in folders:
        records = [
            later.parse(line, "f") for line in (folder / RECORDS_FILE).read_bytes().splitlines()
        ]
        assert len(records) == len(list(read_records(folder)))
        assert {(record.weather, record.schema) for record in records} == {
            ("unknown", SCHEMA_VERSION + 1)
        }
