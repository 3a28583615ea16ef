"""`firstbyte selfcheck`: the harness tried on planted faults, on this machine."""

from __future__ import annotations

import importlib
import sys

import click

CHECKS = {
    "memory": "firstbyte.selfcheck.memory.terminal",
    "gate": "firstbyte.selfcheck.gate.terminal",
    "figures": "firstbyte.selfcheck.figures.terminal",
}
"""Part -> module with `check(repetitions, say) -> (renderable, passed)`."""


@click.command(short_help="Try the harness on planted faults and print its certificate.")
@click.argument("parts", nargs=-1, type=click.Choice(list(CHECKS)))
@click.option(
    "--repetitions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How often each planted fault is tried.",
)
@click.option(
    "--gates",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="With `gate`: gates in which nothing changes, under each condition.",
)
@click.option(
    "--quick", is_flag=True, help="With `figures`: a slice of the kinds, which certifies nothing."
)
@click.option("--resume", is_flag=True, help="Go on with a check that was stopped half-way.")
def command(
    parts: tuple[str, ...], repetitions: int, gates: int, quick: bool, resume: bool
) -> None:
    """Try the harness itself on faults of known class and size, and print the certificate.

    PARTS are `memory`, `gate` and `figures`; all by default. Certificates are kept under results/selfcheck/.
    Exit code 1 when a check fails.
    """
    from rich.console import Console

    from firstbyte.render.notices import progress

    if resume and len(parts) != 1:
        raise click.UsageError(f"--resume goes with one part: say one of {', '.join(CHECKS)}")
    passed = True
    for part in parts or CHECKS:
        options: dict[str, dict[str, int]] = {"gate": {"gates": gates}, "figures": {"quick": quick}}
        how = options.get(part, {})
        module = importlib.import_module(CHECKS[part])
        shown, good = module.check(repetitions, progress, resume=resume, **how)
        Console().print(shown)
        passed = passed and good
    if not passed:
        sys.exit(1)
