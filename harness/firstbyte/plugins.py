"""Where backends and scenarios are looked for, and the two packages under which they are imported.

`firstbyte.backends` and `firstbyte.scenarios` span several folders: the project's own (beside this
package in a wheel, at the top of the checkout otherwise), then `backends/` and `scenarios/` of every
plug-in root. Nothing but `firstbyte` has to be on the import path, so that a `backends` of somebody
else's cannot get in the way. Standard library only: workers import this before they import a backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
KINDS = ("backends", "scenarios")


def checkout() -> Path | None:
    """The top of the checkout that this package is imported from; None for an installed one.

    An installed package may lie below folders of any name, such as a plug-in root of the user's.
    """
    top = PACKAGE.parent.parent
    here = PACKAGE.parent.name == "harness" and all((top / kind).is_dir() for kind in KINDS)
    return top if here else None


def own_root() -> Path:
    """The folder that holds the project's own `backends/` and `scenarios/`."""
    return checkout() or PACKAGE


def search_path(kind: str) -> list[str]:
    """Folders of `firstbyte.<kind>` before any plug-in root is mounted."""
    return list(dict.fromkeys((str(PACKAGE / kind), str(own_root() / kind))))


def mount(roots: Iterable[Path | str]) -> None:
    """Make `backends/` and `scenarios/` of these folders importable, behind those already there."""
    for kind in KINDS:
        package = importlib.import_module(f"firstbyte.{kind}")
        for root in roots:
            folder = str(Path(root) / kind)
            if folder not in package.__path__:
                package.__path__.append(folder)
