"""`firstbyte report`: the files that are made from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstbyte.engine.registry import Catalogue
    from firstbyte.model import Record, Run

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Write the HTML report and other files of a run.")
@click.argument("run")
@click.option("--output", "-o", type=_FILE, help="The HTML file  [default: reports/RUN.html]")
@click.option("--csv", type=_FILE, help="Also write every raw sample as CSV.")
@click.option("--json", type=_FILE, help="Also write the whole run as JSON.")
@click.option(
    "--readme",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Also make the headline table between the markers of this file anew.",
)
@click.option("--picture", type=_FILE, help="With --readme: its headline as one SVG picture.")
@click.option(
    "--check",
    is_flag=True,
    help="With --readme: write nothing, and fail where its table is not of this run.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
def command(
    run: str,
    output: Path | None,
    csv: Path | None,
    json: Path | None,
    readme: Path | None,
    picture: Path | None,
    check: bool,
    results: Path | None,
) -> None:
    """Write the report of RUN: a run id, its unique beginning, a path, or `latest`."""
    from firstbyte import places
    from firstbyte.engine import registry, store
    from firstbyte.visibility.withholding import withhold

    if readme is None and (picture or check):
        raise click.UsageError("--picture and --check need --readme, which says what they show")
    folder = store.find(run, results or places.results())
    of, records = store.load(folder)
    catalogue = registry.discover()
    if readme is not None and check:
        from firstbyte.render import readme_table

        readme_table.check(readme.read_text(encoding="utf-8"), of, records, catalogue)
        click.echo(f"{readme}: its headline table is that of run {of.run_id}")
        return
    page = output or places.reports() / f"{of.run_id}.html"
    written = [_write_html(page, folder, of, records, catalogue)]
    written += _write_data(csv, json, of, withhold(records, catalogue)[0])
    if readme is not None:
        written += _write_headline(readme, picture, of, records, catalogue)
    for path in written:
        click.echo(str(path))


def _write_html(
    path: Path, folder: Path, run: Run, records: Sequence[Record], catalogue: Catalogue
) -> Path:
    import shlex

    from firstbyte.leaks import kept as verdicts
    from firstbyte.render import html
    from firstbyte.selfcheck import of_host as selfchecks

    html.write(
        path,
        run,
        records,
        catalogue,
        shlex.join(["firstbyte", "report", run.run_id, "--output", path.name]),
        leaks=verdicts.read(folder),
        certificates=selfchecks.of_host(run.host),
    )
    return path


def _write_data(
    csv: Path | None, json: Path | None, run: Run, records: Sequence[Record]
) -> list[Path]:
    from firstbyte.render import exports

    if csv is not None:
        exports.write_csv(csv, records)
    if json is not None:
        exports.write_json(json, run, records)
    return [path for path in (csv, json) if path is not None]


def _write_headline(
    readme: Path,
    picture_path: Path | None,
    run: Run,
    records: Sequence[Record],
    catalogue: Catalogue,
) -> list[Path]:
    from firstbyte.render import readme_table
    from firstbyte.render.picture import picture
    from firstbyte.render.tables import RunView

    text = readme.read_text(encoding="utf-8")
    readme.write_text(readme_table.update(text, run, records, catalogue), encoding="utf-8")
    if picture_path is None:
        return [readme]
    spec = readme_table.spec_of(text)
    picture_path.parent.mkdir(parents=True, exist_ok=True)
    picture_path.write_text(
        picture(RunView(list(records), catalogue), spec) + "\n", encoding="utf-8"
    )
    return [readme, picture_path]
