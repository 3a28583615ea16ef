"""Where things are kept: results and reports in the user's project, what can be made again in the cache.

The project is the nearest folder, from the current one upwards, whose pyproject.toml has a table
`[tool.firstbyte]`; without one it is the current folder. `FIRSTBYTE_RESULTS` and `FIRSTBYTE_REPORTS`
name other folders for results and reports, as do `results` and `reports` in that table.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from firstbyte.errors import HarnessError


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
    variable = f"FIRSTBYTE_{name.upper()}"
    if chosen := os.environ.get(variable):
        return Path(chosen).absolute()
    folder, table = _project()
    setting = table.get(name, name)
    if not isinstance(setting, str) or not setting:
        raise HarnessError(
            f"{folder / 'pyproject.toml'}: [tool.firstbyte] {name} must be the path of a folder, "
            f"got {setting!r}"
        )
    return folder / setting


def _project() -> tuple[Path, dict[str, Any]]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            raw = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # none, or not one that says anything to us
        table = raw.get("tool", {}).get("firstbyte")
        if isinstance(table, dict):
            return folder, table
    return here, {}
