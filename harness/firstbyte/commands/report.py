"""`firstbyte report`: the files that are made from a run."""

from __future__ import annotations

from pathlib import Path

import click

from firstbyte.commands._outputs import output_options
from firstbyte.render.outputs import OUTPUTS

PAGE = "html"
"""The output that is written whether or not somebody asks for it."""


@click.command(short_help="Write the HTML report and other files of a run.")
@click.argument("run")
@output_options(OUTPUTS, main=PAGE, main_help="The HTML file  [default: reports/RUN.html]")
@click.option(
    "--readme",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Also make the tables between the markers of this file anew.",
)
@click.option(
    "--check",
    is_flag=True,
    help="With --readme: write nothing, and fail where its tables are not of this run.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
def command(
    run: str, files: dict[str, Path], readme: Path | None, check: bool, results: Path | None
) -> None:
    """Write the report of RUN: a run id, its unique beginning, a path, or `latest`."""
    import shlex
    from dataclasses import replace

    from firstbyte import places
    from firstbyte.commands._request import request
    from firstbyte.engine import registry, store
    from firstbyte.render import blocks
    from firstbyte.whole import write_whole

    if check and readme is None:
        raise click.UsageError("--check needs --readme, the file whose tables are checked")
    folder = store.find(run, results or places.results())
    asked = request(folder, registry.discover())
    run_id = asked.view.run.run_id
    text = _text_of(readme) if readme else ""
    if check:
        blocks.check(text, asked.view)
        click.echo(f"{readme}: its generated tables are those of run {run_id}")
        return
    page = files.pop(PAGE, None) or places.reports() / f"{run_id}.html"
    made_by = shlex.join(["firstbyte", "report", run_id, "--output", page.name])
    asked = replace(asked, made_by=made_by)
    if readme is not None:
        asked = replace(asked, headline=blocks.headline_of(text))
    for name, path in {PAGE: page, **files}.items():
        OUTPUTS.write(name, asked, path)
        click.echo(str(path))
    if readme is not None:
        write_whole(readme, blocks.update(text, asked.view))
        click.echo(str(readme))


def _text_of(readme: Path) -> str:
    from firstbyte.errors import HarnessError

    try:
        return readme.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HarnessError(f"{readme} is no text in UTF-8: {error.reason}") from error
