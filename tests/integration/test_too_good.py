"""Readers that cheat with their figures are SUSPECT for a reason that names the cheat; honest ones never."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from conftest import Cli

from firstbyte.engine import store
from firstbyte.model import Record, Status

pytestmark = pytest.mark.xdist_group("too good")

CLOCK = "its clock is not the machine's"
FOUND: dict[tuple[str, str], str] = {
    ("full_scan", "slow_clock"): CLOCK,
    ("full_scan", "fast_clock"): CLOCK,
    ("time_to_first_byte", "slow_clock"): CLOCK,
    ("time_to_first_byte", "fast_clock"): CLOCK,
    ("time_to_first_byte", "still_clock"): CLOCK,
    ("full_scan", "still_clock"): CLOCK,
    ("full_scan", "cached"): "whose file nobody opened meanwhile",
    ("full_scan", "lingering"): "went on after span 2, outside any",
    ("full_scan", "cpu_clock"): "its clock of CPU time is not the machine's",
}
"""Scenario and cheat, and what is said of it."""


class Cheated(NamedTuple):
    """A run of all cheats."""

    records: dict[tuple[str, str], list[Record]]
    shown: str
    exit_code: int


@pytest.fixture(scope="module")
def cheated(cli: Cli, tiny_corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Cheated:
    folder = tmp_path_factory.mktemp("cheated")
    variants = {"honest", *(variant for _, variant in FOUND)}
    scenarios = {scenario for scenario, _ in FOUND}
    done = cli(
        *("run", "-c", tiny_corpus, "-i", "clock", "--results", str(folder / "results")),
        *("--reports", str(folder / "reports")),
        *(word for one in sorted(variants) for word in ("-b", f"cheating:{one}")),
        *(word for one in sorted(scenarios) for word in ("-s", one)),
    )
    records: dict[tuple[str, str], list[Record]] = {}
    for record in store.load(store.find("latest", folder / "results"))[1]:
        records.setdefault((record.cell.scenario, record.cell.variant), []).append(record)
    return Cheated(records, done.stdout, done.returncode)


@pytest.mark.parametrize(("scenario", "variant"), FOUND)
def test_the_cheat_is_named(cheated: Cheated, scenario: str, variant: str) -> None:
    for record in cheated.records[scenario, variant]:
        assert record.status is Status.SUSPECT, record
        assert FOUND[scenario, variant] in record.reason
        assert record.samples, "the figures stay in the record"


def test_an_honest_reader_is_none(cheated: Cheated) -> None:
    honest = [
        one for (_, name), all_ in cheated.records.items() for one in all_ if name == "honest"
    ]
    assert [(one.status, one.reason) for one in honest] == [(Status.OK, "")] * len(honest)


def test_what_is_suspect_is_shown_as_that_and_fails_the_run(cheated: Cheated) -> None:
    assert "SUSPECT cheating:slow_clock" in cheated.shown
    assert cheated.exit_code == 1
