"""Finds backends, scenarios and instruments in their folders; there is no central list.

A backend is a folder with a `backend.toml`; a scenario is a module file, and so is an instrument.
They are looked for in the project's own folders, in those named by `FIRSTBYTE_PLUGINS` (each with
`backends/`, `scenarios/` and `instruments/` inside), and behind installed entry points
(`firstbyte.backends`, `firstbyte.scenarios` and `firstbyte.instruments`, each the import name of a
package whose folder has the same form).
No backend is imported here: availability is read from installed metadata. Scenarios are: what they
may ask of a backend is what a backend may say that it can do.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from msgspec import Meta
from packaging.utils import canonicalize_name

from firstbyte import plugins
from firstbyte.api import (
    NORMALISED,
    Account,
    CertifyingScenario,
    Instrument,
    Metric,
    Purpose,
    ReadsInSpan,
    Scenario,
)
from firstbyte.contracts import ContractError, conform, read_toml, unknown
from firstbyte.engine import instrument_module, plugin_module, scenario_module
from firstbyte.errors import HarnessError, PluginError, UnknownNameError
from firstbyte.model import Subject

PLUGINS_VARIABLE = "FIRSTBYTE_PLUGINS"

ALL_CORES = "all"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to use a backend, as `[[variants]]` of its `backend.toml` states it."""

    name: str
    summary: str = ""
    default: bool = False
    best: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    """What goes to the module's `create(**options)`."""
    threads: Annotated[int, Meta(ge=1)] | Literal["all"] | None = None
    """Threads that may decode at once: a number, ALL_CORES, or None where it is not declared."""
    full_only: bool = False
    """Left to the full profile, unless a user names it."""

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class Description:
    """A `backend.toml`."""

    name: str
    language: str
    format: str
    summary: str
    module: str
    """File in the same folder that has `create(**options)`."""
    capabilities: tuple[str, ...]
    variants: tuple[Variant, ...]
    distribution: str | None = None
    install: str = "see its README.md"
    decoder: str | None = None
    """The code that decodes its format, if it may bear witness to what a file holds: backends that share one
    are one witness."""
    prepared_by: tuple[str, ...] | None = None
    """Options of its variants that decide what `prepare` writes; left out, all of them do."""

    normalised: Mapping[str, str] | None = None
    """Environment variables that put the allocator of the system in place of the library's own, or have it
    give back at once what is free. Empty for a library that uses the system's as shipped; None where there is
    no such switch, or nobody knows."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if sum(variant.default for variant in self.variants) != 1:
            raise ValueError("exactly one variant must say default = true")
        if len({variant.name for variant in self.variants}) != len(self.variants):
            raise ValueError("two variants have the same name")


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
    decoder: str | None = None
    """The code that decodes its format, where it may bear witness (`firstbyte.corpora.reference`)."""
    prepared_by: tuple[str, ...] | None = None
    """Options that decide what `prepare` writes; None for all."""

    @property
    def default(self) -> Variant:
        """The variant that is used where none is named."""
        return next(one for one in self.variants if one.default)

    normalised: Mapping[str, str] = field(default_factory=dict)
    """Variables of its workers where `pool=normalised`, where it has that capability."""

    def variant(self, name: str) -> Variant:
        """The variant of that name. Raises UnknownNameError."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise UnknownNameError(f"variant of {self.name}", name, [v.name for v in self.variants])

    @property
    def unavailable(self) -> str:
        """Why the backend cannot run in this interpreter, with the remedy; empty when it can."""
        return self.unavailable_in(_installed_here())

    def unavailable_in(self, installed: Iterable[str]) -> str:
        """The same for an interpreter with these distributions."""
        wanted = self.distribution
        if wanted is None or canonicalize_name(wanted) in map(canonicalize_name, installed):
            return ""
        return f"{wanted} is not installed: {self.install}"


@cache
def _installed_here() -> frozenset[str]:
    """Asked once: a plan asks for every cell, and the answer is read from files."""
    return frozenset(one.name for one in metadata.distributions() if one.name)


