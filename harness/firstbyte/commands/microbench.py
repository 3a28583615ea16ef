"""`firstbyte microbench`: the hot in-process paths of every backend under pytest-benchmark."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import click

INSTRUMENT = "pytest_benchmark"


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

    A full run of what pytest-benchmark times: it calibrates each path in a worker of its own, and its
    figures become a run that `show`, `compare` and `report` read like any other.
    """
    from rich.console import Console

    from firstbyte import places
    from firstbyte.commands._request import request
    from firstbyte.commands.run import exit_by_statuses, measure
    from firstbyte.engine import session
    from firstbyte.engine.plan import Axes
    from firstbyte.render import notices
    from firstbyte.render.outputs import OUTPUTS

    results = results or places.results()
    axes = Axes(instruments=(INSTRUMENT,), backends=backend, corpora=corpus, profile="full")
    workshop = session.open_session(axes)
    for note in workshop.notes:
        notices.warning(note)
    run = session.start_run(workshop, results)
    measure(workshop, run, workshop.estimates(results, cache(notices.warning)))
    run.seal()
    asked = request(run.folder.path, workshop.catalogue)
    Console().print(OUTPUTS.load("tables").render(asked))
    click.echo(f"run: {run.folder.path}")
    exit_by_statuses(run)
