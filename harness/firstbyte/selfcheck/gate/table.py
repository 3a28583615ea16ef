"""The gate's certificate on the terminal: false alarms and power on this host."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from firstbyte.selfcheck.gate.certificate import Condition, GateCertificate


class CertificateTable:
    """For each condition what was planted, the power at each effect, and the false-alarm rate."""

    def __init__(self, certificate: GateCertificate) -> None:
        self._certificate = certificate

    def render(self) -> RenderableType:
        made = self._certificate
        verdict = "the gate holds" if made.passes else "the gate does NOT hold"
        heading = Text(
            f"gate self-check of {made.made[:10]} on {made.corpus}: {verdict} on this host",
            style="bold",
        )
        return Group(heading, *(part for one in made.conditions for part in _condition(one)))


def _condition(one: Condition) -> tuple[RenderableType, ...]:
    alarms = Text(
        f"unchanged: {one.real_alarms} alarms and {one.real_inconclusive} inconclusive in"
        f" {one.real_gates} real gates of {one.metrics} metrics ({one.gate_seconds:.0f} s each);"
        f" {one.replayed_alarms} alarms in {one.replayed} gates replayed as recorded;"
        f" {one.alarms} in {one.gates:,} simulated ones (95% bound {one.alarm_bound:.2g} a gate)"
    )
    return (Text(f"\n{one.name}", style="bold"), alarms, _planted(one), _power(one))


def _planted(one: Condition) -> RenderableType:
    table = _table(
        "planted in real gates", "found in cases", "gates", "found change, median (range)"
    )
    for planted in one.planted:
        found = f"{planted.found} of {planted.cases}"
        table.add_row(Text(planted.name), found, str(planted.gates), changes_text(planted.changes))
    return table if one.planted else Text("nothing was planted")


def changes_text(changes: Sequence[float]) -> str:
    """Median and range of relative changes; a dash where there are none."""
    if not changes:
        return "-"
    return f"{median(changes):+.1%} ({min(changes):+.1%} to {max(changes):+.1%})"


def _power(one: Condition) -> RenderableType:
    """What simulated gates find of each change: in the typical metric and in the worst one."""
    table = _table(
        "simulated change", "found, median", "worst", "at least", "inconclusive", "worst in"
    )
    for effect in one.effects:
        worst = one.worst(effect)
        table.add_row(
            f"{effect:+.0%}",
            f"{one.typical(effect):.1%}",
            f"{worst.found:.1%}",
            f"{worst.found_low:.1%}",
            f"{worst.inconclusive:.1%}",
            Text(f"{worst.metric} ({worst.pairs} pairs)"),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for place, heading in enumerate(headings):
        numbers = place > 0 and heading != "worst in"
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    return table