class Chosen(NamedTuple):
    """A backend with the variant of it that is used."""

    backend: BackendInfo
    variant: Variant

    @property
    def subject(self) -> Subject:
        return Subject(self.backend.name, self.variant.name)


@dataclass(frozen=True)
class PluginFile:
    """A plug-in that is one module file; it is imported once somebody asks for its module."""

    name: str
    path: Path
    import_name: str

    @property
    def doc(self) -> str:
        """Its docstring, without importing it."""
        return ast.get_docstring(_parsed(self.path)) or ""


@dataclass(frozen=True)
class InstrumentInfo(PluginFile):
    """An instrument's file."""

    @cached_property
    def module(self) -> Instrument:
        return instrument_module.load(self.import_name, self.path)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self.module.METRICS


@dataclass(frozen=True)
class ScenarioInfo(PluginFile):
    """A scenario's file, and the instruments that there are for it."""

    instruments: Mapping[str, InstrumentInfo] = field(default_factory=dict)

    @cached_property
    def module(self) -> Scenario:
        return scenario_module.load(self.import_name, self.path)

    def instrument(self, name: str) -> InstrumentInfo:
        """The instrument of that name. Raises PluginError where the scenario names one in vain."""
        if name not in self.instruments:
            known = ", ".join(sorted(self.instruments)) or "none found"
            raise PluginError(
                f"{self.path}: there is no instrument '{name}' for this scenario (known: {known})"
            )
        return self.instruments[name]

    @property
    def purpose(self) -> Purpose | None:
        """What the harness needs it for, if anything."""
        declared = getattr(self.module, "PURPOSE", None)
        return None if declared is None else Purpose(declared)

    @property
    def certifies(self) -> str:
        """The instrument that the scenario certifies (`api.CertifyingScenario`); empty for none."""
        instrument: str = getattr(self.module, "CERTIFIES", "")
        return instrument

    @property
    def needs_rows(self) -> bool:
        """Whether it says nothing of a corpus without rows."""
        stated: bool = getattr(self.module, "NEEDS_ROWS", False)
        return stated

    @property
    def reads(self) -> ReadsInSpan | None:
        """What its spans hold of the work on a shard; None where it does not say."""
        stated: ReadsInSpan | None = getattr(self.module, "READS", None)
        return stated

    def account(self, values: Mapping[str, float]) -> Account:
        """What a certifying scenario makes of a sample. Raises KeyError where a value is missing."""
        return cast(CertifyingScenario, self.module).account(values)

    @property
    def own_metrics(self) -> tuple[Metric, ...]:
        """What its file declares."""
        return self._of_whom(self.module.METRICS)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Its own figures, then those of its instruments; where both have one, its own stands."""
        found = {metric.name: metric for metric in self.own_metrics}
        for name in self.module.INSTRUMENTS:
            for metric in self._of_whom(self.instrument(name).metrics):
                found.setdefault(metric.name, metric)
        return tuple(found.values())

    def _of_whom(self, metrics: Iterable[Metric]) -> tuple[Metric, ...]:
        """The metrics; those of a scenario that certifies its instrument tell of that instrument."""
        if not self.certifies:
            return tuple(metrics)
        return tuple(replace(metric, better="", calibration=True) for metric in metrics)


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be run, by name."""

    backends: Mapping[str, BackendInfo] = field(default_factory=dict)
    scenarios: Mapping[str, ScenarioInfo] = field(default_factory=dict)
    instruments: Mapping[str, InstrumentInfo] = field(default_factory=dict)

    def backend(self, name: str) -> BackendInfo:
        """The backend of that name. Raises UnknownNameError."""
        if name not in self.backends:
            raise UnknownNameError("backend", name, self.backends)
        return self.backends[name]

    def variants(self, text: str) -> list[Chosen]:
        """The variant that `NAME:VARIANT` means, or all of `NAME`. Raises HarnessError."""
        wanted = Subject.parse(text)
        if wanted.environment:
            plain = Subject(wanted.backend, wanted.variant)
            raise HarnessError(f"'{text}' names an environment, which has no meaning here: {plain}")
        backend = self.backend(wanted.backend)
        chosen = [backend.variant(wanted.variant)] if wanted.variant else backend.variants
        return [Chosen(backend, variant) for variant in chosen]

    def scenario(self, name: str) -> ScenarioInfo:
        """The scenario of that name. Raises UnknownNameError."""
        if name not in self.scenarios:
            raise UnknownNameError("scenario", name, self.scenarios)
        return self.scenarios[name]

    def scenario_for(self, purpose: Purpose) -> ScenarioInfo:
        """The scenario that declares this purpose. Raises PluginError where none does."""
        for one in self.scenarios.values():
            if one.purpose is purpose:
                return one
        raise PluginError(f"no scenario says PURPOSE = '{purpose}'")


