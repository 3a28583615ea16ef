"""Finds backends and scenarios in their folders; there is no central list.

A backend is a folder with a `backend.toml`; a scenario is a module file. They are looked for in the
project's own `backends/` and `scenarios/`, in the folders named by `FIRSTBYTE_PLUGINS` (each with
`backends/` and `scenarios/` inside), and behind installed entry points (`firstbyte.backends` and
`firstbyte.scenarios`, each the import name of a package whose folder has the same form).
No backend is imported here: availability is read from installed metadata.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from firstbyte import plugins
from firstbyte.api import Metric, Scenario
from firstbyte.errors import PluginError, UnknownNameError

PLUGINS_VARIABLE = "FIRSTBYTE_PLUGINS"

ALL_CORES = "all"

_BACKEND_KEYS = {"name", "language", "format", "summary", "module", "capabilities", "variants"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to use a backend; `options` go to the module's `create(**options)`."""

    name: str
    summary: str
    default: bool
    best: bool
    options: Mapping[str, Any]
    threads: int | str | None = None
    """Threads that may decode at once: a number, ALL_CORES, or None where it is not declared."""
    full_only: bool = False
    """Left to the full profile, unless a user names it."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What a backend's folder says about itself."""

    name: str
    language: str
    format: str
    summary: str
    folder: Path
    module: str
    """Import name of the module that has `create(**options)`."""
    distribution: str | None
    install: str
    capabilities: frozenset[str]
    variants: tuple[Variant, ...]

    def variant(self, name: str) -> Variant:
        """The variant of that name. Raises UnknownNameError."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise UnknownNameError(f"variant of {self.name}", name, [v.name for v in self.variants])

    @property
    def unavailable(self) -> str:
        """Why the backend cannot run in this interpreter, with the remedy; empty when it can."""
        if self.distribution is None:
            return ""
        try:
            metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return f"{self.distribution} is not installed: {self.install}"
        return ""


@dataclass(frozen=True)
class ScenarioInfo:
    """A scenario's file, and its module once somebody asks for it."""

    name: str
    path: Path
    import_name: str

    @cached_property
    def module(self) -> Scenario:
        return cast(Scenario, importlib.import_module(self.import_name))

    @property
    def doc(self) -> str:
        return ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self.module.METRICS


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be run, by name."""

    backends: Mapping[str, BackendInfo] = field(default_factory=dict)
    scenarios: Mapping[str, ScenarioInfo] = field(default_factory=dict)

    def backend(self, name: str) -> BackendInfo:
        """The backend of that name. Raises UnknownNameError."""
        if name not in self.backends:
            raise UnknownNameError("backend", name, self.backends)
        return self.backends[name]

    def scenario(self, name: str) -> ScenarioInfo:
        """The scenario of that name. Raises UnknownNameError."""
        if name not in self.scenarios:
            raise UnknownNameError("scenario", name, self.scenarios)
        return self.scenarios[name]


def discover() -> Catalogue:
    """All backends and scenarios of the project, the plug-in folders and the entry points.

    Raises PluginError for a folder that describes itself wrongly and for two plug-ins of one name.
    """
    backends: dict[str, BackendInfo] = {}
    scenarios: dict[str, ScenarioInfo] = {}
    for folder, package in _backend_folders():
        info = read_backend(folder, package)
        if info.name in backends:
            raise PluginError(
                f"two backends are called '{info.name}': {backends[info.name].folder} and {folder}"
            )
        backends[info.name] = info
    for path, package in _scenario_files():
        if path.stem in scenarios:
            raise PluginError(
                f"two scenarios are called '{path.stem}': {scenarios[path.stem].path} and {path}"
            )
        scenarios[path.stem] = ScenarioInfo(path.stem, path, f"{package}.{path.stem}")
    return Catalogue(dict(sorted(backends.items())), dict(sorted(scenarios.items())))


def read_backend(folder: Path, package: str) -> BackendInfo:
    """The description in `folder/backend.toml`, the folder being importable as `package`.

    Raises PluginError that names the file and the key."""
    path = folder / "backend.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PluginError(f"{path}: {error}") from error
    if missing := sorted(_BACKEND_KEYS - raw.keys()):
        raise PluginError(f"{path}: missing {', '.join(missing)}")
    _check_name(path, raw["name"])
    variants = tuple(_read_variant(path, entry) for entry in raw["variants"])
    if sum(variant.default for variant in variants) != 1:
        raise PluginError(f"{path}: exactly one variant must say default = true")
    if len({variant.name for variant in variants}) != len(variants):
        raise PluginError(f"{path}: two variants have the same name")
    if not (folder / raw["module"]).is_file():
        raise PluginError(f"{path}: module '{raw['module']}' is not a file of this folder")
    return BackendInfo(
        name=raw["name"],
        language=raw["language"],
        format=raw["format"],
        summary=raw["summary"],
        folder=folder,
        module=f"{package}.{Path(raw['module']).stem}",
        distribution=raw.get("distribution"),
        install=raw.get("install", "see its README.md"),
        capabilities=frozenset(raw["capabilities"]),
        variants=variants,
    )


def _check_name(path: Path, name: str) -> None:
    """What separates the parts of a cell's key and of a folder's path cannot be in a name."""
    if not name or any(mark in name for mark in "/:@,"):
        problem = "may not contain any of / : @ ," if name else "is empty"
        raise PluginError(f"{path}: the name '{name}' {problem}")


def _read_variant(path: Path, raw: Mapping[str, Any]) -> Variant:
    if "name" not in raw:
        raise PluginError(f"{path}: a variant has no name")
    _check_name(path, raw["name"])
    return Variant(
        name=raw["name"],
        summary=raw.get("summary", ""),
        default=raw.get("default", False),
        best=raw.get("best", False),
        options=dict(raw.get("options", {})),
        threads=_threads(path, raw),
        full_only=raw.get("full_only", False),
    )


def _threads(path: Path, raw: Mapping[str, Any]) -> int | str | None:
    threads: int | str | None = raw.get("threads")
    if threads in (None, ALL_CORES) or (type(threads) is int and threads >= 1):
        return threads
    raise PluginError(
        f"{path}: variant '{raw['name']}' has threads = {threads!r};"
        f' it must be a whole number from 1, or "{ALL_CORES}"'
    )


def plugin_roots() -> tuple[Path, ...]:
    """The folders that `FIRSTBYTE_PLUGINS` names, mounted: a worker needs them as well.

    Raises PluginError where one is not a folder.
    """
    roots = []
    for entry in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep):
        if entry:
            root = Path(entry).resolve()
            if not root.is_dir():
                raise PluginError(f"{PLUGINS_VARIABLE} names '{entry}', which is not a folder")
            roots.append(root)
    plugins.mount(roots)
    return tuple(roots)


def _entry_point_packages(group: str) -> Iterator[tuple[Path, str]]:
    for point in metadata.entry_points(group=group):
        spec = importlib.util.find_spec(point.value)
        if spec is None or spec.origin is None:
            raise PluginError(f"entry point {group}:{point.name} names '{point.value}': not found")
        yield Path(spec.origin).parent, point.value


def _backend_folders() -> Iterator[tuple[Path, str]]:
    for root in (plugins.own_root(), *plugin_roots()):
        for path in sorted(root.glob("backends/*/backend.toml")):
            yield path.parent, f"firstbyte.backends.{path.parent.name}"
    yield from _entry_point_packages("firstbyte.backends")


def _scenario_files() -> Iterator[tuple[Path, str]]:
    roots = (plugins.own_root(), *plugin_roots())
    folders = [(root / "scenarios", "firstbyte.scenarios") for root in roots]
    folders.extend(_entry_point_packages("firstbyte.scenarios"))
    for folder, package in folders:
        for path in sorted(folder.glob("*.py")):
            if not path.stem.startswith("_"):
                yield path, package


def instruments() -> dict[str, str]:
    """Name -> docstring of every instrument, that is every file with a `Probe`; none is imported."""
    folder = plugins.PACKAGE / "worker" / "instruments"
    trees = {
        path.stem: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[!_]*.py"))
    }
    return {
        name: ast.get_docstring(tree) or ""
        for name, tree in trees.items()
        if any(isinstance(node, ast.ClassDef) and node.name == "Probe" for node in tree.body)
    }
