"""Each thing that limits the numbers is found where it is, and comes with a remedy."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from firstbyte.engine import doctor
from firstbyte.engine.doctor import CHECKS, Finding, examine
from firstbyte.worker import pagecache


def test_every_check_answers_here() -> None:
    findings = examine()
    assert len(findings) == len(CHECKS)
    for check, finding in zip(CHECKS, findings, strict=True):
        assert check.__doc__
        assert finding.subject
        assert finding.state
        assert finding.limits == bool(finding.remedy)
        assert "\n" not in finding.state + finding.remedy
    assert len({finding.subject for finding in findings}) == len(findings)


def test_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, limits in ((1, True), (2, True), (4, False), (64, False)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)))
        finding = doctor._cores()
        assert (finding.state, finding.limits) == (str(cores), limits)


def test_bytecode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "SAMPLE_LIBRARY", "sample")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert doctor._bytecode().limits
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert not doctor._bytecode().limits
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    py_compile.compile(str(tmp_path / "sample.py"))
    assert doctor._bytecode() == Finding("bytecode", "compiled")


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


CPU_FILES = [
    (doctor._governor, "cpu0/cpufreq/scaling_governor", "powersave", "performance"),
    (doctor._turbo, "intel_pstate/no_turbo", "0", "1"),
    (doctor._siblings, "smt/active", "1", "0"),
]


@pytest.mark.parametrize(("check", "name", "bad", "good"), CPU_FILES)
def test_cpu_settings(
    check: object, name: str, bad: str, good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(check)
    monkeypatch.setattr(doctor, "CPU", tmp_path)
    put(tmp_path, name, bad)
    assert check().limits
    put(tmp_path, name, good)
    assert not check().limits


def test_a_frequency_that_cannot_be_seen_is_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "CPU", tmp_path)
    finding = doctor._governor()
    assert finding.limits
    assert "not visible" in finding.state


def test_disk_space(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    for free, limits in ((4 * 10**9, True), (5 * 10**9, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, n=free: usage(0, 0, n))
        assert doctor._disk().limits == limits


def test_the_disk_of_the_corpora_is_looked_at_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which folder a user happens to be in says nothing about the data."""
    seen: list[Path] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pagecache, "resident_ratio", lambda path: seen.append(path) or 0.0)
    assert not doctor._eviction().limits
    assert [path.parent for path in seen] == [tmp_path / "cache" / "firstbyte"]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: seen.append(path) or usage(0, 0, 0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "there" / "yet"))
    assert doctor._disk().limits
    assert seen[1:] == [tmp_path]


def test_a_cache_that_cannot_be_written_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    finding = doctor._eviction()
    assert finding.limits
    assert finding.state == f"cannot be tried in {tmp_path}/file/firstbyte: Not a directory"


def test_the_toolchain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "install `cargo`" in doctor._rust().remedy
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert doctor._rust() == Finding("Rust toolchain", "present")


def test_a_page_cache_that_cannot_be_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecache, "evict", lambda path: None)
    finding = doctor._eviction()
    assert finding.limits
    assert finding.state == "100% of a file stays"


def test_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel keeps no pressure figures")
    monkeypatch.setattr(doctor, "BUSY_SHARE", -0.01)
    assert "something else is running" in doctor._load().remedy
    monkeypatch.setattr(doctor, "BUSY_SHARE", 1.01)
    assert not doctor._load().limits
