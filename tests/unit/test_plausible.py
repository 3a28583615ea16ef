"""Rules of what can be true, on evidence as it was recorded: each finds its cheat, none an honest reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_fixtures import backend_info, catalogue, fake_scenario, scenario_info

from firstbyte.api import ReadsInSpan
from firstbyte.engine import plausible
from firstbyte.engine.looks import Delivery, Evidence, Look, Stamps
from firstbyte.engine.plan import Axes, Planned, make_plan
from firstbyte.model import Environment, Sample
from firstbyte.worker.protocol import (
    AFTER_COPY,
    AFTER_KNOWN,
    AFTER_SPAN,
    BEFORE_COPY,
    BEFORE_SPAN,
    ENDED,
    IMPORTED,
)

MS = 1_000_000
FILE_BYTES = 9_000_000
RAW_BYTES = 22_000_000
HONEST: list[dict[str, Any]] = [
    {"place": IMPORTED},
    {
        "place": BEFORE_SPAN,
        "main_cpu_ns": 4 * MS,
        "read_bytes": FILE_BYTES,
        "opened": frozenset({0}),
    },
    {
        "place": AFTER_SPAN,
        "main_cpu_ns": 66 * MS,
        "read_bytes": 10_900_000,
        "opened": frozenset({0}),
    },
    {"place": BEFORE_SPAN},
    {
        "place": AFTER_SPAN,
        "main_cpu_ns": 57 * MS,
        "read_bytes": 10_600_000,
        "opened": frozenset({0}),
    },
    {"place": BEFORE_COPY, "read_bytes": 9_000_000},
    *[
        {"place": place, "read_bytes": 90_000}
        for _ in range(plausible.COPIES)
        for place in (AFTER_KNOWN, AFTER_COPY)
    ],
    {"place": ENDED, "main_cpu_ns": 90 * MS, "read_bytes": 10_600_000},
]
"""A scan of one file, twice: what each look has more than the one before it. A span took 100 ms."""
SECOND = 4
"""Place of the look after the second span."""
COPIES = range(SECOND + 3, SECOND + 2 + 2 * plausible.COPIES, 2)
"""Of the looks after copies of the file were opened."""


def looks(steps: list[dict[str, Any]]) -> list[Look]:
    made: list[Look] = []
    counted = dict.fromkeys(("main_cpu_ns", "threads_cpu_ns", "children_cpu_ns"), 0)
    counted |= dict.fromkeys(("read_bytes", "written_bytes", "faults", "stored_bytes"), 0)
    counted |= {"shared_files_bytes": 0, "libraries": 0}
    for number, step in enumerate(steps):
        counted = {name: value + step.get(name, 0) for name, value in counted.items()}
        others = {name: value for name, value in step.items() if name not in counted}
        defaults = {
            "threads": 1,
            "children": 0,
            "named": 0,
            "lingered_ns": 0,
            "opened": frozenset(),
        }
        at_ns = number * 100 * MS
        made.append(Look(**(defaults | counted | others), began_ns=at_ns, ended_ns=at_ns))
    return made


def evidence(*changes: tuple[int, dict[str, Any]]) -> Evidence:
    """The honest one with these changes of looks, by their place."""
    steps = [dict(step) for step in HONEST]
    for place, change in changes:
        steps[place] |= change
    return Evidence(
        looks=looks(steps),
        stamps=[Stamps(100 * MS, 200 * MS, 0), Stamps(300 * MS, 400 * MS, 1)],
        deliveries=[Delivery(0, 0), Delivery(0, 1)],
        shard_bytes=(FILE_BYTES,),
    )


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    module = fake_scenario()
    module.READS = ReadsInSpan.WHOLE  # type: ignore[attr-defined]
    known = catalogue([backend_info("fake")], [scenario_info("scan_all", module, tmp_path)])
    here = Environment("here", "/no/python", "/no/root")
    (cell,) = make_plan(known, Axes(corpora=("fake",)), here).cells
    return cell


def said(planned: Planned, found: Evidence, *cpu_ns: float) -> tuple[str, ...]:
    samples = [Sample({"cpu_ns": one}) for one in cpu_ns or (66 * MS, 57 * MS)]
    sizes = ((FILE_BYTES, RAW_BYTES),)
    return plausible.suspicions(plausible.Claim(planned, samples, found, sizes))


def test_an_honest_scan_is_not_suspect(planned: Planned) -> None:
    assert said(planned, evidence()) == ()


CHEATS: dict[str, tuple[str, list[tuple[int, dict[str, Any]]]]] = {
    "nobody opens it": (
        "span 2 delivered shard 0, whose file nobody opened",
        [(SECOND, {"opened": frozenset()})],
    ),
    "less is read": (
        "in span 2 131,000 bytes were read at most",
        [(SECOND, {"read_bytes": 131_000})],
    ),
    "less is read, and memory touched": (
        "in span 2 1,245,112 bytes were read at most",
        [(SECOND, {"read_bytes": 131_000, "faults": 17})],
    ),
    "nothing is read again": (
        "span 2 read 51 bytes, span 1 10,900,000",
        [(SECOND, {"read_bytes": 51})],
    ),
    "a copy has to be read": (
        "it read 10,600,000 bytes at most of a shard that it had read before, and 21,400,000 bytes at least",
        [(place, {"read_bytes": 21_400_000}) for place in COPIES],
    ),
    "faster than memory": (
        "span 2 took 1.000 ms of CPU time, less than the floor",
        [(SECOND, {"main_cpu_ns": MS})],
    ),
    "threads go on": (
        "went on after span 2, outside any: 90.000 ms",
        [(SECOND, {"lingered_ns": 90 * MS})],
    ),
    "threads before": (
        "before span 2, outside any, its other threads took",
        [(3, {"threads_cpu_ns": 500 * MS})],
    ),
    "children before": (
        "before span 1, outside any, its children took",
        [(1, {"children_cpu_ns": 500 * MS})],
    ),
    "a file on a disk": ("it wrote 64,000,000 bytes to files", [(2, {"stored_bytes": 64_000_000})]),
    "a file in memory": (
        "it wrote 64,000,000 bytes to files",
        [(5, {"written_bytes": 64_000_000})],
    ),
    "a file in memory, beside a child": (
        "it wrote to files in /dev/shm, which a reader does not: 60,000,000 bytes came there",
        [
            (2, {"written_bytes": 110_000_000, "children_cpu_ns": 30 * MS}),
            (2, {"shared_files_bytes": 60_000_000}),
        ],
    ),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_is_found(planned: Planned, cheat: str) -> None:
    reason, changes = CHEATS[cheat]
    assert any(reason in one for one in said(planned, evidence(*changes)))


HONEST_TOO: dict[str, list[tuple[int, dict[str, Any]]]] = {
    "the kernel does not tell who opens": [(2, {"opened": None}), (SECOND, {"opened": None})],
    "pages of a mapping": [
        (2, {"read_bytes": 70_000, "faults": 150}),
        (SECOND, {"read_bytes": 70_000, "faults": 150}),
    ],
    "a library is imported in the first span, and files are mapped": [
        (2, {"read_bytes": 40_000_000, "faults": 9_000}),
        (SECOND, {"read_bytes": 60, "faults": 150}),
    ],
    "a way to read that is not counted": [(2, {"read_bytes": 60}), (SECOND, {"read_bytes": 60})],
    "more is read ahead of a copy": [
        (place, {"read_bytes": 21_100_000 + 9_000_000 * (place > COPIES[0])}) for place in COPIES
    ],
    "nobody asks for a copy": [
        (place, {"place": ENDED}) for place in range(SECOND + 1, COPIES[-1] + 1)
    ],
    "metadata is kept": [(SECOND, {"read_bytes": 9_000_000})],
    "what an import in the span has started spins": [
        (SECOND, {"lingered_ns": 90 * MS, "libraries": 12})
    ],
    "a pool comes to rest": [(SECOND, {"lingered_ns": 2 * MS})],
    "a reader that is closed early goes on for a while": [(3, {"threads_cpu_ns": 40 * MS})],
    "bytecode": [(2, {"stored_bytes": 3_000_000, "written_bytes": 3_000_000})],
    "pipes to a child": [(2, {"written_bytes": 64_000_000, "children_cpu_ns": 30 * MS})],
    "others write to files in memory": [(2, {"shared_files_bytes": 60_000_000})],
    "others do so while it writes to a child": [
        (2, {"written_bytes": 64_000_000, "read_bytes": 75_000_000, "children_cpu_ns": 30 * MS}),
        (2, {"shared_files_bytes": 60_000_000}),
    ],
}


@pytest.mark.parametrize(("footer_bytes", "suspect"), [(0, True), (200_000, False)])
def test_metadata_of_a_wide_file_may_be_kept(
    planned: Planned, footer_bytes: int, suspect: bool
) -> None:
    found = evidence(
        (2, {"read_bytes": 60_000, "faults": 200}),
        (SECOND, {"read_bytes": 60_000, "faults": 200}),
        *((place, {"read_bytes": 500_000}) for place in COPIES),
    )
    samples = [Sample({"cpu_ns": 66 * MS}), Sample({"cpu_ns": 57 * MS})]
    claim = plausible.Claim(planned, samples, found, footer_bytes=footer_bytes)
    assert any("a copy of it" in one for one in plausible.suspicions(claim)) is suspect


@pytest.mark.parametrize("way", HONEST_TOO)
def test_other_honest_ways_are_not_suspect(planned: Planned, way: str) -> None:
    assert said(planned, evidence(*HONEST_TOO[way])) == ()


def test_a_clock_at_half_speed_begins_before_it_could(planned: Planned) -> None:
    found = evidence()
    found.stamps = [Stamps(50 * MS, 100 * MS, 0), Stamps(150 * MS, 200 * MS, 1)]
    (reason,) = said(planned, found)
    assert reason.startswith(
        "its clock is not the machine's: it says that span 1 took 50.000 ms and began 50"
    )


def test_a_clock_at_twice_the_speed_ends_after_it_could(planned: Planned) -> None:
    found = evidence()
    found.stamps = [Stamps(200 * MS, 400 * MS, 0), Stamps(600 * MS, 800 * MS, 1)]
    assert "from outside it took 100.000 ms" in said(planned, found)[0]


def test_half_the_cpu_time_is_not_believed(planned: Planned) -> None:
    (reason,) = said(planned, evidence(), 33 * MS, 28 * MS)
    assert reason.startswith("its clock of CPU time is not the machine's: it says 61.000 ms")


def test_a_headlined_time_of_nothing_is_none(planned: Planned) -> None:
    samples = [Sample({"part_ns": 0})]
    found = replace(evidence(), stamps=[])
    assert plausible.suspicions(plausible.Claim(planned, samples, found)) == (
        "part_ns of sample 1 is 0",
    )


def test_a_scenario_that_says_nothing_of_its_spans_is_held_to_its_clock_only(
    planned: Planned,
) -> None:
    del planned.scenario.module.READS  # type: ignore[attr-defined]
    assert said(planned, evidence((SECOND, {"opened": frozenset(), "read_bytes": 0}))) == ()
