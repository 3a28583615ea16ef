"""`firstbyte show`: the tables of a run, or its raw samples, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstbyte.api import Metric
    from firstbyte.model import Record
    from firstbyte.render.tables import RunView


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
    results: Path | None,
) -> None:
    """Print the tables of RUN: a run id, its unique beginning, a path, or `latest`."""
    from firstbyte import places
    from firstbyte.engine import registry, store
    from firstbyte.render.tables import RunView

    if threads is not None and against is None:
        raise click.UsageError("--threads goes with --against BACKEND")
    if samples and against is not None:
        raise click.UsageError("give --samples or --against, not both")
    folder = store.find(run, results or places.results())
    of, records = store.load(folder)
    catalogue = registry.discover()
    chosen = _chosen(records, scenario, backend)
    view = RunView(chosen, catalogue)
    metrics = _metric_names(view, metric)
    if samples:
        _print_samples(chosen, metrics)
        return

    from rich.console import Console

    from firstbyte.leaks import kept as verdicts
    from firstbyte.leaks.terminal import table
    from firstbyte.render.terminal import summary

    def columns(of_run: RunView, name: str) -> list[Metric]:
        if not metrics:
            return of_run.headline_metrics(name)
        return [one for one in of_run.metrics(name) if one.name in metrics]

    if against is None:
        Console().print(summary(of, chosen, catalogue, metrics=columns))
        if leaks := verdicts.read(folder):
            Console().print(table(leaks.rows))
        return

    from firstbyte.render.scoreboard import draw, scoreboard

    cores = int(of.host.get("cores", 0))
    chooser = columns if metrics else None
    board = scoreboard(view, against, threads=threads, cores=cores, metrics=chooser)
    Console().print(draw(board))


def _chosen(
    records: Sequence[Record], scenarios: Sequence[str], backends: Sequence[str]
) -> list[Record]:
    """The records of the named scenarios and backends. Raises UnknownNameError for other names."""
    from firstbyte.errors import UnknownNameError

    known = {record.cell.scenario for record in records}
    subjects = {record.cell.backend for record in records} | {_subject(r) for r in records}
    for name in scenarios:
        if name not in known:
            raise UnknownNameError("scenario in the run", name, known)
    for name in backends:
        if name not in subjects:
            raise UnknownNameError("backend in the run", name, subjects)
    return [
        record
        for record in records
        if (not scenarios or record.cell.scenario in scenarios)
        and (not backends or record.cell.backend in backends or _subject(record) in backends)
    ]


def _subject(record: Record) -> str:
    return f"{record.cell.backend}:{record.cell.variant}"


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


def _print_samples(records: Sequence[Record], metrics: frozenset[str]) -> None:
    from firstbyte.render.exports import csv_frame

    frame = csv_frame(records)
    if metrics:
        # A cell without figures has no metric; it stays, as it may be the answer.
        frame = frame[frame["metric"].isin(metrics) | frame["metric"].isna()]
    click.echo(frame.to_csv(index=False), nl=False)
