"""The verdicts of a leak check on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from firstbyte.leaks.kept import LEGEND, NOT_RUN, LeakRow

_STYLES = {"LEAK": "bold red", NOT_RUN: "bold red", "CLEAN": "green"}


def table(rows: Sequence[LeakRow]) -> Group:
    """A table, and below it why."""
    made = Table(
        "backend", "use", "verdict", "B per use", "uses", "would have seen", title="leak or not"
    )
    for one in rows:
        outcome = Text(one.outcome, style=_STYLES.get(one.outcome, "bold yellow"))
        made.add_row(
            Text(one.subject), one.shape, outcome, one.slope, one.scans, one.would_have_seen
        )
    reasons = [Text(f"{one.subject}, {one.shape}: {one.reason}") for one in rows]
    return Group(made, *reasons, Text(LEGEND, style="dim"))
