"""Growth in a gate of real processes: what a head holds within a scan is judged."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firstbyte import places
from firstbyte.api import Purpose
from firstbyte.corpora.catalogue import resolve
from firstbyte.engine import registry
from firstbyte.engine.fingerprint import versions
from firstbyte.engine.registry import Variant
from firstbyte.gate.cases import cases
from firstbyte.gate.metrics import GATED_METRICS, MetricKind
from firstbyte.gate.observe import LiveSide
from firstbyte.gate.policy import Policy
from firstbyte.gate.result import GateResult
from firstbyte.gate.run import GateRun
from firstbyte.gate.sides import Side
from firstbyte.gate.trials import GateOutcome
from firstbyte.leaks.corpus import leak_corpus
from firstbyte.model import Environment
from firstbyte.plugins import PACKAGE, own_root
from firstbyte.selfcheck.memory.planted import BACKEND, FOLDER
from firstbyte.selfcheck.planting import findable

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

GROWTH = [metric for metric in GATED_METRICS.values() if metric.kind is MetricKind.GROWTH]
FEW_SCANS = 10


@pytest.fixture(autouse=True)
def planted(own_cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(registry.PLUGINS_VARIABLE, raising=False)
        with findable(FOLDER):
            yield


def side(name: str, fault: Variant) -> Side:
    """The planted backend, whose variant `clean` has that fault on this side."""
    info = registry.discover().backend(BACKEND)
    clean = replace(info.variant("clean"), options=fault.options)
    return Side(
        label=name,
        environment=Environment(name, sys.executable, str(PACKAGE.parent)),
        roots=(own_root(), FOLDER),
        backends={BACKEND: replace(info, variants=(clean,))},
        versions=versions(),
        key=name,
    )


def gate(base: str, head: str) -> GateResult:
    """A gate in which the two sides have these planted faults, on files of unequal length."""
    catalogue = registry.discover()
    manifest = leak_corpus(resolve("mt:size=1MB,shards=1"), places.cache())
    policy = Policy(
        scenarios=(catalogue.scenario_for(Purpose.LEAKS).name,), backends=(f"{BACKEND}:clean",)
    )
    prepared = places.cache() / "gate"
    sides = [
        LiveSide(side(name, catalogue.backend(BACKEND).variant(fault)), manifest, prepared)
        for name, fault in (("base", base), ("head", head))
    ]
    (case,) = cases(catalogue, policy, manifest, {MetricKind.GROWTH})
    # Too few scans for the slopes over scans: they are tried elsewhere, and take their time.
    short = case.tuned(samples=FEW_SCANS, threaded=False)
    return GateRun(sides[0], sides[1], [short], GROWTH, policy).run()


def test_accumulation_is_judged(planted: None) -> None:
    result = gate("clean", "accumulation")
    found = {verdict.metric: verdict.finding for verdict in result.verdicts}
    slopes = {"live_bytes_per_scan", "resident_bytes_per_scan"}
    assert found.keys() == {metric.name for metric in GROWTH} - slopes, result.notes
    rho = found["accumulation_rho"]
    assert rho.outcome is GateOutcome.REGRESSED, rho
    assert rho.base == pytest.approx(0, abs=0.05)
    assert rho.head is not None
    assert rho.head > 0.5
    assert result.outcome is GateOutcome.REGRESSED
