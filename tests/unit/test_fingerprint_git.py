"""A run names the commit of the harness that made it, and nobody else's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from firstbyte import plugins
from firstbyte.engine import fingerprint


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit and a folder in it."""
    folder = tmp_path / "repository"
    (folder / "inside").mkdir(parents=True)
    (folder / "file").touch()
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("add", "--all"), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def test_a_checkout_is_named_by_its_commit(repository: Path) -> None:
    made = fingerprint.git(repository)
    assert len(made["commit"]) == 40
    assert made["dirty"] == "no"
    (repository / "other").touch()
    assert fingerprint.git(repository) == {"commit": made["commit"], "dirty": "yes"}


def test_a_repository_around_is_not_ours(repository: Path, tmp_path: Path) -> None:
    assert fingerprint.git(repository / "inside") == {}
    assert fingerprint.git(tmp_path) == {}
    assert fingerprint.git(None) == {}


def test_a_hook_of_another_repository_does_not_lend_its_commit(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    bare = tmp_path / "bare"
    bare.mkdir()
    assert fingerprint.git(bare) == {}


def test_an_installed_package_has_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one whose files were put into a project with folders of our names."""
    for name in ("backends", "scenarios"):
        (tmp_path / name).mkdir()
    assert plugins.checkout() is not None
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path / "vendor" / "firstbyte")
    assert plugins.checkout() is None
    assert plugins.own_root() == tmp_path / "vendor" / "firstbyte"
