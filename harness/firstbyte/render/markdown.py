"""What tables in Markdown are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable


def row(cells: Iterable[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    """Labels as text: no table column, tag or emphasis may start inside them."""
    return re.sub(r"([\\|<>*`\[\]])", r"\\\1", text.replace("\n", " "))
