"""`firstbyte cases`: public memory problems, reproduced against the installed versions."""

from __future__ import annotations

import click


@click.command(short_help="Reproduce known memory problems of the installed libraries.")
@click.argument("cases", nargs=-1)
@click.option("--list", "only_list", is_flag=True, help="Show the cases; run nothing.")
def command(cases: tuple[str, ...], only_list: bool) -> None:
    """Reproduce public memory problems and say of each: still there, fixed or inconclusive.

    CASES are names as `--list` shows them; all by default. Exit code 0 whatever they say: they are
    about the installed libraries, not about this project.
    """
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    from firstbyte.cases import case as machinery
    from firstbyte.engine.laboratory import scratch
    from firstbyte.render.notices import progress

    chosen = cases or tuple(machinery.names())
    loaded = {name: machinery.load(name) for name in chosen}
    if only_list:
        for name, case in loaded.items():
            summary = (case.__doc__ or "").partition("\n")[0]
            click.echo(f"{name}: {summary}\n  {case.REPORTED}; {', '.join(case.LINKS)}")
        return
    table = Table("case", "installed", "today", "figure", "worked around", title="known problems")
    legend = []
    for name, case in loaded.items():
        progress(name)
        module = f"firstbyte.cases.reported.{name}"
        result = machinery.reproduce(name, module, case, scratch("cases"))
        style = {"still there": "bold yellow", "fixed": "green"}.get(result.outcome, "dim")
        table.add_row(
            Text(name),
            f"{case.DISTRIBUTION} {result.version}",
            Text(result.outcome.value, style=style),
            _number(result.figure),
            _number(result.worked_around),
        )
        bounds = f"fixed up to {case.SIGNATURE.fixed_at_most:g}"
        bounds += f", still there from {case.SIGNATURE.still_there_from:g}"
        note = f"; {result.reason}" if result.reason else ""
        legend.append(Text(f"{name}: {case.SIGNATURE.figure} ({bounds}){note}; {case.LINKS[0]}"))
    Console().print(Group(table, *legend))


def _number(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.2f}"
