"""`firstbyte gate`: did this change make anything slower, larger or leakier?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstbyte.commands._outputs import FILE, output_options
from firstbyte.gate.outputs import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from firstbyte.gate.policy import Policy
    from firstbyte.gate.result import GateResult


@click.command(short_help="Compare two revisions or environments; fail only on what is sure.")
@click.option("--base", metavar="REV", help="Revision to compare with, such as origin/main.")
@click.option(
    "--head", metavar="REV", help="Revision to judge.  [default: the working tree as it is]"
)
@click.option(
    "--base-env",
    multiple=True,
    metavar="REQUIREMENT",
    help='Library of the base side, such as "pyarrow==25.0.1"; repeatable.',
)
@click.option(
    "--head-env", multiple=True, metavar="REQUIREMENT", help="The same for the head side."
)
@click.option("--metric", "-m", multiple=True, help="Gated metric; repeatable.  [default: all]")
@click.option("--scenario", "-s", multiple=True, help="Scenario; repeatable.  [default: policy]")
@click.option(
    "--backend",
    "-b",
    multiple=True,
    help="Backend, as NAME or NAME:VARIANT; repeatable.  [default: policy]",
)
@click.option(
    "--param", "-p", multiple=True, metavar="NAME=VALUE", help="Keep only this value; repeatable."
)
@click.option("--corpus", "-c", help="Corpus.  [default: policy, else mt]")
@click.option(
    "--tolerance",
    multiple=True,
    metavar="[[SCENARIO.]METRIC=]FRACTION",
    help="Change that never fails, such as 5% or cpu_ns=0.03; repeatable.  [default: 2% of times]",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Stop after this long, such as 10m; what is open then is INCONCLUSIVE.",
)
@click.option(
    "--reuse-environment",
    is_flag=True,
    help="Run both sides with this interpreter; refused where more than Python code differs.",
)
@click.option(
    "--memory-only",
    is_flag=True,
    help="No base side: hold sizes against the committed baseline.",
)
@click.option(
    "--accept-inconclusive",
    is_flag=True,
    help="Exit with 0 where nothing can be judged here, and say so: only what is worse fails.",
)
@click.option("--baseline", type=FILE, help="Baseline file  [default: in results/baselines/]")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with [tool.firstbyte.gate].  [default: pyproject.toml of the current project]",
)
@output_options(OUTPUTS)
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def command(
    base: str | None,
    head: str | None,
    base_env: tuple[str, ...],
    head_env: tuple[str, ...],
    metric: tuple[str, ...],
    scenario: tuple[str, ...],
    backend: tuple[str, ...],
    param: tuple[str, ...],
    corpus: str | None,
    tolerance: tuple[str, ...],
    budget: str | None,
    reuse_environment: bool,
    memory_only: bool,
    accept_inconclusive: bool,
    baseline: Path | None,
    policy_file: Path | None,
    quiet: bool,
    files: dict[str, Path],
) -> None:
    """Compare head with base on this machine, now, in interleaved pairs of fresh processes.

    Exit code: 0 PASS, 10 REGRESSED, 11 INCONCLUSIVE (never a silent pass), 12 IMPROVED, 13 a wrong
    policy, 14 an expired waiver, 15 a side that cannot be exported or installed, 16 a damaged
    baseline; 2 for other bad input. A pipeline should accept 0 and 12.

    \b
      firstbyte gate --base origin/main
      firstbyte gate --base-env pyarrow==25.0.1 --head-env pyarrow==26.0.1 -b pyarrow
      firstbyte gate --memory-only
    """
    from firstbyte import places
    from firstbyte.gate.budget import parse_seconds
    from firstbyte.gate.policy import narrowed
    from firstbyte.gate.trials import GateOutcome
    from firstbyte.render import notices
    from firstbyte.whole import require_place

    if bool(base or base_env or head_env) == memory_only:
        raise click.UsageError(
            "say what to compare with: --base REV, --base-env/--head-env, or --memory-only"
        )
    if base and (base_env or head_env):
        raise click.UsageError(
            "--base compares revisions, --base-env and --head-env libraries under the same sources: "
            "give one of the two, or nobody could say what a change is due to"
        )
    for path in files.values():
        require_place(path)
    policy = narrowed(
        policy_file or places.project() / "pyproject.toml",
        corpus=corpus,
        scenarios=scenario,
        backends=backend,
        metrics=metric,
        params=param,
        tolerances=tolerance,
    )
    say = notices.silent if quiet else notices.progress
    if memory_only:
        from firstbyte.gate.baselines import IncomparableBaselineError, MissingBaselineError

        try:
            result = _memory_only(policy, baseline, say)
        except (IncomparableBaselineError, MissingBaselineError) as error:
            if not accept_inconclusive:
                raise
            click.echo(f"INCONCLUSIVE, accepted: {error}")
            return
    else:
        from firstbyte.engine.fingerprint import host
        from firstbyte.gate.sources import WORKING_TREE
        from firstbyte.gate.workshop import GateRequest, paired_gate
        from firstbyte.selfcheck.gate import certificate

        with paired_gate(
            GateRequest(base, head or WORKING_TREE, base_env, head_env, reuse_environment),
            policy,
            folder=Path.cwd(),
            say=say,
            budget_seconds=parse_seconds(budget) if budget else None,
        ) as gate:
            gate.certificate = certificate.of_host(host())
            result = gate.run()
    _report(result, files)
    if accept_inconclusive and result.outcome is GateOutcome.INCONCLUSIVE:
        click.echo("INCONCLUSIVE, accepted: nothing was found to be worse, and not all was judged")
        return
    sys.exit(result.exit_code)


def _memory_only(policy: Policy, baseline: Path | None, say: Callable[[str], None]) -> GateResult:
    from firstbyte.gate import baselines
    from firstbyte.gate.workshop import default_baseline, memory_gate

    path = baseline or default_baseline()
    return memory_gate(baselines.load(path), f"baseline {path.name}", policy, say).run()


def _report(result: GateResult, files: Mapping[str, Path]) -> None:
    from rich.console import Console

    Console().print(OUTPUTS.load("table").render(result))
    for name, path in files.items():
        OUTPUTS.write(name, result, path)
