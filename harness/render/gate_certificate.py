"""The gate's certificate on the terminal: false alarms and power on this host."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.gate.selfcheck import EFFECTS, Certificate


class CertificateTable:
    """Power of each metric at each effect, what was planted, and the false-alarm rate."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate

    def render(self) -> RenderableType:
        made = self._certificate
        alarms = Text(
            f"false alarms: {made.alarms} in {made.gates:,} simulated gates of {made.metrics} metrics"
            f" (95% bound {made.alarm_bound:.2g} a gate); {made.replayed_alarms} in {made.replayed}"
            f" gates replayed as recorded; {made.real_alarms} in {made.real_gates} real gates"
        )
        return Group(self._power(), self._planted(), alarms)

    def _power(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        table.add_column("metric", overflow="fold")
        table.add_column("pairs", justify="right")
        for effect in EFFECTS:
            table.add_column(f"{effect:+.0%} found", justify="right")
            table.add_column("inconclusive", justify="right")
        rows: dict[str, list[str]] = {}
        for one in self._certificate.powers:
            cells = rows.setdefault(one.metric, [str(one.pairs)])
            cells += [f"{one.found:.1%} (>= {one.found_low:.1%})", f"{one.inconclusive:.1%}"]
        for metric, cells in rows.items():
            table.add_row(Text(metric), *cells)
        return table

    def _planted(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        for heading in ("planted in real gates", "found in cases", "gates"):
            table.add_column(heading, justify="left" if heading.startswith("planted") else "right")
        for one in self._certificate.planted:
            table.add_row(Text(one.name), f"{one.found} of {one.cases}", str(one.gates))
        return table
