"""Imports the file of a plug-in, which may raise anything."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from firstbyte.errors import PluginError


def load(import_name: str, path: Path) -> ModuleType:
    """The module in that file. Raises PluginError where it cannot be imported."""
    try:
        return importlib.import_module(import_name)
    except Exception as error:
        raise PluginError(f"{path}: cannot be imported: {in_a_line(error)}") from error


def in_a_line(error: Exception) -> str:
    """Kind and message of an exception without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())
