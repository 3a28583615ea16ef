"""Environments: interpreters with libraries of their own, the second half of `backend@environment`.

An environment is built once for each recipe and kept in the cache under what decides its content, so
that who asks for the same libraries gets the same folder, down to the paths in it. uv builds it where
it is installed, venv and pip where it is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from firstbyte import outside
from firstbyte.corpora.cache import locked
from firstbyte.errors import HarnessError
from firstbyte.say import Say

_COMPLETE = ".complete"
_CONSTRAINTS = "constraints.txt"
_DESCRIBE = (
    "import json; from importlib import metadata as m;"
    "print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class InstallError(HarnessError):
    """An environment cannot be built or asked."""

    exit_code = 15


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment of the running interpreter's version is made of."""

    requirements: Sequence[str]
    """As pip takes them."""
    constraints: Sequence[str] = ()
    """Versions that hold for what the requirements bring along."""
    projects: Sequence[Path] = ()
    """Folders of distributions that are built and installed as a release would be."""

    def key(self, tool: str) -> str:
        """Names what decides the content."""
        return digest(
            [
                *(sys.version, str(Path(sys.executable).resolve()), tool),
                *(list(self.requirements), list(self.constraints)),
                [content_of(folder) for folder in self.projects],
            ]
        )


@dataclass(frozen=True, slots=True)
class Environments:
    """The environments that are kept in a folder."""

    cache: Path
    say: Say

    def python(self, recipe: Recipe, label: str) -> str:
        """The interpreter of an environment, built if it is not there yet; `label` is for messages.

        Raises InstallError where it cannot be.
        """
        uv = shutil.which("uv")
        if uv is None:
            return self._kept(recipe, label, "pip", None)
        try:
            return self._kept(recipe, label, "uv", uv)
        except InstallError as error:
            # Their indexes are configured in different places.
            self.say(f"uv cannot install {label}, pip is tried instead: {error}")
            return self._kept(recipe, label, "pip", None)

    def _kept(self, recipe: Recipe, label: str, tool: str, uv: str | None) -> str:
        key = recipe.key(tool)
        folder = self.cache / key
        with locked(self.cache, key, lambda: self.say("waiting for its builder")):
            if not (folder / _COMPLETE).exists():
                self.say(f"installing {label}")
                self._build(recipe, folder, uv)
                (folder / _COMPLETE).touch()
        return str(folder / "bin" / "python")

    def _build(self, recipe: Recipe, folder: Path, uv: str | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        python = str(folder / "bin" / "python")
        environ = {**os.environ, "CARGO_TARGET_DIR": str(self.cache.parent / "cargo-target")}
        environ.pop("PYTHONPATH", None)
        if uv is None:
            venv.create(folder, with_pip=True, symlinks=True)
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        else:
            _run([uv, "venv", "--quiet", f"--python={sys.executable}", str(folder)], environ)
            # As pip leaves it: files of its own, and compiled, or every worker compiles what it imports.
            install = [uv, "pip", "install", "--quiet", f"--python={python}"]
            install += ["--link-mode=copy", "--compile-bytecode"]
        constraints = folder / _CONSTRAINTS
        constraints.write_text("\n".join(recipe.constraints) + "\n", encoding="utf-8")
        install += ["-c", str(constraints)]
        if recipe.requirements:
            _run([*install, *recipe.requirements], environ)
        for project in recipe.projects:
            _run([*install, str(project)], environ)


def installed(python: str) -> dict[str, str]:
    """Distribution -> version of an interpreter. Raises InstallError where it cannot be asked."""
    versions: dict[str, str] = json.loads(_run([python, "-P", "-c", _DESCRIBE]))
    return versions


def version_differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Distributions that differ between two interpreters, as `name 1 -> 2`."""
    names = sorted({*before, *after}, key=str.lower)
    return [
        f"{name} {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def distribution(requirement: str) -> str:
    """Normalised name of the distribution that a requirement names; empty for a path or an address."""
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def without(constraints: Iterable[str], requirements: Iterable[str]) -> list[str]:
    """Constraints but for the distributions that are required by name."""
    asked = {distribution(requirement) for requirement in requirements}
    lines = (line.split("#")[0].strip() for line in constraints)
    return [line for line in lines if line and distribution(line) not in asked - {""}]


def content_of(folder: Path) -> str:
    """Names the content of all files in a folder, but for bytecode: whoever imports them leaves some."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    )
    contents = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    names = (str(path.relative_to(folder)) for path in files)
    return digest(list(zip(names, contents, strict=True)))


def digest(parts: object) -> str:
    """A short name for what survives JSON."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    return outside.run(command, error=InstallError, env=env)
