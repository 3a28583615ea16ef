"""`firstbyte run`: every chosen backend through every chosen scenario, into a run folder and a report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstbyte.commands._axes import axes_options

if TYPE_CHECKING:
    from firstbyte.engine.plan import Axes
    from firstbyte.engine.session import OpenRun, Session


@click.command(short_help="Measure backends and write a report.")
@axes_options
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the newest unfinished run of the same cells instead of starting a new one.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and what it will cost; run nothing.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the HTML report  [default: reports/ of the current project]",
)
def command(
    axes: Axes, resume: bool, dry_run: bool, results: Path | None, reports: Path | None
) -> None:
    """Run every chosen backend through every chosen scenario.

    Ends with a table and the path of an HTML report. Exit code 0 when every cell is OK or SKIPPED,
    1 when a cell is WRONG or failed; everything measured is kept either way.
    """
    from firstbyte import places
    from firstbyte.engine import session
    from firstbyte.render import notices

    results = results or places.results()
    workshop = session.open_session(axes)
    for note in workshop.notes:
        notices.warning(note)
    warn = cache(notices.warning)  # once, however often it is found
    estimates = workshop.estimates(results, warn)
    if dry_run:
        _print_plan(workshop, estimates)
        return
    reports = _made(reports or places.reports())
    start = partial(session.resume_run, warn=warn) if resume else session.start_run
    run = start(workshop, results)
    if resume:
        notices.progress(
            f"going on with run {run.run.run_id}: {len(run.done)} of {run.run.planned_cells} cells"
            " are done"
        )
    measure(workshop, run, estimates)
    run.seal()
    _print_results(reports, workshop, run)
    exit_by_statuses(run)


def exit_by_statuses(run: OpenRun) -> None:
    """End with 1 where a cell is neither OK nor SKIPPED."""
    if any(record.status not in ("OK", "SKIPPED") for record in run.records):
        sys.exit(1)


def _print_plan(workshop: Session, estimates: Sequence[float | None]) -> None:
    from firstbyte.units import duration

    for planned, seconds in zip(workshop.plan.cells, estimates, strict=True):
        cell = planned.cell
        cost = f"about {duration(seconds)}" if seconds is not None else "never measured here"
        text = f"SKIPPED: {planned.skipped}" if planned.skipped else cost
        click.echo(f"{cell.key}  {cell.processes} x {cell.repetitions}  {text}")
    known = sum(seconds for seconds in estimates if seconds is not None)
    unknown = sum(seconds is None for seconds in estimates)
    more = f" and {unknown} cells of unknown cost" if unknown else ""
    click.echo(f"{len(estimates)} cells, about {duration(known)}{more}")


def measure(workshop: Session, run: OpenRun, estimates: Sequence[float | None]) -> None:
    """Run what has no record yet, and show how far it is."""
    from firstbyte.engine import session
    from firstbyte.render.progress import Progress

    costs = session.costs(workshop.plan, estimates)
    left = [
        (planned.cell, seconds) for planned, seconds in costs if planned.cell.key not in run.done
    ]
    with Progress(left) as progress:
        for record in session.measure(
            workshop, run, lambda planned: progress.started(planned.cell)
        ):
            progress.finished(record)


def _made(reports: Path) -> Path:
    """The folder, made if need be; before the run, as nobody wants to hear of it an hour later."""
    from firstbyte.errors import HarnessError

    try:
        reports.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot make the reports folder {reports}: {error.strerror}") from error
    return reports


def _print_results(reports: Path, workshop: Session, run: OpenRun) -> None:
    """Write the HTML report, and print the tables with its path."""
    from dataclasses import replace

    from rich.console import Console

    from firstbyte.commands._request import request
    from firstbyte.render.outputs import OUTPUTS

    asked = request(run.folder.path, workshop.catalogue)
    page = reports / f"{run.run.run_id}.html"
    OUTPUTS.write("html", asked, page)
    Console().print(OUTPUTS.load("tables").render(replace(asked, report=str(page))))
