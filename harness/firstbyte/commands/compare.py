"""`firstbyte compare`: two runs side by side, ratio and interval per figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from firstbyte.analysis.compare import Comparison, Uncompared

_LINE = "  {:<24} {:>14} {:>14} {:>7}  {}"


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
    help="Folder for run folders  [default: results/ of the current project]",
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
    from rich.text import Text

    from firstbyte import places
    from firstbyte.analysis.compare import compare
    from firstbyte.engine import registry, store
    from firstbyte.engine.fingerprint import variable_differences
    from firstbyte.visibility import shown

    folder = results or places.results()
    catalogue = registry.discover()
    first, second = (shown.load(store.find(name, folder), catalogue) for name in (before, after))
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
    console.print(f"before: {first.run.run_id}, after: {second.run.run_id}", highlight=False)
    if differing := variable_differences(first.run.host, second.run.host):
        line = f"environment variables differ, and the ratios tell of them as well: {'; '.join(differing)}"
        console.print(Text(line), soft_wrap=True)
    if rows:
        _print_rows(console, rows)
    else:
        console.print("no cell is OK in both runs")
    for one in (first, second):
        if one.lacking:
            console.print(f"run {one.run.run_id} has {one.extent}", highlight=False)
        if one.disturbed:
            console.print(f"run {one.run.run_id}: {one.disturbed}", highlight=False, soft_wrap=True)
    for line in [*dict.fromkeys([*first.withheld, *second.withheld]), *_uncompared(uncompared)]:
        console.print(Text(line), soft_wrap=True)


def _print_rows(console: Console, rows: Sequence[Comparison]) -> None:
    """The cell on a line of its own and its metrics below: cell names are too long for a column."""
    from itertools import groupby

    from rich.text import Text

    from firstbyte.analysis.compare import CONFIDENCE, NOT_POSITIVE, TOO_FEW

    console.print(_LINE.format("", "before", "after", "ratio", "interval"), style="bold")
    for key, members in groupby(rows, lambda row: row.cell.key):
        console.print(Text(str(key)), soft_wrap=True)
        for row in members:
            console.print(Text(_line(row)), soft_wrap=True)
    console.print(
        "\nratio: median of all pairwise ratios after/before between processes; interval: exact,"
        f" {CONFIDENCE:.0%} (Mann-Whitney). Where nothing changed, one interval in twenty still"
        " leaves out 1.",
        style="dim",
        highlight=False,
    )
    for note in (TOO_FEW, NOT_POSITIVE):
        if number := sum(row.note == note for row in rows):
            console.print(f"-: {note} ({number} rows)", style="dim", highlight=False)


def _line(row: Comparison) -> str:
    from firstbyte.units import title, unit_for

    unit = unit_for(row.metric, [row.before, row.after])
    figures = (f"{unit.text(value)} {unit.symbol}" for value in (row.before, row.after))
    ratio = "-" if row.ratio is None else f"{row.ratio:.3f}"
    interval = "-" if row.interval is None else "{:.3f} to {:.3f}".format(*row.interval)
    return _LINE.format(title(row.metric), *figures, ratio, interval)


def _uncompared(found: Sequence[Uncompared]) -> list[str]:
    return [f"not compared: {one.key}: {one.reason}" for one in found]
