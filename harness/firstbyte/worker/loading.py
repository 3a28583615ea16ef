"""Makes a backend from its module's name; in a file of its own, so that reader processes can import it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from firstbyte.api import Backend
from firstbyte.plugins import mount


def create_backend(roots: Sequence[str], module: str, options: Mapping[str, Any]) -> Backend:
    """Import the backend's module and call its `create`; raises whatever the library raises.

    `roots` are the plug-in roots in which it may lie.
    """
    mount(roots)
    return cast(Backend, importlib.import_module(module).create(**options))
