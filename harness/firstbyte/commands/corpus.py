"""`firstbyte corpus`: build, list and verify the data that everything is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from firstbyte.corpora.spec import KINDS, OPTIONS
from firstbyte.errors import CorpusError, HarnessError

if TYPE_CHECKING:
    from firstbyte.corpora.manifest import Manifest
    from firstbyte.corpora.progress import OnProgress


@click.group(name="corpus")
def command() -> None:
    """Build, list and verify corpora.

    A corpus is named by its kind and, behind a colon, its options: gettext, mt:size=1GB,shards=4,
    llm:codec=snappy, files:data/*.parquet.
    """


def _complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    return [
        CompletionItem("files:" if name == "files" else name, help=kind.summary)
        for name, kind in KINDS.items()
        if name.startswith(incomplete)
    ]


def _layout_options(function: Callable[..., None]) -> Callable[..., None]:
    """One `--option` for each option of a corpus; `--size 1GB` says the same as `mt:size=1GB`."""
    for name, option in reversed(list(OPTIONS.items())):
        flag = f"--{name.replace('_', '-')}"
        function = click.option(flag, name, metavar="VALUE", help=f"{option.help}.")(function)
    return function


@command.command()
@click.argument("spec", shell_complete=_complete_spec)
@_layout_options
def build(spec: str, **options: str | None) -> None:
    """Build the corpus SPEC in the cache, unless it is there already."""
    from firstbyte.corpora.spec import parse
    from firstbyte.engine import witnesses
    from firstbyte.render.notices import warning

    with _progress_bar() as progress:
        manifest = witnesses.resolve(parse(spec, options), progress)
    click.echo(
        f"{manifest.spec}: {manifest.rows:,} rows in {len(manifest.shards)} shards,"
        f" {_megabytes(manifest.bytes)} MB in {manifest.folder}"
    )
    for line in manifest.caveats:
        warning(line)


@command.command(name="list")
def list_corpora() -> None:
    """Show what can be built and what has been built."""
    from rich.console import Console
    from rich.table import Table

    from firstbyte.corpora import catalogue, manifest
    from firstbyte.render.notices import warning

    kinds = Table("corpus", "what it is", "options and their defaults", title="can be built")
    for kind in catalogue.available():
        options = ", ".join(f"{name}={default}" for name, default in kind.options.items())
        kinds.add_row(kind.name, kind.summary, options)
    built = Table("built (UTC)", title=f"in the cache, {catalogue.cache_folder()}")
    built.add_column("corpus", overflow="fold")
    for heading in ("rows", "shards", "MB"):
        built.add_column(heading, justify="right")
    built.add_column("folder", overflow="fold")
    unreadable = []
    for folder in catalogue.folders():
        try:
            found = manifest.load(folder)
        except CorpusError as error:
            unreadable.append(str(error))
            continue
        figures = f"{found.rows:,}", str(len(found.shards)), _megabytes(found.bytes)
        built.add_row(found.built[:16].replace("T", " "), found.spec, *figures, folder.name)
    console = Console()
    console.print(kinds)
    if built.row_count:
        console.print(built)
    else:
        console.print("Nothing in the cache yet: `firstbyte corpus build gettext` begins.")
    for line in unreadable:
        warning(line)


@command.command()
@click.argument("spec", required=False, shell_complete=_complete_spec)
@_layout_options
def verify(spec: str | None, **options: str | None) -> None:
    """Read every shard of the corpus SPEC, or of all in the cache, and compare with the manifest.

    Ends with exit code 0 when all is as recorded, and 3 with one line for each problem.
    """
    from firstbyte.corpora import verify as verification

    problems: list[str] = []
    with _progress_bar() as progress:
        for load in _recorded(spec, options):
            try:
                recorded = load()
                found = verification.verify(recorded, progress)
            except CorpusError as error:
                problems.append(str(error))
                continue
            problems.extend(found)
            if not found:
                click.echo(f"{recorded.spec}: {recorded.rows:,} rows as recorded")
    for problem in problems:
        click.echo(problem)
    if problems:
        raise CorpusError(f"verification found {len(problems)} problem(s); they are listed above")


def _recorded(spec: str | None, options: dict[str, str | None]) -> list[Callable[[], Manifest]]:
    """What loads the manifests to verify. Raises CorpusError for a corpus that was never built."""
    from firstbyte.corpora import catalogue, manifest
    from firstbyte.corpora.spec import parse

    if spec is None:
        if any(value is not None for value in options.values()):
            raise HarnessError(
                "options need a SPEC, such as `firstbyte corpus verify mt --size 1GB`"
            )
        return [partial(manifest.load, folder) for folder in catalogue.folders()]
    wanted = parse(spec, options)
    found = catalogue.find(wanted)
    if found is None:
        raise CorpusError(
            f"the corpus {wanted.text} was never built;"
            f" `firstbyte corpus build '{wanted.text}'` builds it"
        )
    return [lambda: found]


@contextmanager
def _progress_bar() -> Iterator[OnProgress]:
    """A bar on standard error while it is a terminal, nothing otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda doing, done: bar.update(task, description=doing, completed=done)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f}"
