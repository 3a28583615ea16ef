"""Prepared shards are used again only where the same backend would write the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pipeline_fixtures import backend_info, manifest

from firstbyte.engine import prepared
from firstbyte.engine.plan import Planned
from firstbyte.engine.registry import BackendInfo

CORPUS = manifest()


def planned(backend: BackendInfo, variant: int = 0) -> Planned:
    stand_in = SimpleNamespace(backend=backend, variant=backend.variants[variant])
    return cast(Planned, stand_in)


@pytest.fixture
def backend(tmp_path: Path) -> BackendInfo:
    """One that packs with other settings in each variant."""
    (tmp_path / "backend.py").write_text("LEVEL = 1\n")
    info = backend_info("packer", variants=("packed", "plain"))
    options: tuple[dict[str, Any], ...] = ({"level": 6, "threads": 1}, {"level": 0, "threads": 1})
    variants = (replace(one, options=own) for one, own in zip(info.variants, options, strict=True))
    return replace(info, folder=tmp_path, variants=tuple(variants))


def folder(tmp_path: Path, backend: BackendInfo, variant: int = 0) -> Path:
    return prepared.folder(tmp_path / "prepared", planned(backend, variant), CORPUS)


def test_the_same_is_found_again(tmp_path: Path, backend: BackendInfo) -> None:
    assert folder(tmp_path, backend) == folder(tmp_path, backend)
    assert folder(tmp_path, backend).parent == tmp_path / "prepared" / "packer"


def test_variants_that_write_differently_do_not_share(tmp_path: Path, backend: BackendInfo) -> None:
    assert folder(tmp_path, backend, 0) != folder(tmp_path, backend, 1)


def test_variants_share_what_their_options_do_not_decide(
    tmp_path: Path, backend: BackendInfo
) -> None:
    shares = replace(backend, prepared_by=("threads",))
    assert folder(tmp_path, shares, 0) == folder(tmp_path, shares, 1)
    keeps_apart = replace(backend, prepared_by=("threads", "level"))
    assert folder(tmp_path, keeps_apart, 0) != folder(tmp_path, keeps_apart, 1)


def test_changed_sources_write_anew(tmp_path: Path, backend: BackendInfo) -> None:
    before = folder(tmp_path, backend)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "library.so").write_text("built")
    prepared._sources.cache_clear()
    assert folder(tmp_path, backend) == before
    (tmp_path / "backend.py").write_text("LEVEL = 2\n")
    prepared._sources.cache_clear()
    assert folder(tmp_path, backend) != before


def test_other_libraries_write_anew(
    tmp_path: Path, backend: BackendInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = folder(tmp_path, backend)
    monkeypatch.setattr(prepared, "_libraries", lambda: "others")
    assert folder(tmp_path, backend) != before
