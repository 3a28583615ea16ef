"""`firstbyte doctor`: what on this machine limits the numbers."""

from __future__ import annotations

import click


@click.command(short_help="Show what on this machine limits the numbers.")
def command() -> None:
    """Show what on this machine limits the numbers, each finding with its remedy.

    Exit code 0 whatever it finds: a limit is to be known, not to be fixed at all costs.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from firstbyte.engine import registry
    from firstbyte.engine.doctor import Finding, examine

    findings = examine()
    for backend in registry.discover().backends.values():
        findings.append(
            Finding(f"backend {backend.name}", "unavailable", backend.unavailable)
            if backend.unavailable
            else Finding(f"backend {backend.name}", "available")
        )
    table = Table("", "what", "state", "remedy or consequence")
    for finding in findings:
        mark = Text("limits", "yellow") if finding.limits else Text("ok", "green")
        table.add_row(mark, finding.subject, Text(finding.state), Text(finding.remedy))
    Console().print(table)
    limiting = sum(finding.limits for finding in findings)
    click.echo(f"{limiting} of {len(findings)} findings limit the numbers")
