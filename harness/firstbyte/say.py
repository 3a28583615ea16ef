"""How work that takes its time speaks to whoever started it."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line."""
