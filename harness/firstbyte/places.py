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
    """The folder of run folders, baselines and certificates. Raises HarnessError for a bad setting."""
    return _place("results")


def reports() -> Path:
    """The folder of HTML reports. Raises HarnessError for a bad setting."""
    return _place("reports")


def project() -> Path:
    """The folder of the user's project, the current one where there is none."""
    return _project()[0]


def cache() -> Path:
    """The user's cache folder for what can be made again: corpora, environments, converted shards."""
    return platformdirs.user_cache_path("firstbyte")


def _place(name: str) -> Path:
    if chosen := os.environ.get(f"FIRSTBYTE_{name.upper()}"):
        return Path(chosen).absolute()
    folder, settings = _project()
    setting: str = getattr(settings, name)
    return folder / setting


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
