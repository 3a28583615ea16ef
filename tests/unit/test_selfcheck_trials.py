"""The self-check's trials: taking turns, noted as they end, gone on with where they stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from firstbyte.engine import fingerprint as environment
from firstbyte.engine.journal import Journal
from firstbyte.engine.laboratory import Laboratory
from firstbyte.errors import HarnessError
from firstbyte.leaks.rules import LeakClass
from firstbyte.selfcheck.memory import certificate as certificates
from firstbyte.selfcheck.memory import check as selfcheck
from firstbyte.selfcheck.memory import trials as module
from firstbyte.selfcheck.memory.planted import TRUTHS
from firstbyte.selfcheck.memory.trials import TriedSubject, trials


def trial(subject: str, number: int = 0) -> TriedSubject:
    return TriedSubject(subject, number, "CLEAN", "no ledger grows with the scans", {"rss": 1.0})


@pytest.fixture
def laboratory() -> Laboratory:
    variants = [SimpleNamespace(name="x"), SimpleNamespace(name="y")]
    here = SimpleNamespace(name="real", unavailable="", variants=variants)
    gone = SimpleNamespace(name="gone", unavailable="not installed", variants=variants)
    return cast(
        Laboratory, SimpleNamespace(catalogue=SimpleNamespace(backends={"r": here, "g": gone}))
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects that were really tried, in order; the fifth try stops everything."""
    tried: list[str] = []

    def attempt(_: Any, subject: str, number: int) -> TriedSubject:
        if len(tried) == 5:
            tried.append("stopped")
            raise KeyboardInterrupt
        tried.append(subject)
        return trial(subject, number)

    monkeypatch.setattr(module, "_try", attempt)
    return tried


def test_a_stopped_check_goes_on_where_it_stopped(
    tmp_path: Path, laboratory: Laboratory, made: list[str]
) -> None:
    path = tmp_path / "selfcheck" / "progress.jsonl"
    with pytest.raises(KeyboardInterrupt):
        list(trials(laboratory, 6, Journal(path, resume=False), lambda _: None))
    with path.open("a") as file:
        file.write('{"step": "planted:clean 0", "ga')
    done = list(trials(laboratory, 6, Journal(path, resume=True), lambda _: None))
    assert list(trials(laboratory, 6, Journal(path, resume=True), lambda _: None)) == done
    assert len(made) == len(done) + 1, "nothing is tried twice, and `stopped` stands among them"


def test_the_smallest_leaks_are_tried_most_and_subjects_take_turns(
    tmp_path: Path, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_try", lambda _, subject, number: trial(subject, number))
    made = list(trials(laboratory, 6, Journal(tmp_path / "j", resume=False), lambda _: None))
    found = Counter(one.subject for one in made)
    assert found["planted:malloc_leak"] == found["planted:bundled_leak"] == 6
    assert found["planted:clean"] == 1
    assert found["real:x"] == found["real:y"] == 4
    assert len(made) == 2 * 6 + (len(TRUTHS) - 2) + 2 * 4
    first_half = Counter(one.subject for one in made[: len(made) // 2])
    assert first_half["planted:malloc_leak"] in (2, 3, 4)
    assert first_half["real:x"] in (1, 2, 3)


def test_only_the_same_sources_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.jsonl"
    with pytest.raises(HarnessError, match="no self-check to resume"):
        Journal(path, resume=True)
    Journal(path, resume=False).note("real:x 0", {"outcome": "CLEAN"})
    assert Journal(path, resume=True).find("real:x 0", dict) == {"outcome": "CLEAN"}
    assert Journal(path, resume=False).find("real:x 0", dict) is None, "begun anew"
    monkeypatch.setattr(environment, "git", lambda _: {"commit": "another"})
    with pytest.raises(HarnessError, match="begun elsewhere \\(commit differ"):
        Journal(path, resume=True)
    path.write_text("{\n")
    with pytest.raises(HarnessError, match=r"cannot read .*progress.jsonl: no JSON: "):
        Journal(path, resume=True)


def test_what_was_said_of_a_truth_survives_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBYTE_RESULTS", str(tmp_path))
    tried = [
        TriedSubject("planted:clean", 0, "CLEAN", "", {"rss": 1.0}),
        TriedSubject("planted:clean", 1, "LEAK", "", {"rss": 3.0}),
        TriedSubject("real:x", 0, "LEAK", "", {}),
    ]
    truth = selfcheck._truth("clean", LeakClass.CLEAN, tried)
    assert (truth.right, truth.runs, truth.detectable_bytes) == (1, 2, {"rss": 3.0})
    sampler = certificates.SamplerCost((1.0,), (1.0,))
    made = certificates.MemoryCertificate("2026-06-01", {}, (truth,), (), {}, sampler, 0, ())
    certificates.save(made)
    assert certificates.DOCUMENT.read(certificates.certificate_path()) == made
    assert made.wrong_leaks == (1, 2)
