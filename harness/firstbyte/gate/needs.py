"""What the backends of a source are and need: libraries, native code, and imports that are those of today."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from firstbyte.engine.environments import Recipe, content_of, digest, without
from firstbyte.engine.registry import BackendInfo, read_backend
from firstbyte.gate.sources import SideError, Source

CONSTRAINTS = "constraints.txt"
_FORMER_IMPORT = re.compile(r"^\s*(?:from|import)\s+harness\b", re.MULTILINE)


def describe(roots: Sequence[Path]) -> dict[str, BackendInfo]:
    """Backends in the `backends` folders of those roots, the first of a name winning."""
    found: dict[str, BackendInfo] = {}
    for root in roots:
        for path in sorted(root.glob("backends/*/backend.toml")):
            info = read_backend(path.parent, f"firstbyte.backends.{path.parent.name}")
            found.setdefault(info.name, info)
    return found


def recipe(source: Source, backends: Sequence[str], requirements: Sequence[str]) -> Recipe:
    """What an environment needs that can run the source's chosen backends (all, for none).

    `requirements` are the user's own, before the source's locked versions.
    """
    return Recipe(
        [*_dependencies(source.folder, backends), *requirements],
        _constraints(source.folder, requirements),
        _native(source.folder, backends),
    )


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
