"""Workers in turns: spans alternate, whoever ends lets the other go on, and ratios forget the weather."""

from __future__ import annotations

import math
import os
import random
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from gate_fixtures import case, timed

from firstbyte.gate.cores import IdlestCore
from firstbyte.gate.figures import in_turns, spans
from firstbyte.gate.pairs import paired_figures, runs_together
from firstbyte.model import Sample
from firstbyte.worker.turns import Turns, TurnTaker, make_turns


class Worker(Thread):
    """A worker of so many spans that writes down when it is in one, and when it is between two."""

    def __init__(self, name: str, turns: Turns, count: int, events: list[str]) -> None:
        super().__init__(daemon=True)
        self._name, self._turns, self._count, self._events = name, turns, count, events

    def run(self) -> None:
        taker = TurnTaker(self._turns)
        for _ in range(self._count):
            taker.await_turn()
            self._events.append(f"{self._name} begins")
            self._events.append(f"{self._name} ends")
            self._events.append(f"{self._name} notes")
        for descriptor in self._turns.descriptors:  # as the end of a process does
            os.close(descriptor)


def events_of(first_spans: int, second_spans: int) -> list[str]:
    events: list[str] = []
    first, second = make_turns(None)
    # Started last, and still the first to measure.
    workers = [
        Worker("b", second, second_spans, events),
        Worker("a", first, first_spans, events),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()  # for ever, where somebody waits for a turn that nobody passes
    return events


def test_spans_alternate_and_nothing_else_falls_into_them() -> None:
    whole = [f"{name} {event}" for name in "ab" for event in ("begins", "ends", "notes")]
    assert events_of(5, 5) == whole * 5


@pytest.mark.parametrize(("first", "second"), [(0, 3), (3, 0), (1, 4), (4, 1)])
def test_one_that_ends_early_does_not_keep_the_other(first: int, second: int) -> None:
    events = events_of(first, second)
    assert events.count("a begins") == first
    assert events.count("b begins") == second


def test_a_turn_keeps_a_worker_to_its_core() -> None:
    here = os.sched_getaffinity(0)
    core = max(here)
    first, second = make_turns(core)
    try:
        TurnTaker(first)
        assert os.sched_getaffinity(0) == {core}
    finally:
        os.sched_setaffinity(0, here)
        for descriptor in (*first.descriptors, *second.descriptors):
            os.close(descriptor)


def test_the_core_that_was_idle_is_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = {0: 100.0, 1: 50.0}
    monkeypatch.setattr(IdlestCore, "_read", lambda _: dict(idle))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    cores = IdlestCore()
    idle[1] += 2.0
    idle[0] += 1.0
    assert cores.pick() == 1
    idle[0] += 1.0
    assert cores.pick() == 0, "what was before the last pick does not count"


def test_a_ratio_of_turns_survives_weather_that_minima_do_not() -> None:
    rng = random.Random(1)
    weather = [math.exp(rng.uniform(0.0, 1.0)) for _ in range(31)]
    base = [1e6 * factor for factor in weather]
    head = [1.05e6 * factor for factor in weather]
    head[7] *= 3  # an interruption
    before, after = in_turns(base, head)
    assert after / before == pytest.approx(1.05)
    assert before == sorted(base)[15]
    with pytest.raises(ValueError, match="argument 2 is"):
        in_turns(base, head[:-1])


def test_spans_are_times_that_every_sample_has_without_the_warm_up() -> None:
    samples = [
        Sample({"wall_ns": wall, "run_queue_wait_ns": 1.0, "cpu_ns": 2.0, "peak_heap_bytes": 5.0})
        for wall in (9.0, 4.0, 3.0)
    ]
    assert spans(samples, warm_up=True) == {
        "net_wall_ns": [3.0, 2.0],
        "wall_ns": [4.0, 3.0],
        "cpu_ns": [2.0, 2.0],
    }


def test_pairs_are_compared_by_turns_where_there_are_turns() -> None:
    base = replace(timed(1e6), spans={"cpu_ns": [1e6, 2e6, 4e6]})
    head = replace(timed(5e6), spans={"cpu_ns": [2e6, 4e6, 8e6]})
    pairs = paired_figures(base, head)
    assert pairs["cpu_ns"] == (2e6, pytest.approx(4e6))
    assert pairs["net_wall_ns"] == (1e6, 5e6), "no spans: the figures of the processes"
    shorter = replace(head, spans={"cpu_ns": [2e6]})
    assert paired_figures(base, shorter)["cpu_ns"] == (1e6, 5e6)
    nothing = replace(head, spans={"cpu_ns": [0.0, 1.0, 1.0]})
    assert paired_figures(base, nothing)["cpu_ns"] == (1e6, 5e6), "zero has no ratio"


@pytest.mark.parametrize(
    ("one", "together"),
    [
        (case("clock"), True),
        (case("heap"), True),
        (replace(case("clock"), warm_up=False), False),
    ],
)
def test_cold_starts_are_timed_alone(one: Any, together: bool) -> None:
    assert runs_together(one) is together
