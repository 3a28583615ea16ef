"""The two sides of a gate: sources, and an interpreter with the libraries that they need.

Both sides are measured with the same ruler: `firstbyte` and the scenarios come from the running program,
backends from the side's own sources, libraries from the side's own virtual environment.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstbyte import outside
from firstbyte.engine.environments import Environments, digest, installed
from firstbyte.engine.registry import BackendInfo
from firstbyte.gate.needs import describe, recipe
from firstbyte.gate.sources import SideError, Source
from firstbyte.model import Environment
from firstbyte.plugins import PACKAGE, own_root

RULER_LIFE_SECONDS = 86_400.0


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
    command = [python, "-m", "compileall", "-q", str(ruler), str(source.folder / "backends")]
    outside.run(command, error=SideError)
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
    rulers = cache / "rulers"
    rulers.mkdir(parents=True, exist_ok=True)
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
        needed = recipe(source, backends, requirements)
        return self.environments.python(needed, source.label)
