"""`firstbyte show`: the tables of a run, or any other of its outputs, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstbyte.render.outputs import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firstbyte.model import Cell
    from firstbyte.render.tables import RunView
    from firstbyte.visibility.shown import ShownRun

TABLES, SAMPLES, SCOREBOARD = "tables", "csv", "scoreboard"
"""The outputs that have an option of their own, or none."""


@click.command(short_help="Print the tables or the raw samples of a run.")
@click.argument("run")
@click.option("--scenario", "-s", multiple=True, help="Only this scenario; repeatable.")
@click.option(
    "--backend", "-b", multiple=True, help="Only this backend, NAME or NAME:VARIANT; repeatable."
)
@click.option(
    "--metric",
    "-m",
    multiple=True,
    help="This metric, or `all`; repeatable.  [default: the headline metrics]",
)
@click.option(
    "--against",
    metavar="BACKEND",
    help="Set this backend against the best of all others, with ratios, instead of tables.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="With --against: only variants that decode on at most this many threads.",
)
@click.option("--samples", is_flag=True, help="Every raw sample as CSV instead of tables.")
@click.option(
    "--as",
    "form",
    type=click.Choice(list(OUTPUTS.summaries())),
    help="Print this output instead of tables.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
def command(
    run: str,
    scenario: tuple[str, ...],
    backend: tuple[str, ...],
    metric: tuple[str, ...],
    against: str | None,
    threads: int | None,
    samples: bool,
    form: str | None,
    results: Path | None,
) -> None:
    """Print the tables of RUN: a run id, its unique beginning, a path, or `latest`."""
    from dataclasses import replace

    from rich.console import Console

    from firstbyte import places
    from firstbyte.commands._request import request
    from firstbyte.engine import registry, store

    asked_for = (form, SAMPLES if samples else None, SCOREBOARD if against else None)
    wanted = {one for one in asked_for if one}
    if len(wanted) > 1:
        raise click.UsageError("--samples, --against and --as print different things: give one")
    name = next(iter(wanted), TABLES)
    if threads is not None and name != SCOREBOARD:
        raise click.UsageError("--threads goes with --against BACKEND")
    folder = store.find(run, results or places.results())
    asked = request(folder, registry.discover())
    part = asked.view.shown.only(_keep(asked.view.shown, scenario, backend))
    view = replace(asked.view, shown=part)
    view = replace(view, chosen=_metric_names(view, metric))
    printed = OUTPUTS.load(name).render(
        replace(asked, view=view, against=against or "", threads=threads)
    )
    if isinstance(printed, str):
        click.echo(printed, nl=False)
    else:
        Console().print(printed)


def _keep(
    whole: ShownRun, scenarios: Sequence[str], backends: Sequence[str]
) -> Callable[[Cell], bool]:
    """Whether a cell is of the named scenarios and backends. Raises UnknownNameError for others."""
    from firstbyte.errors import UnknownNameError

    cells = [record.cell for record in whole.records]
    known = {cell.scenario for cell in cells}
    subjects = {cell.backend for cell in cells} | {str(cell.subject) for cell in cells}
    for name in scenarios:
        if name not in known:
            raise UnknownNameError("scenario in the run", name, known)
    for name in backends:
        if name not in subjects:
            raise UnknownNameError("backend in the run", name, subjects)
    return lambda cell: (
        (not scenarios or cell.scenario in scenarios)
        and (not backends or cell.backend in backends or str(cell.subject) in backends)
    )


def _metric_names(view: RunView, names: Sequence[str]) -> frozenset[str]:
    """The chosen metrics; empty for the headline ones. Raises UnknownNameError."""
    from firstbyte.errors import UnknownNameError

    known = {metric.name for scenario in view.scenarios() for metric in view.metrics(scenario)}
    if "all" in names:
        return frozenset(known)
    for name in names:
        if name not in known:
            raise UnknownNameError("metric in the run", name, known | {"all"})
    return frozenset(names)