def discover() -> Catalogue:
    """Everything of the project, the plug-in folders and the entry points.

    Raises PluginError for a folder that describes itself wrongly, for two plug-ins of one name and
    for two scenarios of one purpose.
    """
    backends: dict[str, BackendInfo] = {}
    for folder, package in _backend_folders():
        info = read_backend(folder, package)
        if info.name in backends:
            raise PluginError(
                f"two backends are called '{info.name}': {backends[info.name].folder} and {folder}"
            )
        backends[info.name] = info
    instruments = {
        name: InstrumentInfo(name, path, module)
        for name, (path, module) in _plugin_files("instruments", _is_instrument).items()
    }
    scenarios = {
        name: ScenarioInfo(name, path, module, instruments)
        for name, (path, module) in _plugin_files("scenarios", lambda _: True).items()
    }
    _check_capabilities(backends.values(), scenarios.values())
    _check_figures(instruments.values(), scenarios.values())
    _check_purposes(scenarios.values())
    return Catalogue(dict(sorted(backends.items())), scenarios, instruments)


def _check_figures(
    instruments: Iterable[InstrumentInfo], scenarios: Iterable[ScenarioInfo]
) -> None:
    """Every instrument and scenario must say what its figures are, before anything is measured."""
    for instrument in instruments:
        _ = instrument.metrics
    for scenario in scenarios:
        _ = scenario.metrics


def _check_capabilities(backends: Iterable[BackendInfo], scenarios: Iterable[ScenarioInfo]) -> None:
    """A capability that no scenario asks for is a misspelt one: its cells would be skipped for good."""
    asked = frozenset().union(
        *(scenario_module.capabilities(one.module, one.path) for one in scenarios)
    )
    for backend in backends:
        for name in sorted(backend.capabilities - asked):
            raise PluginError(
                f"{backend.folder / 'backend.toml'}: {unknown('capability', name, sorted(asked))}"
            )


def _check_purposes(scenarios: Iterable[ScenarioInfo]) -> None:
    claimed: dict[Purpose, Path] = {}
    for one in scenarios:
        if one.purpose is None:
            continue
        other = claimed.setdefault(one.purpose, one.path)
        if other != one.path:
            raise PluginError(
                f"two scenarios say PURPOSE = '{one.purpose}', one may: {other} and {one.path}"
            )


def read_backend(folder: Path, package: str) -> BackendInfo:
    """The description in `folder/backend.toml`, the folder being importable as `package`.

    Raises PluginError that names the file and the key."""
    path = folder / "backend.toml"
    try:
        said = conform(read_toml(path), Description)
    except (OSError, ContractError) as error:
        raise PluginError(f"{path}: {error}") from error
    module = folder / said.module
    if not module.is_file() or module.parent != folder or module.suffix != ".py":
        raise PluginError(f"{path}: module '{said.module}' is not a Python file of this folder")
    if "." in folder.name or folder.name.startswith("__"):
        raise PluginError(f"{path}: a folder of the name '{folder.name}' cannot be imported")
    return BackendInfo(
        name=said.name,
        language=said.language,
        format=said.format,
        summary=said.summary,
        folder=folder,
        module=f"{package}.{Path(said.module).stem}",
        distribution=said.distribution,
        install=said.install,
        capabilities=frozenset(said.capabilities)
        | ({NORMALISED} if said.normalised is not None else set()),
        variants=said.variants,
        decoder=said.decoder,
        prepared_by=said.prepared_by,
        normalised=said.normalised or {},
    )


