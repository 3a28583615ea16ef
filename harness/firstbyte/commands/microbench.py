"""`firstbyte microbench`: the hot in-process paths of every backend under pytest-benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(short_help="Benchmark the hot in-process paths with pytest-benchmark.")
@click.option(
    "--backend", "-b", multiple=True, help="Backend, as NAME or NAME:VARIANT; repeatable."
)
@click.option("--corpus", "-c", multiple=True, help="Corpus; repeatable.  [default: gettext]")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
def command(backend: tuple[str, ...], corpus: tuple[str, ...], results: Path | None) -> None:
    """Benchmark reopening, the next batch and the first value of every backend.

    pytest-benchmark calibrates each path in a process of its own; its figures become a run that
    `show`, `compare` and `report` read like any other.
    """
    from rich.console import Console

    from firstbyte import places
    from firstbyte.commands._request import request
    from firstbyte.engine import session
    from firstbyte.engine.plan import Axes, one_cell_per_variant
    from firstbyte.micro.measure import INSTRUMENT, SCENARIO, measure
    from firstbyte.render import notices
    from firstbyte.render.outputs import OUTPUTS
    from firstbyte.render.progress import Progress

    axes = Axes(scenarios=(SCENARIO,), backends=backend, corpora=corpus)
    workshop = session.open_session(axes, one_cell_per_variant(INSTRUMENT))
    for note in workshop.notes:
        notices.warning(note)
    run = session.start_run(workshop, results or places.results())
    executor = workshop.executor(run.run.run_id)
    with Progress([(planned.cell, 1.0) for planned in workshop.plan.cells]) as progress:
        for planned in workshop.plan.cells:
            progress.started(planned.cell)
            for record in measure(executor, planned):
                run.add(record)
            progress.finished(run.records[-1])
    run.seal()
    asked = request(run.folder.path, workshop.catalogue)
    Console().print(OUTPUTS.load("tables").render(asked))
    click.echo(f"run: {run.folder.path}")
    if any(record.status not in ("OK", "SKIPPED") for record in run.records):
        sys.exit(1)
