"""Makes a backend from its module's name; in a file of its own, so that reader processes can import it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, cast

from harness.api import Backend


def create_backend(module: str, options: Mapping[str, Any]) -> Backend:
    """Import the backend's module and call its `create`; raises whatever the library raises."""
    return cast(Backend, importlib.import_module(module).create(**options))
