"""What runs in the measured process before the backend is imported needs the standard library only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import firstbyte
from firstbyte import plugins

IMPORT_ALL = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
    foreign = {one.partition(".")[0] for one in set(sys.modules) - before}
    foreign -= {"firstbyte", "__mp_main__", *sys.stdlib_module_names}
    if foreign:
        sys.exit(f"{name} imports {', '.join(sorted(foreign))}")
rooms = {one.split(".")[1] for one in sys.modules if one.startswith("firstbyte.")}
print(json.dumps(sorted(rooms)))
"""
PACKAGE = Path(firstbyte.__file__).parent
WORKER = sorted(
    ".".join(("firstbyte", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.glob("worker/**/*.py")
    if path.name not in ("__init__.py", "__main__.py")
)
SCENARIOS = sorted(
    f"firstbyte.scenarios.{path.stem}" for path in plugins.own_folder("scenarios").glob("[!_]*.py")
)


def imported(*modules: str) -> list[str]:
    """The rooms of the package that these modules brought along, in a fresh interpreter without site."""
    words = ["-S", "-c", IMPORT_ALL, str(PACKAGE.parent), json.dumps(modules)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rooms: list[str] = json.loads(done.stdout)
    return rooms


def test_every_module_of_the_worker_needs_the_standard_library_only() -> None:
    assert {"firstbyte.worker.main", "firstbyte.worker.instruments.heap"} <= set(WORKER)
    rooms = imported(*WORKER, "firstbyte.batches")
    assert set(rooms) <= {"api", "backends", "batches", "model", "plugins", "scenarios", "worker"}


def test_every_scenario_needs_the_standard_library_only() -> None:
    assert "firstbyte.scenarios.full_scan" in SCENARIOS
    imported(*SCENARIOS)
