"""How a long build says what it is doing."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, float], None]
"""Told what is being done and how much of it is done, from 0 to 1."""


def silent(doing: str, done: float) -> None:
    """Say nothing."""
