"""Sources of a gate: trees of a git repository, exported into folders that are named by their content.

They are exported with `git archive`, so nothing is registered in the repository, an unchanged side is never
built twice, and both sides have paths of the same length (which moves the environment block, and with it
timings).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbyte import outside
from firstbyte.corpora.cache import locked
from firstbyte.errors import HarnessError

WORKING_TREE = "working tree"
_COMPLETE = ".complete"


class SideError(HarnessError):
    """A side cannot be exported or installed."""

    exit_code = 15


@dataclass(frozen=True, slots=True)
class Source:
    """A tree of the repository, exported."""

    label: str
    tree: str
    folder: Path


def repository(folder: Path) -> Path:
    """Root of the git checkout around `folder`. Raises SideError where there is none."""
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel"))
    except SideError as error:
        raise SideError(
            f"{folder} is in no git checkout, whose revisions could be compared: {error}"
        ) from error


def export(repo: Path, revision: str, cache: Path) -> Source:
    """The sources of a revision, or of the working tree with everything that git would add.

    Raises SideError for an unknown revision.
    """
    if revision == WORKING_TREE:
        tree, label = _snapshot(repo), WORKING_TREE
    else:
        commit = _commit(repo, revision)
        tree = _git(repo, "rev-parse", f"{commit}^{{tree}}")
        label = f"{revision} ({commit[:10]})"
    folder = cache / "sources" / tree
    with locked(cache / "sources", tree, _nothing):
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with tempfile.TemporaryFile() as archive:
                command = ["git", "-C", str(repo), "archive", "--format=tar", tree]
                outside.run(command, error=SideError, stdout=archive)
                archive.seek(0)
                with tarfile.open(fileobj=archive) as tar:
                    # As a checkout would be: links that lead out of it are a matter of who made them.
                    tar.extractall(folder, filter="tar")
            (folder / _COMPLETE).touch()
    return Source(label, tree, folder)


def _commit(repo: Path, revision: str) -> str:
    command = ["git", "-C", str(repo), "rev-parse", "--verify", "--end-of-options"]
    done = subprocess.run(
        [*command, f"{revision}^{{commit}}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SideError(
            f"no revision '{revision}' in {repo} (a shallow clone has few: fetch it first, such as"
            " with `git fetch --depth=1 origin main`, or with fetch-depth: 0 in CI)"
        )
    return done.stdout.strip().splitlines()[-1]


def _snapshot(repo: Path) -> str:
    """Tree of the working tree: made with an index of its own, so the user's stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        own = Path(_git(repo, "rev-parse", "--absolute-git-dir")) / "index"
        if own.exists():
            shutil.copyfile(own, index)
        environ = {**os.environ, "GIT_INDEX_FILE": str(index)}
        _git(repo, "add", "--all", env=environ)
        return _git(repo, "write-tree", env=environ)


def _git(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    return outside.run(["git", "-C", str(folder), *words], error=SideError, env=env).strip()


def _nothing() -> None:
    pass
