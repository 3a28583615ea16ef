"""Which environment variables a run keeps, and how two runs differ in them."""

from __future__ import annotations

import pytest

from firstbyte.engine.fingerprint import host, variable_differences


@pytest.mark.parametrize(
    "name",
    [
        "ARROW_DEFAULT_MEMORY_POOL",
        "DUCKDB_THREADS",
        "GLIBC_TUNABLES",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "MALLOC_ARENA_MAX",
        "MIMALLOC_PURGE_DELAY",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONMALLOC",
        "RAYON_NUM_THREADS",
        "_RJEM_MALLOC_CONF",
    ],
)
def test_what_changes_allocators_loading_or_threads_is_kept(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    before = host()
    monkeypatch.setenv(name, "1")
    assert variable_differences(before, host()) == [f"{name} was unset, is '1'"]
    assert variable_differences(host(), before) == [f"{name} was '1', is unset"]


@pytest.mark.parametrize("name", ["HOME", "PYTHONPATH", "AWS_SECRET_ACCESS_KEY"])
def test_what_decides_nothing_is_not_kept(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "planted value")
    assert "planted value" not in str(host())
