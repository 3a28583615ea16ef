"""The self-check: planted faults do what they say, certificates survive the disk and name their host."""

from __future__ import annotations

import json
import tracemalloc
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from gate_fixtures import case
from rich.console import Console

from firstbyte.engine.fingerprint import host
from firstbyte.engine.journal import Journal
from firstbyte.errors import HarnessError
from firstbyte.gate.paired import PairedRule
from firstbyte.gate.policy import Policy
from firstbyte.gate.result import NOT_SELF_CHECKED
from firstbyte.selfcheck import keeping
from firstbyte.selfcheck.gate import check as module
from firstbyte.selfcheck.gate import planted
from firstbyte.selfcheck.gate.busy import busy_cores
from firstbyte.selfcheck.gate.certificate import (
    DOCUMENT,
    Condition,
    GateCertificate,
    MetricPower,
    PlantedResult,
    certificate_path,
    of_host,
)
from firstbyte.selfcheck.gate.check import SelfCheck, Tried
from firstbyte.selfcheck.gate.planted import Fault, PlantedBackend
from firstbyte.selfcheck.gate.simulation import replay
from firstbyte.selfcheck.gate.table import CertificateTable

CONDITION = Condition(
    name="as it is",
    metrics=43,
    gates=20_000,
    alarms=0,
    alarm_bound=1.5e-4,
    real_gates=10,
    real_alarms=0,
    real_inconclusive=1,
    gate_seconds=101.4,
    replayed=10,
    replayed_alarms=0,
    powers=(
        MetricPower("a cpu_ns", 0.05, 0.99, 0.98, 0.0, 60),
        MetricPower("b cpu_ns", 0.05, 0.91, 0.90, 0.05, 60),
    ),
    planted=(
        PlantedResult("busy +5%", 19, 20, 1, (0.041, 0.052, 0.06)),
        PlantedResult("leak 4 KiB/scan", 4, 4, 1),
    ),
)
CERTIFICATE = GateCertificate(
    made="2026-06-01T10:00:00+00:00", host=host(), corpus="mt", conditions=(CONDITION,)
)


def test_a_certificate_survives_the_disk_and_is_shown_for_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(tmp_path))
    monkeypatch.setattr(keeping, "checkout", lambda: None)
    path = certificate_path()
    assert of_host(host()) == NOT_SELF_CHECKED
    CERTIFICATE.save(path)
    assert DOCUMENT.read(path) == CERTIFICATE
    text = of_host(host())
    assert "as it is: 0 false alarms in 20,000 simulated gates of 43 metrics" in text
    assert "+5% found in at least 91.0%" in text, "the worst metric counts"
    replace(CERTIFICATE, host={**host(), "machine": "pdp11"}).save(path)
    assert "of another host" in of_host(host())
    for damaged in (
        {"powers": []},
        {"schema": 3, "powers": []},
        {**json.loads(path.read_text()), "schema": 2},
    ):
        path.write_text(json.dumps(damaged))
        with pytest.raises(HarnessError, match=r"cannot read .*gate\.json: .*; remove it and run"):
            DOCUMENT.read(path)
        said = of_host(host())
        assert said.startswith(f"{NOT_SELF_CHECKED} (cannot read {path}: ")
        assert "\n" not in said


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ({}, True),
        ({"real_alarms": 1}, False),
        ({"replayed_alarms": 1}, False),
        ({"alarms": 11, "alarm_bound": 0.000984}, True),
        ({"alarms": 12, "alarm_bound": 0.001048}, False),
        ({"planted": (PlantedResult("busy +5%", 18, 20, 1),)}, False),
        ({"planted": (PlantedResult("leak 4 KiB/scan", 3, 4, 1),)}, False),
    ],
)
def test_what_makes_a_certificate_good(change: dict[str, Any], passes: bool) -> None:
    other = replace(CONDITION, **change)
    assert replace(CERTIFICATE, conditions=(CONDITION, other)).passes is passes


def test_a_certificate_of_nothing_is_not_good() -> None:
    assert not replace(CERTIFICATE, conditions=()).passes


