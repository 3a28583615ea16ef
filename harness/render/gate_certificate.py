"""The gate's certificate on the terminal: false alarms and power on this host."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.gate.selfcheck import Certificate, MetricPower


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

    def _power(self) -> RenderableType:
        """A line for each metric, under it what is found of each effect."""
        lines = Text()
        named: dict[str, list[MetricPower]] = {}
        for one in self._certificate.powers:
            named.setdefault(one.metric, []).append(one)
        for metric, ones in named.items():
            lines.append(f"{metric} ({ones[0].pairs} pairs)\n", style="bold")
            for one in ones:
                lines.append(
                    f"  {one.effect:+.0%}: found {one.found:.1%} (at least {one.found_low:.1%}),"
                    f" inconclusive {one.inconclusive:.1%}\n"
                )
        return lines

    def _planted(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
        for heading in ("planted in real gates", "found in cases", "gates"):
            table.add_column(heading, justify="left" if heading.startswith("planted") else "right")
        for one in self._certificate.planted:
            table.add_row(Text(one.name), f"{one.found} of {one.cases}", str(one.gates))
        return table
