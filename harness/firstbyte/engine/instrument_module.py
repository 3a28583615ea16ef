"""An instrument's file as a module: imported, and held against `firstbyte.api.Instrument`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from firstbyte.api import Instrument, Metric
from firstbyte.engine import plugin_module
from firstbyte.errors import PluginError


def load(import_name: str, path: Path) -> Instrument:
    """The module in that file. Raises PluginError where it fails or lacks what an instrument has."""
    module = plugin_module.load(import_name, path)
    plugin_module.refuse_misspelt(module, path, ("Probe", "METRICS", "Observer", "POLL_SECONDS"))
    if not callable(getattr(module, "Probe", None)):
        raise PluginError(f"{path}: missing the class Probe")
    metrics = getattr(module, "METRICS", None)
    if not isinstance(metrics, tuple) or not all(isinstance(one, Metric) for one in metrics):
        raise PluginError(f"{path}: METRICS must be a tuple of firstbyte.api.Metric")
    if hasattr(module, "Observer") and not isinstance(
        getattr(module, "POLL_SECONDS", None), int | float
    ):
        raise PluginError(f"{path}: an Observer needs POLL_SECONDS, how often it is polled")
    return cast(Instrument, module)
