"""The two sides of a gate: sources exported from git, and an interpreter with its dependencies.

Both sides are measured with the same ruler: `firstbyte` and the scenarios come from the running program,
backends from the side's own sources, libraries from the side's own virtual environment. Sources are
exported with `git archive` into folders named by their content, so nothing is registered in the
repository, an unchanged side is never built twice, and both sides have paths of the same length
(which moves the environment block, and with it timings).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstbyte import outside
from firstbyte.corpora.cache import locked
from firstbyte.engine.environments import (
    Environments,
    Recipe,
    content_of,
    digest,
    installed,
    without,
)
from firstbyte.engine.registry import BackendInfo, read_backend
from firstbyte.errors import HarnessError
from firstbyte.model import Environment
from firstbyte.plugins import PACKAGE, own_root

WORKING_TREE = "working tree"
CONSTRAINTS = "constraints.txt"
_COMPLETE = ".complete"
RULER_LIFE_SECONDS = 86_400.0
_FORMER_IMPORT = re.compile(r"^\s*(?:from|import)\s+harness\b", re.MULTILINE)


class SideError(HarnessError):
    """A side cannot be exported or installed."""

    exit_code = 15


@dataclass(frozen=True, slots=True)
class Source:
    """A tree of the repository, exported."""

    label: str
    tree: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared: sources, and an interpreter with the libraries they need."""

    label: str
    environment: Environment
    roots: tuple[Path, ...]
    """Folders whose `backends/` the workers mount: the side's sources, then plug-ins."""
    backends: Mapping[str, BackendInfo]
    versions: Mapping[str, str]
    """Installed distributions of the side's interpreter."""
    key: str
    """Names what the side is made of; prepared corpora are kept apart by it."""


Installer = Callable[[Source, Sequence[str], Sequence[str]], str]
"""(source, chosen backends, extra requirements) -> interpreter that can run the source's backends."""


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
                _run(["git", "-C", str(repo), "archive", "--format=tar", tree], stdout=archive)
                archive.seek(0)
                with tarfile.open(fileobj=archive) as tar:
                    # As a checkout would be: links that lead out of it are a matter of who made them.
                    tar.extractall(folder, filter="tar")
            (folder / _COMPLETE).touch()
    return Source(label, tree, folder)


def make_side(
    name: str,
    source: Source,
    backends: Sequence[str],
    *,
    installer: Installer,
    ruler: Path,
    plugins: Sequence[Path],
    requirements: Sequence[str] = (),
) -> Side:
    """Install a source and describe the result. `name` is `base` or `head`.

    `backends` are the chosen ones by name; none means all of the source.
    Raises SideError where installing fails.
    """
    python = installer(source, backends, requirements)
    # Whether workers may write bytecode is the user's setting; neither side should pay for it.
    _run([python, "-m", "compileall", "-q", str(ruler), str(source.folder / "backends")])
    label = " with ".join((source.label, ", ".join(requirements))) if requirements else source.label
    return Side(
        label=label,
        environment=Environment(name, python, str(ruler)),
        roots=(source.folder, *plugins),
        backends=describe((source.folder, *plugins)),
        versions=installed(python),
        key=f"{source.tree[:16]}-{digest([python])[:8]}",
    )


def make_ruler(cache: Path) -> Path:
    """A copy of the running `firstbyte`, with its scenarios inside, for the workers of both sides.

    A copy, so that an edit made while the gate runs cannot reach one side only. Without the backends that
    an installed package has inside: they would be measured in place of the sides' own.
    """
    rulers = _made(cache / "rulers")
    for old in rulers.iterdir():  # left by gates that were killed
        if old.stat().st_mtime < time.time() - RULER_LIFE_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    ruler = Path(tempfile.mkdtemp(dir=rulers))

    def unwanted(folder: str, names: list[str]) -> set[str]:
        own = set(names) - {"__init__.py"} if Path(folder) == PACKAGE / "backends" else set()
        return own | {"__pycache__"}

    package = shutil.copytree(PACKAGE, ruler / PACKAGE.name, ignore=unwanted)
    for scenario in sorted((own_root() / "scenarios").glob("[!_]*.py")):
        shutil.copy(scenario, package / "scenarios" / scenario.name)
    return ruler


