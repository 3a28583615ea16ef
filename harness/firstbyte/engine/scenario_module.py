"""A scenario's file as a module: imported, and held against `firstbyte.api.Scenario`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from firstbyte.api import Metric, Purpose, ReadsInSpan, Scenario
from firstbyte.contracts import ContractError, conform
from firstbyte.engine import plugin_module
from firstbyte.errors import PluginError
from firstbyte.model import Param

FUNCTIONS = ("needs", "repetitions", "run", "derive")


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a scenario states about itself; `firstbyte.api.Scenario` says what it means."""

    ORDER: int
    QUICK_VARIANTS: Literal["all", "extremes"]
    INSTRUMENTS: tuple[str, ...]
    GRID: Mapping[str, tuple[Param, ...]]
    METRICS: tuple[Any, ...]
    PURPOSE: Purpose | None = None
    CERTIFIES: str = ""
    NEEDS_ROWS: bool = False
    READS: ReadsInSpan | None = None

    def __post_init__(self) -> None:
        if wrong := [one for one in self.METRICS if not isinstance(one, Metric)]:
            raise ValueError(f"METRICS must hold firstbyte.api.Metric only, got {wrong[0]!r}")
        if self.CERTIFIES and self.CERTIFIES not in self.INSTRUMENTS:
            raise ValueError(f"CERTIFIES = {self.CERTIFIES!r} must be one of INSTRUMENTS")


def load(import_name: str, path: Path) -> Scenario:
    """The module in that file. Raises PluginError where it fails or lacks what a scenario has."""
    module = plugin_module.load(import_name, path)
    names = [one.name for one in fields(Attributes)]
    plugin_module.refuse_misspelt(module, path, (*names, *FUNCTIONS))
    try:
        stated = conform(
            {name: getattr(module, name) for name in names if hasattr(module, name)}, Attributes
        )
    except ContractError as error:
        raise PluginError(f"{path}: {error}") from error
    functions = (*FUNCTIONS, "account") if stated.CERTIFIES else FUNCTIONS
    if missing := [name for name in functions if not callable(getattr(module, name, None))]:
        raise PluginError(f"{path}: missing the functions {', '.join(missing)}")
    return cast(Scenario, module)


def capabilities(scenario: Scenario, path: Path) -> frozenset[str]:
    """All that the scenario may ask of a backend. Raises PluginError where `needs` fails."""
    asked: set[str] = set()
    for point in itertools.product(*scenario.GRID.values()):
        params = dict(zip(scenario.GRID, point, strict=True))
        try:
            asked |= scenario.needs(params)
        except Exception as error:  # a plug-in may raise anything
            raise PluginError(
                f"{path}: needs({params}) fails: {plugin_module.in_a_line(error)}"
            ) from error
    return frozenset(asked)
