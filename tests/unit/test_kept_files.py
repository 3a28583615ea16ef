"""Files that this program keeps: what was published stays readable, what is damaged is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_fixtures import run_of

from firstbyte.contracts import Document
from firstbyte.errors import HarnessError, StoreError
from firstbyte.gate import baselines
from firstbyte.leaks import kept
from firstbyte.leaks.investigation import Investigation
from firstbyte.selfcheck.gate import certificate as gate
from firstbyte.selfcheck.memory import certificate as memory

RESULTS = Path(__file__).parents[2] / "results"
PUBLISHED: dict[str, tuple[Document[Any], str]] = {
    "leak verdicts": (kept.DOCUMENT, "published/*/leaks.json"),
    "gate certificate": (gate.DOCUMENT, "published/selfcheck-gate.json"),
    "memory certificate": (memory.DOCUMENT, "published/selfcheck-memory.json"),
    "baselines": (baselines.DOCUMENT, "baselines/*.json"),
}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_what_was_published_stays_readable(kind: str) -> None:
    document, pattern = PUBLISHED[kind]
    paths = list(RESULTS.glob(pattern))
    assert paths
    for path in paths:
        made = document.read(path)
        assert made.schema == document.version


@pytest.mark.parametrize("kind", PUBLISHED)
def test_what_is_damaged_or_newer_is_one_line_with_a_remedy(tmp_path: Path, kind: str) -> None:
    document, pattern = PUBLISHED[kind]
    (path, *_) = RESULTS.glob(pattern)
    raw = json.loads(path.read_text(encoding="utf-8"))
    damaged = tmp_path / path.name
    damages: dict[str, Any] = {
        "unknown key 'surprise'": {**raw, "surprise": 1},
        "expected a table, got []": [],
        "missing ": {"schema": document.version},
    }
    for problem, content in damages.items():
        damaged.write_text(json.dumps(content))
        with pytest.raises(HarnessError) as caught:
            document.read(damaged)
        assert str(caught.value).startswith(f"cannot read {damaged}: ")
        assert problem in str(caught.value)
        assert str(caught.value).endswith(f"; {document.remedy}")
        assert "\n" not in str(caught.value)
    damaged.write_text(json.dumps({**raw, "schema": 99}))
    with pytest.raises(
        HarnessError, match=f"its schema is 99, .* up to {document.version}: use the"
    ):
        document.read(damaged)


def test_leak_verdicts_say_their_version_and_come_back(tmp_path: Path) -> None:
    finding = Investigation("one", "best", None, (), "no such library")
    kept.write(tmp_path, run_of(), "firstbyte leaks", [finding])
    assert json.loads((tmp_path / kept.FILE).read_text())["schema"] == kept.SCHEMA
    found = kept.read(tmp_path)
    assert found
    assert found.rows == (kept.row(finding),)
    (tmp_path / kept.FILE).write_text("{")
    with pytest.raises(StoreError, match="or check again with `firstbyte leaks`"):
        kept.read(tmp_path)
