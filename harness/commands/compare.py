"""`firstbyte compare`: two runs side by side, ratio and interval per figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from harness.analysis.compare import Comparison, Uncompared


@click.command(short_help="Compare two runs.")
@click.argument("before")
@click.argument("after")
@click.option(
    "--allow-different-hosts",
    is_flag=True,
    help="Compare runs of different hosts: the ratios then tell of the hosts as well.",
)
@click.option(
    "--metric",
    "-m",
    multiple=True,
    help="This metric, or `all`; repeatable.  [default: the headline metrics]",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the project]",
)
def command(
    before: str,
    after: str,
    allow_different_hosts: bool,
    metric: tuple[str, ...],
    results: Path | None,
) -> None:
    """Compare run BEFORE with run AFTER: run ids, their unique beginnings, paths, or `latest`.

    Stored runs were made at different times, so a difference may be that of the machine's load.
    To decide whether a change is slower, measure both sides anew with `firstbyte gate`.
    """
    from rich.console import Console

    from harness import places, registry, store
    from harness.analysis.compare import compare

    folder = results or places.RESULTS
    catalogue = registry.discover()
    first, second = (store.load(store.find(name, folder)) for name in (before, after))
    headline = {
        one.name
        for scenario in catalogue.scenarios.values()
        for one in scenario.metrics
        if one.headline
    }
    chosen = () if "all" in metric else metric
    rows, uncompared = compare(
        first, second, allow_different_hosts=allow_different_hosts, metrics=chosen
    )
    if not metric:
        rows = [row for row in rows if row.metric in headline] or rows
    console = Console()
    console.print(f"before: {first[0].run_id}, after: {second[0].run_id}", highlight=False)
    if rows:
        _print_rows(console, rows)
    else:
        console.print("no cell is OK in both runs")
    for line in _uncompared(uncompared):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_rows(console: Console, rows: Sequence[Comparison]) -> None:
    from harness.analysis.compare import CONFIDENCE

    console.print(_table(rows))
    console.print(
        f"\nratio: median of all pairwise ratios after/before between processes; interval: exact,"
        f" {CONFIDENCE:.0%} (Mann-Whitney). Where nothing changed, one interval in twenty still"
        " leaves out 1.",
        style="dim",
        highlight=False,
    )


def _table(rows: Sequence[Comparison]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from harness.render.units import title, unit_for

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("cell", overflow="fold")
    table.add_column("metric")
    for name in ("before", "after"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("interval", no_wrap=True)
    for row in rows:
        unit = unit_for(row.metric, [row.before, row.after])
        table.add_row(
            Text(row.cell.key),
            Text(title(row.metric)),
            f"{unit.text(row.before)} {unit.symbol}",
            f"{unit.text(row.after)} {unit.symbol}",
            "-" if row.ratio is None else f"{row.ratio:.3f}",
            row.note if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}",
        )
    return table


def _uncompared(found: Sequence[Uncompared]) -> list[str]:
    return [f"not compared: {one.key}: {one.reason}" for one in found]
