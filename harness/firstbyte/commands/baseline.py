"""`firstbyte baseline`: the stored sizes that a memory-only gate compares with."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(name="baseline", short_help="Stored sizes for the memory-only gate.")
def command() -> None:
    """Sizes that repeat exactly (peaks, bytes, counts), kept in the repository."""


@command.command()
@click.option("--scenario", "-s", multiple=True, help="Scenario; repeatable.  [default: policy]")
@click.option(
    "--backend",
    "-b",
    multiple=True,
    help="Backend, as NAME or NAME:VARIANT; repeatable.  [default: policy]",
)
@click.option("--corpus", "-c", help="Corpus.  [default: policy, else mt]")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Baseline file  [default: in results/baselines/]",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with [tool.firstbyte.gate].  [default: pyproject.toml of the current project]",
)
def update(
    scenario: tuple[str, ...],
    backend: tuple[str, ...],
    corpus: str | None,
    output: Path | None,
    policy_file: Path | None,
) -> None:
    """Measure the sizes of this program as it is now and write the baseline.

    Each case runs in three fresh processes; figures that differ between them are left out and named.
    Replaces the whole file. Commit it together with the change that it belongs to.
    """
    from firstbyte import places
    from firstbyte.gate.policy import narrowed
    from firstbyte.gate.workshop import default_baseline, new_baseline
    from firstbyte.render.notices import progress
    from firstbyte.whole import require_place

    policy = narrowed(
        policy_file or places.project() / "pyproject.toml",
        corpus=corpus,
        scenarios=scenario,
        backends=backend,
    )
    path = output or default_baseline()
    require_place(path)
    baseline = new_baseline(policy, progress)
    figures = sum(len(case.figures) for case in baseline.cases.values())
    if not figures:
        reasons = "; ".join(map(str, baseline.left_out)) or "no chosen scenario gives one"
        raise click.ClickException(f"no figure can be stored, {path} was not written: {reasons}")
    baseline.save(path)
    for line in baseline.left_out:
        click.echo(f"left out: {line}")
    click.echo(f"{figures} figures of {len(baseline.cases)} cases in {path}")
