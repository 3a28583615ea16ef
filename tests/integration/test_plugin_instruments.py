"""An instrument from a plug-in folder observes a worker from inside and outside, like one of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import FAULTY, Cli

from firstbyte.engine import store
from firstbyte.model import Status

INSTRUMENT = '''"""Page faults and open files of a worker."""

import os
import resource

from firstbyte.api import Metric

METRICS = (
    Metric("minor_faults_count", "pages that were mapped without reading"),
    Metric("looks_count", "how often the parent looked", better=""),
    Metric("open_files_count", "open files of the worker"),
)
POLL_SECONDS = 0.005


class Probe:
    def begin(self) -> None:
        self._before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    def end(self) -> dict[str, float]:
        return {"minor_faults_count": resource.getrusage(resource.RUSAGE_SELF).ru_minflt - self._before}


class Observer:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._looks = 0

    def poll(self) -> None:
        self._looks += 1

    def observe(self, pids: list[int]) -> None:
        pass

    def values(self, begin_ns: int, end_ns: int, sample: dict[str, float]) -> dict[str, float]:
        assert begin_ns <= end_ns and "minor_faults_count" in sample
        return {"looks_count": self._looks, "open_files_count": len(os.listdir(f"/proc/{self._pid}/fd"))}

    def close(self) -> None:
        pass
'''
SCENARIO = '''"""One shard, under the eyes of a plug-in."""

from firstbyte.api import ALL, Metric, Repetitions

ORDER = 90
QUICK_VARIANTS = ALL
INSTRUMENTS = ("invented_faults",)
GRID = {}
METRICS = (Metric("batches_count", "batches of the shard", headline=True),)


def needs(params):
    return frozenset()


def repetitions(params, instrument, profile):
    return Repetitions(1, 1)


def derive(params, values):
    return {}


def run(bench):
    with bench.span(), bench.backend.open(bench.shards[0].path) as reader:
        batches = [reader.rows(batch) for batch in reader]
    bench.emit({"batches_count": len(batches)})
    bench.check_rows(0, sum(batches))
'''


@pytest.fixture
def plug_ins(tmp_path: Path) -> Path:
    for kind, name, text in (
        ("instruments", "invented_faults", INSTRUMENT),
        ("scenarios", "watched_scan", SCENARIO),
    ):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_it_observes_and_its_figures_are_explained(
    cli: Cli, plug_ins: Path, tiny_corpus: str, tmp_path: Path
) -> None:
    roots = os.pathsep.join((str(FAULTY), str(plug_ins)))
    folders = [f"--{kind}={tmp_path / kind}" for kind in ("results", "reports")]
    done = cli(
        *("run", "-b", "sound", "-c", tiny_corpus, "-s", "watched_scan", *folders),
        FIRSTBYTE_PLUGINS=roots,
    )
    assert done.returncode == 0, done.stderr
    _, (record,) = store.load(store.find("latest", tmp_path / "results"))
    assert (record.status, record.cell.instrument) == (Status.OK, "invented_faults")
    (sample,) = record.samples
    assert sample.values["batches_count"] > 0
    assert sample.values["minor_faults_count"] > 0
    assert sample.values["open_files_count"] > 2
    assert sample.values["looks_count"] > 0
    (report,) = (tmp_path / "reports").glob("*.html")
    assert "pages that were mapped without reading" in report.read_text(encoding="utf-8")
    shown = cli("list", FIRSTBYTE_PLUGINS=roots).stdout
    assert "Page faults and open files of a worker." in shown


def test_an_instrument_that_nobody_has_is_one_line(
    cli: Cli, plug_ins: Path, tiny_corpus: str
) -> None:
    (plug_ins / "instruments" / "invented_faults.py").unlink()
    roots = os.pathsep.join((str(FAULTY), str(plug_ins)))
    done = cli(
        *("run", "-b", "sound", "-c", tiny_corpus, "-s", "watched_scan", "--dry-run"),
        FIRSTBYTE_PLUGINS=roots,
    )
    assert done.returncode == 6
    assert "there is no instrument 'invented_faults' for this scenario" in done.stderr
    assert "Traceback" not in done.stderr
