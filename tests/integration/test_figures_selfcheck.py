"""A slice of the self-check of the figures, through real workers: what is planted is said by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbyte.engine import registry
from firstbyte.selfcheck.figures import certificate as certificates
from firstbyte.selfcheck.figures import terminal
from firstbyte.selfcheck.figures.catalogue import kinds
from firstbyte.selfcheck.figures.certificate import FiguresCertificate
from firstbyte.selfcheck.figures.kinds import Kind

pytestmark = pytest.mark.xdist_group("planted figures")

SLICE = [kind for kind in kinds() if kind.quick]


@pytest.fixture(scope="module")
def made(
    cache_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FiguresCertificate]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv("FIRSTBYTE_RESULTS", str(tmp_path_factory.mktemp("results")))
        patch.delenv(registry.PLUGINS_VARIABLE, raising=False)
        terminal.check(1, lambda _: None, quick=True)
        path = certificates.certificate_path()
        assert not path.exists(), "a slice is no certificate"
        yield certificates.DOCUMENT.read(path.with_stem(terminal.SLICE))


@pytest.mark.parametrize("kind", SLICE, ids=lambda kind: str(kind.subject))
def test_what_is_planted_is_said_by_its_name(made: FiguresCertificate, kind: Kind) -> None:
    (one,) = (one for one in made.kinds if (one.sort, one.kind) == (kind.sort, kind.name))
    assert one.named, f"wanted {one.wanted}, said {one.said}"
    assert one.praised == ()


def test_of_the_honest_nothing_bad_is_said(made: FiguresCertificate) -> None:
    (honest,) = made.honest
    assert honest.trials
    assert (honest.bad, honest.not_run) == ((), ())