def this_interpreter(source: Source, backends: Sequence[str], requirements: Sequence[str]) -> str:
    """An installer that installs nothing: for sides that differ in Python sources only."""
    if requirements:
        raise SideError(
            "--reuse-environment cannot install anything; leave out --base-env/--head-env"
        )
    return sys.executable


@dataclass(frozen=True, slots=True)
class VirtualEnvironments:
    """Installs into environments that are kept, by what decides their content.

    Sides with the same dependencies and the same native code share one, so that not even the paths of
    their libraries differ.
    """

    environments: Environments

    def __call__(self, source: Source, backends: Sequence[str], requirements: Sequence[str]) -> str:
        recipe = Recipe(
            [*_dependencies(source.folder, backends), *requirements],
            _constraints(source.folder, requirements),
            _native(source.folder, backends),
        )
        return self.environments.python(recipe, source.label)


def require_same_environment(base: Source, head: Source, backends: Sequence[str]) -> None:
    """Raise SideError where the chosen backends differ in more than Python sources."""
    for name in ("dependencies", "native code"):
        before, after = (_decides(source.folder, name, backends) for source in (base, head))
        if before != after:
            raise SideError(
                f"--reuse-environment: {base.label} and {head.label} differ in {name}; "
                "leave the option out, so that each side gets an environment of its own"
            )


def require_current_imports(source: Source, backends: Sequence[str]) -> None:
    """Raise SideError where the chosen backends import this package under its former name."""
    for name in backends:
        for path in sorted((source.folder / "backends" / name).glob("**/*.py")):
            if _FORMER_IMPORT.search(path.read_text(encoding="utf-8", errors="replace")):
                raise SideError(
                    f"{source.label}: {path.relative_to(source.folder)} imports `harness`, which is called "
                    "`firstbyte` now; choose a revision after that change"
                )


def sources_key(root: Path) -> str:
    """Names the Python sources of the backends in a checkout, for what is prepared with them."""
    files = sorted(
        path
        for folder in root.glob("backends/*")
        for path in folder.rglob("*.py")
        if "target" not in path.parts
    )
    return digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])


def _decides(folder: Path, name: str, backends: Sequence[str]) -> list[str]:
    if name == "dependencies":
        return _dependencies(folder, backends)
    return [content_of(crate) for crate in _native(folder, backends)]


def describe(roots: Sequence[Path]) -> dict[str, BackendInfo]:
    """Backends in the `backends` folders of those roots, the first of a name winning."""
    found: dict[str, BackendInfo] = {}
    for root in roots:
        for path in sorted(root.glob("backends/*/backend.toml")):
            info = read_backend(path.parent, f"firstbyte.backends.{path.parent.name}")
            found.setdefault(info.name, info)
    return found


def _dependencies(folder: Path, backends: Sequence[str]) -> list[str]:
    """What the project and the extras of the chosen backends (all, for none) require."""
    path = folder / "pyproject.toml"
    if not path.exists():
        return []
    project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    extras: Mapping[str, list[str]] = project.get("optional-dependencies", {})
    names = set(describe([folder])) if not backends else set(backends)
    chosen = [line for extra, lines in extras.items() if extra in names for line in lines]
    return sorted({*project.get("dependencies", ()), *chosen})


def _constraints(folder: Path, requirements: Sequence[str]) -> list[str]:
    """The source's locked versions, but for the libraries that the user asked for by name."""
    path = folder / CONSTRAINTS
    if not path.exists():
        return []
    return without(path.read_text(encoding="utf-8").splitlines(), requirements)


def _native(folder: Path, backends: Sequence[str]) -> list[Path]:
    """Folders of the chosen backends that are distributions of their own, to be built."""
    described = describe([folder])
    chosen = [info for name, info in described.items() if not backends or name in backends]
    return [info.folder for info in chosen if (info.folder / "pyproject.toml").exists()]


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
    return _run(["git", "-C", str(folder), *words], env=env).strip()


def _run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: object = subprocess.PIPE,
) -> str:
    return outside.run(command, error=SideError, env=env, stdout=stdout)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _nothing() -> None:
    pass
