"""`firstbyte leaks`: leak or not, for every backend, with the smallest leak that could have been
seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from firstbyte.worker.shapes import Shape


@click.command(short_help="Say for each backend whether it leaks, and how sure that is.")
@click.option(
    "--backend",
    "-b",
    multiple=True,
    help="Backend, as NAME or NAME:VARIANT; repeatable.  [default: all]",
)
@click.option(
    "--corpus",
    "-c",
    default="gettext",
    show_default=True,
    help="Corpus from whose first shard with rows the files of the check are made.",
)
@click.option(
    "--shape",
    "-s",
    multiple=True,
    type=click.Choice([shape.value for shape in Shape]),
    help="How the reader is used: repeatable. Each has a verdict of its own.  [default: all]",
)
@click.option(
    "--detect",
    metavar="SIZE",
    help="Find leaks of this size per scan, such as 64B: chooses the number of scans and says "
    "what that costs before it starts.  [default: what 120 scans can show]",
)
@click.option(
    "--beside",
    metavar="RUN",
    help="Keep the verdicts beside the figures of this run as well: its report then shows them.",
)
@click.option("--dry-run", is_flag=True, help="Print what it would cost; check nothing.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for run folders  [default: results/ of the current project]",
)
def command(
    backend: tuple[str, ...],
    corpus: str,
    shape: tuple[str, ...],
    detect: str | None,
    beside: str | None,
    dry_run: bool,
    results: Path | None,
) -> None:
    """Use a reader over and over, in processes of their own, and judge what memory does.

    The shapes of use: whole (a file is read to its end and closed), abandoned (one batch, and nothing is
    closed), failing (files that are damaged or missing), concurrent (several threads at once), children
    (in a process that was started). A verdict and its bound hold for one of them.

    The verdicts: LEAK, ACCUMULATION (within one scan), RETENTION (kept until trimmed),
    FRAGMENTATION, CACHE, CLEAN, INCONCLUSIVE. Exit code 0 unless a backend leaks, is inconclusive
    or could not be run: then 1.
    """
    from rich.console import Console

    from firstbyte import places
    from firstbyte.engine import store
    from firstbyte.leaks import check as leak_run
    from firstbyte.leaks import kept as verdicts
    from firstbyte.leaks.rules import LeakClass
    from firstbyte.leaks.terminal import table
    from firstbyte.render import notices
    from firstbyte.sizes import parse_bytes

    folder = results or places.results()
    neighbour = store.find(beside, folder) if beside else None
    shapes = [one for one in Shape if one in shape or not shape]
    check = leak_run.prepare(corpus, backend, shapes)
    efforts = leak_run.plan(check, parse_bytes(detect) if detect else None, notices.progress)
    for line in leak_run.costs(check, efforts):
        click.echo(line)
    if dry_run:
        return
    run = leak_run.start(check, folder, neighbour)
    investigations = list(leak_run.investigate_all(run, efforts, notices.progress))
    Console().print(table([verdicts.row(investigation) for investigation in investigations]))
    click.echo(f"records: {leak_run.finish(run)}")
    unsettled = (LeakClass.LEAK, LeakClass.INCONCLUSIVE)
    if any(
        one.trouble or (one.verdict and one.verdict.outcome in unsettled) for one in investigations
    ):
        sys.exit(1)
