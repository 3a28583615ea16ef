"""Puts a gate together: sources, sides, corpus, cases. What the commands call."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firstbyte import places, plugins
from firstbyte.corpora.manifest import Manifest
from firstbyte.engine.environments import Environments, version_differences
from firstbyte.engine.fingerprint import versions
from firstbyte.engine.registry import Catalogue, discover, plugin_roots
from firstbyte.engine.witnesses import resolve
from firstbyte.gate import needs, sides, sources
from firstbyte.gate.baselines import (
    Baseline,
    StoredSide,
    file_name,
    measure,
    memory_metrics,
    require_comparable,
)
from firstbyte.gate.cases import DEFAULT_CORPUS, Case, cases, chosen_metrics
from firstbyte.gate.metrics import GatedMetric, MetricKind
from firstbyte.gate.observe import LiveSide
from firstbyte.gate.policy import Policy
from firstbyte.gate.run import GateRun
from firstbyte.gate.sides import Installer, Side
from firstbyte.gate.sources import SideError, Source
from firstbyte.model import Environment
from firstbyte.say import Say


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What a user asked to compare."""

    base: str | None
    head: str
    base_requirements: tuple[str, ...] = ()
    head_requirements: tuple[str, ...] = ()
    reuse_environment: bool = False


@contextmanager
def paired_gate(
    comparison: GateRequest,
    policy: Policy,
    *,
    folder: Path,
    say: Say,
    budget_seconds: float | None = None,
    installer: Installer | None = None,
) -> Iterator[GateRun]:
    """A gate between two sides, both built; what it needs on disk goes when the block ends.

    `folder` lies inside the git checkout whose revisions are compared. Names are checked before
    anything is built. Raises HarnessError for what a user can mend.
    """
    catalogue = discover()
    metrics = chosen_metrics(policy.metrics)
    repo = sources.repository(folder)
    cache = places.cache() / "gate"
    head = sources.export(repo, comparison.head, cache)
    # Without a base revision the same sources are compared under other libraries.
    base = sources.export(repo, comparison.base or comparison.head, cache)
    manifest = resolve(policy.corpus or DEFAULT_CORPUS)
    chosen = _cases(catalogue, head, policy, manifest, metrics)
    install = installer or (
        sides.this_interpreter
        if comparison.reuse_environment
        else sides.VirtualEnvironments(Environments(cache / "environments", say))
    )
    names = sorted({case.planned.cell.backend for case in chosen})
    for source in (base, head):
        needs.require_current_imports(source, names)
    if comparison.reuse_environment:
        needs.require_same_environment(base, head, names)
    ruler = sides.make_ruler(cache)

    def side(name: str, source: Source, requirements: Sequence[str]) -> Side:
        return sides.make_side(
            name,
            source,
            names,
            installer=install,
            ruler=ruler,
            plugins=plugin_roots(),
            requirements=requirements,
        )

    try:
        both = (
            side("base", base, comparison.base_requirements),
            side("head", head, comparison.head_requirements),
        )
        live = [LiveSide(one, manifest, cache / "prepared", policy.environment) for one in both]
        run = GateRun(
            live[0], live[1], chosen, metrics, policy, budget_seconds=budget_seconds, say=say
        )
        if differing := version_differences(*(side.versions for side in both)):
            run.notes.append(f"installed versions differ (base -> head): {'; '.join(differing)}")
        run.not_gated.extend(_plug_ins(names, both))
        yield run
    finally:
        shutil.rmtree(ruler, ignore_errors=True)


def memory_gate(baseline: Baseline, label: str, policy: Policy, say: Say) -> GateRun:
    """A gate of this program against stored sizes.

    Raises IncomparableBaselineError where the baseline says nothing about this host.
    """
    metrics = memory_metrics(policy.metrics)
    manifest = resolve(baseline.corpus)
    require_comparable(baseline, manifest)
    chosen = cases(discover(), policy, manifest, {MetricKind.SIZE})
    live = LiveSide(this_program(), manifest, prepared(), policy.environment)
    run = GateRun(
        StoredSide(baseline, label), live, chosen, metrics, policy, say=say, same_versions=True
    )
    present = {case.name for case in chosen}
    run.not_gated.extend(
        f"not gated, as it is not in the baseline: {one}"
        for one in baseline.left_out
        if one.case in present
    )
    if not (policy.scenarios or policy.backends or policy.params):
        run.lost.extend(sorted(baseline.cases.keys() - present))
    return run


def new_baseline(policy: Policy, say: Say) -> Baseline:
    """Sizes of this program as it is now."""
    manifest = resolve(policy.corpus or DEFAULT_CORPUS)
    chosen = cases(discover(), policy, manifest, {MetricKind.SIZE})
    live = LiveSide(this_program(), manifest, prepared(), policy.environment)
    return measure(live, chosen, memory_metrics(policy.metrics), manifest, say)


def default_baseline() -> Path:
    """The committed baseline for a host like this one."""
    return places.results() / "baselines" / file_name()


def prepared() -> Path:
    """Where the corpora of gates of this program are kept as its backends want them."""
    return places.cache() / "gate" / "prepared"


def this_program() -> Side:
    """The running program as a side."""
    roots = (plugins.own_root(), *plugin_roots())
    return Side(
        label="this program",
        environment=Environment("head", sys.executable, str(plugins.PACKAGE.parent)),
        roots=roots,
        backends=needs.describe(roots),
        versions=versions(),
        key=needs.sources_key(plugins.own_root()),
    )


def _plug_ins(names: Sequence[str], both: Sequence[Side]) -> list[str]:
    """A line for each backend that lies outside the sources that are compared."""
    shared = [name for name in names if all(name in side.backends for side in both)]
    folders = {name: {side.backends[name].folder for side in both} for name in shared}
    return [
        f"changes of {name} itself: not gated, because both sides take it from {folder}, which is no part of "
        "what is compared"
        for name, (folder, *others) in folders.items()
        if not others
    ]


def _cases(
    catalogue: Catalogue,
    head: Source,
    policy: Policy,
    manifest: Manifest,
    metrics: Sequence[GatedMetric],
) -> tuple[Case, ...]:
    """Cases of the head's backends: availability is a matter of the sides, not of the parent."""
    described = needs.describe((head.folder, *plugin_roots()))
    if not described:
        raise SideError(
            f"nothing to compare: {head.label} has no backends; `firstbyte gate` runs in a git checkout "
            "with backends in `backends/`, such as that of firstbyte itself"
        )
    there = Catalogue(described, catalogue.scenarios)
    return cases(there, policy, manifest, {metric.kind for metric in metrics})
