"""Where plug-ins are looked for, and the packages under which they are imported.

`firstbyte.backends` and `firstbyte.scenarios` span several folders: the project's own (beside this
package in a wheel, at the top of the checkout otherwise), then `backends/` and `scenarios/` of every
plug-in root. `firstbyte.worker.instruments` is continued by their `instruments/`. Nothing but
`firstbyte` has to be on the import path, so that a `backends` of somebody else's cannot get in the way.
Standard library only: workers import this before they import a backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
PACKAGES = {
    "backends": "firstbyte.backends",
    "scenarios": "firstbyte.scenarios",
    "instruments": "firstbyte.worker.instruments",
}
"""Folder of a plug-in root -> the package that its content is imported under."""
AT_THE_TOP = ("backends", "scenarios")
"""Those that lie at the top of a checkout."""


def checkout() -> Path | None:
    """The top of the checkout that this package is imported from; None for an installed one.

    An installed package may lie below folders of any name, such as a plug-in root of the user's.
    """
    top = PACKAGE.parent.parent
    here = PACKAGE.parent.name == "harness" and all((top / kind).is_dir() for kind in AT_THE_TOP)
    return top if here else None


def own_root() -> Path:
    """The folder that holds the project's own `backends/` and `scenarios/`."""
    return checkout() or PACKAGE


def own_folder(kind: str) -> Path:
    """The folder of the project's own plug-ins of that kind."""
    return own_root() / kind if kind in AT_THE_TOP else _inside(kind)


def search_path(kind: str) -> list[str]:
    """Folders of the kind's package before any plug-in root is mounted."""
    return list(dict.fromkeys((str(_inside(kind)), str(own_folder(kind)))))


def _inside(kind: str) -> Path:
    return PACKAGE.joinpath(*PACKAGES[kind].split(".")[1:])


def mount(roots: Iterable[Path | str]) -> None:
    """Make the plug-ins in these folders importable, behind those that are already there."""
    for kind, name in PACKAGES.items():
        package = importlib.import_module(name)
        for root in roots:
            folder = str(Path(root) / kind)
            if folder not in package.__path__:
                package.__path__.append(folder)
