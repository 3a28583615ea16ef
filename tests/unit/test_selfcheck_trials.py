"""The self-check's trials: taking turns, noted as they end, gone on with where they stopped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.errors import HarnessError
from harness.memory import trials as module
from harness.memory.laboratory import Laboratory
from harness.memory.planted import TRUTHS
from harness.memory.trials import Journal, Trial, trials


def trial(subject: str, number: int = 0) -> Trial:
    return Trial(subject, number, "CLEAN", "no ledger grows with the scans", {"rss": 1.0})


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

    def attempt(_: Any, subject: str, number: int) -> Trial:
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
        list(trials(laboratory, 2, 2, Journal(path, resume=False), lambda _: None))
    with path.open("a") as file:
        file.write('{"subject": "planted:clean", "num')
    done = list(trials(laboratory, 2, 2, Journal(path, resume=True), lambda _: None))
    assert list(trials(laboratory, 2, 2, Journal(path, resume=True), lambda _: None)) == done
    everything = 2 * (len(TRUTHS) + 2)
    assert len(done) == everything
    assert len(made) == everything + 1, "nothing is tried twice, and `stopped` stands among them"
    assert len(set(made[: len(TRUTHS) + 3])) == len(TRUTHS) + 3, "each is tried once before twice"


def test_only_the_same_sources_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.jsonl"
    with pytest.raises(HarnessError, match="no self-check to resume"):
        Journal(path, resume=True)
    Journal(path, resume=False).note(trial("real:x"))
    assert Journal(path, resume=True).find("real:x", 0) == trial("real:x")
    assert Journal(path, resume=False).find("real:x", 0) is None, "begun anew"
    monkeypatch.setattr(module.environment, "git", lambda _: {"commit": "another"})
    with pytest.raises(HarnessError, match="begun elsewhere \\(commit differ"):
        Journal(path, resume=True)
    path.write_text("{")
    with pytest.raises(HarnessError, match="is damaged"):
        Journal(path, resume=True)