class Script:
    """Real gates are replaced: what each step would give is written here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_at: str = "") -> None:
        self.made: list[str] = []
        self.stop_at = stop_at
        script = self

        def tried(
            self: SelfCheck, journal: Journal, step: str, condition: str, fault: Fault, cases: Any
        ) -> Tried:
            if noted := journal.find(step, Tried):
                return noted
            if step == script.stop_at:
                raise KeyboardInterrupt
            script.made.append(step)
            worse = fault != Fault()
            pairs = {} if worse else {"one cpu_ns": [0.001, -0.002, 0.001, 0.0, 0.002, -0.001]}
            walls = {case("clock", name).name: 1e7 for name in ("slow", "quick")}
            walls[case("clock", "quick").name] = 1e5
            gave = Tried(
                outcome="REGRESSED" if worse else "PASS",
                metrics=3,
                found=len(cases) * worse,
                cases=len(cases),
                changes=(),
                open=(),
                seconds=9,
                pairs=pairs,
                wall_ns=walls,
            )
            journal.note(step, asdict(gave))
            return gave

        monkeypatch.setattr(SelfCheck, "_tried", tried)
        monkeypatch.setattr(SelfCheck, "_held", lambda *_: iter(()))
        monkeypatch.setattr(module, "SIMULATED_GATES", 500)

    def check(self, journal: Journal) -> GateCertificate:
        cases = [case("clock", "slow"), case("clock", "quick")]
        side: Any = SimpleNamespace()
        manifest: Any = SimpleNamespace(spec="mt")
        subject = SelfCheck(side, manifest, Path(), cases, Policy(), lambda _: None)
        return subject.run(journal, gates=2, planted_gates=1)


def test_a_self_check_tries_every_condition_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(monkeypatch, stop_at="unchanged, one core busy, gate 2")
    path = tmp_path / "gate.jsonl"
    with pytest.raises(KeyboardInterrupt):
        script.check(Journal(path, resume=False))
    assert len(script.made) == 3, "conditions take turns"
    script.stop_at = ""
    made = script.check(Journal(path, resume=True))
    assert len(script.made) == len(set(script.made)), "nothing is tried twice"
    assert [one.name for one in made.conditions] == ["as it is", "one core busy"]
    assert [one.real_gates for one in made.conditions] == [2, 2]
    assert [one.real_alarms for one in made.conditions] == [0, 0]
    found = {one.name: (one.found, one.cases) for one in made.conditions[0].planted}
    # 5% of a span of 0.1 ms is too short to be slept: nobody is asked to find it.
    assert found["sleep +5%"] == (1, 1)
    assert found["busy +5%"] == (2, 2)


def test_busy_cores_are_busy_and_then_left_alone() -> None:
    before = {child.pid for child in psutil.Process().children()}
    with busy_cores(2):
        mine = [one for one in psutil.Process().children() if one.pid not in before]
        assert len(mine) == 2
    assert not any(one.is_running() for one in mine)


class Plain:
    """A reader of ten batches, and the backend that opens it."""

    optional = "here"

    def __init__(self) -> None:
        self._left = 10

    def versions(self) -> dict[str, str]:
        return {"plain": "1"}

    def open(self, shard: Path, *, columns: object = None, batch_rows: int = 1) -> Plain:
        return Plain()

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *exc_info: object) -> None: ...

    def __next__(self) -> Sequence[int]:
        self._left -= 1
        if self._left < 0:
            raise StopIteration
        return range(7)

    def rows(self, batch: Sequence[int]) -> int:
        return len(batch)


def scan(fault: Fault) -> int:
    backend = PlantedBackend(Plain(), fault)  # type: ignore[arg-type]
    with backend.open(Path()) as reader:
        return sum(reader.rows(batch) for batch in reader)


@pytest.mark.parametrize(
    "fault",
    [Fault(), Fault(busy=0.5), Fault(sleep=0.5), Fault(held_bytes=10), Fault(leaked_bytes=10)],
)
def test_a_planted_backend_delivers_the_same_rows(fault: Fault) -> None:
    assert scan(fault) == 70
    backend = PlantedBackend(Plain(), fault)  # type: ignore[arg-type]
    assert backend.versions() == {"plain": "1"}
    assert backend.optional == "here"
    with pytest.raises(AttributeError):
        _ = backend.allocator_bytes


class FakeTime:
    """Clocks that only move when somebody works, asks or sleeps."""

    def __init__(self) -> None:
        self.processor_ns = self.wall_ns = 0
        self.late_ns = 40_000

    def work(self, nanoseconds: int) -> None:
        self.processor_ns += nanoseconds
        self.wall_ns += nanoseconds

    def thread_time_ns(self) -> int:
        self.work(100)
        return self.processor_ns

    process_time_ns = thread_time_ns

    def monotonic_ns(self) -> int:
        return self.wall_ns

    def sleep(self, seconds: float) -> None:
        self.wall_ns += int(seconds * 1e9) + self.late_ns


class Working(Plain):
    """Every batch, and finding that there is no other, takes as long."""

    BATCH_NS = 400_000
    SCAN_NS = 11 * BATCH_NS

    def __init__(self, clock: FakeTime) -> None:
        super().__init__()
        self.clock = clock

    def open(self, shard: Path, *, columns: object = None, batch_rows: int = 1) -> Plain:
        return Working(self.clock)

    def __next__(self) -> Sequence[int]:
        self.clock.work(self.BATCH_NS)
        return super().__next__()


@pytest.mark.parametrize(
    ("fault", "processor", "wall"),
    [
        (Fault(), 1.0, 1.0),
        (Fault(busy=0.05), 1.05, 1.05),
        (Fault(busy=0.5), 1.5, 1.5),
        (Fault(sleep=0.05), 1.0, 1.05),
        (Fault(sleep=0.5), 1.0, 1.5),
    ],
)
def test_a_fault_costs_what_it_says(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, processor: float, wall: float
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(planted, "time", clock)

    backend = PlantedBackend(Working(clock), fault)  # type: ignore[arg-type]
    for _ in range(3):  # the first sleeps teach how long waking up takes
        deque(backend.open(Path()), maxlen=0)
    begun_ns, walls_ns = clock.processor_ns, []
    for _ in range(20):
        began_ns = clock.wall_ns
        deque(backend.open(Path()), maxlen=0)
        walls_ns.append(clock.wall_ns - began_ns)
    worked = (clock.processor_ns - begun_ns) / 20 / Working.SCAN_NS
    assert worked == pytest.approx(processor, abs=0.005)
    assert walls_ns == pytest.approx([wall * Working.SCAN_NS] * 20, rel=0.01)


def test_a_long_first_batch_is_slept_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeTime()
    monkeypatch.setattr(planted, "time", clock)
    backend = PlantedBackend(Working(clock), Fault(sleep=1.0))  # type: ignore[arg-type]
    with backend.open(Path()) as reader:
        next(reader)
        assert clock.wall_ns == pytest.approx(2 * Working.BATCH_NS, rel=0.15)


def test_time_that_others_took_from_a_sleep_shortens_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(planted, "time", clock)
    backend = PlantedBackend(Working(clock), Fault(sleep=0.05))  # type: ignore[arg-type]
    for _ in range(9):
        deque(backend.open(Path()), maxlen=0)
    clock.late_ns = 5_000_000
    deque(backend.open(Path()), maxlen=0)
    clock.late_ns = 40_000
    before_ns = clock.wall_ns
    deque(backend.open(Path()), maxlen=0)
    assert clock.wall_ns - before_ns == pytest.approx(1.05 * Working.SCAN_NS, rel=0.005)


def test_held_bytes_are_freed_and_leaked_bytes_are_not() -> None:
    def left(fault: Fault) -> int:
        backend = PlantedBackend(Plain(), fault)  # type: ignore[arg-type]
        tracemalloc.start()
        for _ in range(5):
            with backend.open(Path()) as reader:
                next(reader)
        found = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return found

    assert left(Fault(held_bytes=1_000_000)) < 1_100_000
    assert left(Fault(leaked_bytes=1_000_000)) > 5_000_000


def test_replay_takes_the_pairs_as_they_came() -> None:
    rule = PairedRule()
    rng = np.random.default_rng(1)
    calm = replay({"a": rng.normal(0, 0.01, 60), "b": rng.normal(0, 0.01, 65)}, rule=rule)
    assert (calm.events, calm.trials) == (0, 10)
    # A side that is always slower is not an A/A series, and every window says so.
    shifted = replay({"a": rng.normal(0.06, 0.01, 60)}, rule=rule)
    assert shifted.events == 10


def test_the_certificate_is_readable() -> None:
    console = Console(width=120, file=StringIO(), record=True)
    console.print(CertificateTable(CERTIFICATE).render())
    text = console.export_text()
    assert "b cpu_ns (60 pairs)" in text
    assert "91.0%" in text
    assert "90.0%" in text
    assert "19 of 20" in text
    assert "+5.2% (+4.1% to +6.0%)" in text
    assert "0 in 20,000 simulated ones" in text
    assert "the gate holds on this host" in text
