"""Imports the file of a plug-in, which may raise anything."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from firstbyte.errors import PluginError


def load(import_name: str, path: Path) -> ModuleType:
    """The module in that file. Raises PluginError where it cannot be imported."""
    try:
        return importlib.import_module(import_name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{path}: cannot be imported: {in_a_line(error)}") from error


def refuse_misspelt(module: ModuleType, path: Path, known: Iterable[str]) -> None:
    """Raise PluginError for a name that nobody reads and that is nearly a known one that is not there.

    A module may have names of its own, so one is only taken for a misspelt one where it is near.
    """
    absent = [name for name in known if not hasattr(module, name)]
    for name in vars(module):
        if near := get_close_matches(name, absent, n=1, cutoff=0.8):
            raise PluginError(f"{path}: nobody reads '{name}'; did you mean '{near[0]}'?")


def in_a_line(error: BaseException) -> str:
    """Kind and message of an exception without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())
