"""Where things are kept: results and reports in the user's project, what can be made again in the cache.

The project is the nearest folder, from the current one upwards, whose pyproject.toml has a table
`[tool.firstbyte]`; without one it is the current folder. `FIRSTBYTE_RESULTS` and `FIRSTBYTE_REPORTS`
name other folders for results and reports, as do `results` and `reports` in that table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from firstbyte.contracts import ContractError, conform, read_toml, table
from firstbyte.errors import HarnessError

TABLE = "tool.firstbyte"


@dataclass(frozen=True, slots=True)
class Settings:
    """`[tool.firstbyte]` of a project."""

    results: str = "results"
    reports: str = "reports"
    gate: Mapping[str, Any] = field(default_factory=dict)
    """Read by `firstbyte.gate.policy`."""

    def __post_init__(self) -> None:
        for name in ("results", "reports"):
            if not getattr(self, name):
                raise ValueError(f"{name} must be the path of a folder, got ''")


def results() -> Path:
    """The folder of run folders, baselines and certificates, which need not be there yet.

    Raises HarnessError for a bad setting, and where something else is in its place.
    """
    return _place("results")


def reports() -> Path:
    """The folder of HTML reports. Raises what `results` raises."""
    return _place("reports")


def project() -> Path:
    """The folder of the user's project, the current one where there is none."""
    return _project()[0]


def cache() -> Path:
    """The user's cache folder for what can be made again: corpora, environments, converted shards."""
    return platformdirs.user_cache_path("firstbyte")


def _place(name: str) -> Path:
    variable = f"FIRSTBYTE_{name.upper()}"
    if chosen := os.environ.get(variable):
        place = Path(chosen).absolute()
    else:
        folder, settings = _project()
        place = folder / getattr(settings, name)
    for part in (place, *place.parents):
        if part.is_dir():
            return place
        if os.path.lexists(part):
            raise HarnessError(
                f"{name} are kept in {place}, but {part} is not a folder; name another one in {variable}"
            )
    return place


def _project() -> tuple[Path, Settings]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # none, or not one that says anything to us
        if "firstbyte" not in text:
            continue
        try:
            tools = table(read_toml(path), "tool")
            if "firstbyte" in tools:
                return folder, conform(tools["firstbyte"], Settings)
        except ContractError as error:
            raise HarnessError(f"{path}: {TABLE}: {error}") from error
    return here, Settings()