def _check_name(name: str) -> None:
    """What separates the parts of a cell's key and of a folder's path cannot be in a name."""
    if not name or any(mark in name for mark in "/:@,"):
        problem = "may not contain any of / : @ ," if name else "is empty"
        raise ValueError(f"the name '{name}' {problem}")


def plugin_roots() -> tuple[Path, ...]:
    """The folders that `FIRSTBYTE_PLUGINS` names, each once, mounted: a worker needs them as well.

    Raises PluginError where one is not a folder, or has no folder in which plug-ins are looked for.
    """
    roots: list[Path] = []
    for entry in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep):
        if entry:
            root = Path(entry).resolve()
            if not root.is_dir():
                raise PluginError(f"{PLUGINS_VARIABLE} names '{entry}', which is not a folder")
            if not any((root / kind).is_dir() for kind in plugins.PACKAGES):
                kinds = ", ".join(plugins.PACKAGES)
                raise PluginError(
                    f"{PLUGINS_VARIABLE} names '{entry}', which holds none of the folders {kinds}"
                )
            if root not in (*roots, plugins.own_root()):
                roots.append(root)
    plugins.mount(roots)
    return tuple(roots)


def _entry_point_packages(group: str) -> Iterator[tuple[Path, str]]:
    for point in metadata.entry_points(group=group):
        try:
            spec = importlib.util.find_spec(point.value)
        except (
            Exception
        ) as error:  # it imports what is around the package, which may raise anything
            reason = plugin_module.in_a_line(error)
            raise PluginError(
                f"entry point {group}:{point.name} names '{point.value}': {reason}"
            ) from error
        if spec is None or spec.origin is None:
            raise PluginError(f"entry point {group}:{point.name} names '{point.value}': not found")
        yield Path(spec.origin).parent, point.value


def _backend_folders() -> Iterator[tuple[Path, str]]:
    for root in (plugins.own_root(), *plugin_roots()):
        for path in sorted(root.glob("backends/*/backend.toml")):
            yield path.parent, f"firstbyte.backends.{path.parent.name}"
    yield from _entry_point_packages("firstbyte.backends")


def _plugin_files(kind: str, wanted: Callable[[Path], bool]) -> dict[str, tuple[Path, str]]:
    """Name -> (file, import name) of the plug-ins of a kind whose plug-ins are files, by name.

    Raises PluginError for two of one name.
    """
    package = plugins.PACKAGES[kind]
    own = plugins.own_folder(kind)
    folders = [(own, package), *((root / kind, package) for root in plugin_roots())]
    folders.extend(_entry_point_packages(f"firstbyte.{kind}"))
    found: dict[str, tuple[Path, str]] = {}
    for folder, name in folders:
        for path in sorted(folder.glob("[!_]*.py")):
            if not wanted(path):
                continue
            if path.stem in found:
                raise PluginError(
                    f"two {kind} are called '{path.stem}': {found[path.stem][0]} and {path}"
                )
            found[path.stem] = (path, f"{name}.{path.stem}")
    return dict(sorted(found.items()))


def _is_instrument(path: Path) -> bool:
    """Whether the file has a `Probe`, of its own or another's; instruments' helpers have none."""
    return any(
        (isinstance(node, ast.ClassDef) and node.name == "Probe")
        or (isinstance(node, ast.ImportFrom) and "Probe" in {name.name for name in node.names})
        for node in _parsed(path).body
    )


def _parsed(path: Path) -> ast.Module:
    """Raises PluginError for a file that is not Python."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{path}: {error}") from error
