"""The control as a backend."""

from __future__ import annotations

from firstbyte.selfcheck.figures.control import HonestBackend


def create() -> HonestBackend:
    return HonestBackend()
