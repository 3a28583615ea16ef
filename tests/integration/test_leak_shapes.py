"""Planted leaks through real workers: each shows in the shape of use and in the ledger that it is of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firstbyte import places
from firstbyte.api import Purpose
from firstbyte.engine import registry
from firstbyte.engine.laboratory import Laboratory
from firstbyte.engine.witnesses import resolve
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.leaks.rules import LeakVerdict, verdict
from firstbyte.leaks.slopes import MIN_SCANS, SeriesFinding, judge_process
from firstbyte.model import Status
from firstbyte.selfcheck.figures.check import FOLDER
from firstbyte.selfcheck.planting import findable
from firstbyte.worker.leak_series import ATTEMPT, Attempt, LeakSeries
from firstbyte.worker.ledgers import CHILDREN, RESIDENT, SHARED, SHARED_FILES
from firstbyte.worker.quiet import QUIET
from firstbyte.worker.shapes import SHAPE, Shape

pytestmark = pytest.mark.alone

LEAKED_BYTES = 65_536
PAGES_BYTES = 4096
"""What objects around a leak may add to it in a use."""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv(registry.PLUGINS_VARIABLE, raising=False)
        with findable(FOLDER):
            manifest = leak_corpus(resolve("mt:size=1MB,shards=1"), places.cache())
            yield Laboratory(manifest, registry.discover())


def used(laboratory: Laboratory, variant: str, shape: Shape) -> LeakSeries:
    record = laboratory.measure(
        laboratory.subject(f"planted_leaks:{variant}"),
        laboratory.catalogue.scenario_for(Purpose.LEAKS),
        "proc_memory",
        repetitions=MIN_SCANS,
        params={ATTEMPT: Attempt.AGAIN, SHAPE: shape},
        environ=QUIET,
    )
    assert record.status is Status.OK, record.reason + record.stderr_tail
    return LeakSeries.of(record.samples[0])


def judged(laboratory: Laboratory, variant: str, shape: Shape) -> dict[str, SeriesFinding]:
    return judge_process(used(laboratory, variant, shape))


def verdict_on(laboratory: Laboratory, variant: str, shape: Shape) -> LeakVerdict:
    return verdict([used(laboratory, variant, shape)], exhausted=True)


@pytest.mark.parametrize(
    ("variant", "shape", "ledger", "per_use"),
    [
        ("shared_anonymous", Shape.WHOLE, SHARED, 1),
        ("memfd", Shape.WHOLE, SHARED, 1),
        ("memfd_unmapped", Shape.WHOLE, SHARED_FILES, 1),
        ("files_left", Shape.WHOLE, SHARED_FILES, 1),
        ("growing_child", Shape.WHOLE, CHILDREN, 1),
        ("raw_mapping", Shape.CHILDREN, RESIDENT, 1),
        ("abandoned", Shape.ABANDONED, RESIDENT, 1),
        ("failing", Shape.FAILING, RESIDENT, 2),
    ],
)
def test_a_leak_shows_in_its_shape_and_ledger_by_its_size(
    laboratory: Laboratory, variant: str, shape: Shape, ledger: str, per_use: int
) -> None:
    slope = judged(laboratory, variant, shape)[ledger].slope
    assert slope.estimate == pytest.approx(per_use * LEAKED_BYTES, abs=PAGES_BYTES)


def test_readers_at_once_leak_as_often_as_they_meet(laboratory: Laboratory) -> None:
    found = judged(laboratory, "concurrent", Shape.CONCURRENT)[RESIDENT]
    assert found.suspicious
    assert found.slope.estimate > PAGES_BYTES


@pytest.mark.parametrize("variant", ["abandoned", "failing", "concurrent"])
def test_a_leak_of_another_shape_is_not_in_what_whole_scans_say(
    laboratory: Laboratory, variant: str
) -> None:
    """Under load an allocator's own ups and downs may be suspected, and are settled by more uses."""
    finding = judged(laboratory, variant, Shape.WHOLE)[RESIDENT]
    assert finding.slope.low < LEAKED_BYTES / 2


@pytest.mark.parametrize(("variant", "what"), [("zombies", "children"), ("threads", "threads")])
def test_what_is_left_behind_is_counted(laboratory: Laboratory, variant: str, what: str) -> None:
    found = verdict_on(laboratory, variant, Shape.WHOLE)
    assert found.rule == "D"
    assert f"1 {what} left behind per use" in found.reason


def test_the_failing_shape_says_how_many_errors_there_were(laboratory: Laboratory) -> None:
    found = verdict_on(laboratory, "abandoned", Shape.FAILING)
    assert found.reason.endswith("; 3 of 3 damaged files gave an error"), found.reason
