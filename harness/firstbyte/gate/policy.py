"""The gate's policy: `[tool.firstbyte.gate]` of a pyproject.toml.

    [tool.firstbyte.gate]
    corpus = "mt"
    scenarios = ["full_scan"]
    backends = ["pyarrow:buffered"]
    tolerance = 0.02                       # times: a change up to this never fails
    size_tolerance = 0.005                 # allocator peak, bytes, counts
    memory_tolerance = 0.03                # what the kernel counts

    [tool.firstbyte.gate.params]
    cache = ["warm"]

    [tool.firstbyte.gate.environment]      # for memory cells only, on both sides: variables that
    ARROW_DEFAULT_MEMORY_POOL = "system"   # make a library allocate where the heap tracer sees it

    [tool.firstbyte.gate.tolerances]       # by metric, or by scenario and metric
    cpu_ns = 0.03
    "full_scan.net_wall_ns" = 0.05

    [[tool.firstbyte.gate.waivers]]
    scenario = "full_scan"                 # each may hold * and ?; left out, it means all
    backend = "polars:*"
    metric = "peak_heap_bytes"
    up_to = 0.10                           # larger changes are not covered; left out, all are
    reason = "decode-ahead was made deeper on purpose"
    expires = 2027-01-31

A waiver without a reason or an expiry date is refused, and one that has expired fails the gate before
anything is measured: a waiver is a promise with a date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from firstbyte.contracts import ContractError, as_written, conform, read_toml, table
from firstbyte.engine.registry import Catalogue
from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.gate.metrics import GATED_METRICS, Tolerances, gated_metric
from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.verdicts import Verdict
from firstbyte.model import CellKey, Param

TABLE = "tool.firstbyte.gate"

Default = TypeVar("Default", float, None)


class PolicyError(HarnessError):
    """The policy cannot be read, or says something that it must not."""

    exit_code = 13


class ExpiredWaiverError(PolicyError):
    """A waiver is past its date."""

    exit_code = 14


Fraction = float | str
"""As a user may write it: 0.05 or "5%"."""


@dataclass(frozen=True, slots=True)
class WaiverScope:
    """What a waiver is for, and until when."""

    reason: str
    expires: date
    scenario: str = "*"
    backend: str = "*"
    """`name:variant`, or `name` for all of its variants."""
    metric: str = "*"


@dataclass(frozen=True, slots=True)
class Waiver(WaiverScope):
    """A known finding that does not fail the gate until a date."""

    up_to: float | None = None

    def covers(self, verdict: Verdict) -> bool:
        """Whether the finding is one that this waiver accepts."""
        finding = verdict.finding
        if finding.outcome not in (GateOutcome.REGRESSED, GateOutcome.INCONCLUSIVE):
            return False
        if self.up_to is not None and (finding.change is None or finding.change > self.up_to):
            return False
        cell = CellKey.parse(verdict.case)
        return (
            fnmatchcase(cell.scenario, self.scenario)
            and any(fnmatchcase(name, self.backend) for name in (str(cell.subject), cell.backend))
            and fnmatchcase(verdict.metric, self.metric)
        )


@dataclass(frozen=True, slots=True)
class WaiverTable(WaiverScope):
    """`[[tool.firstbyte.gate.waivers]]` as it is written."""

    up_to: Fraction | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a waiver needs a reason")


@dataclass(frozen=True, slots=True)
class GateChoice:
    """What is gated. An empty choice means everything."""

    corpus: str | None = None
    scenarios: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the workers of memory cells."""


@dataclass(frozen=True, slots=True)
class Policy(GateChoice):
    """What is gated, how strictly, and what is waived."""

    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tolerances: Tolerances = field(default_factory=Tolerances)
    waivers: tuple[Waiver, ...] = ()

    def waive(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """Mark what a waiver covers."""
        return tuple(replace(verdict, waived=self._reason(verdict)) for verdict in verdicts)

    def _reason(self, verdict: Verdict) -> str:
        for waiver in self.waivers:
            if waiver.covers(verdict):
                return f"{waiver.reason}, until {waiver.expires}"
        return ""


@dataclass(frozen=True, slots=True)
class PolicyTable(GateChoice):
    """`[tool.firstbyte.gate]` as it is written."""

    params: Mapping[str, tuple[Param, ...]] = field(default_factory=dict)
    tolerance: Fraction | None = None
    size_tolerance: Fraction | None = None
    memory_tolerance: Fraction | None = None
    tolerances: Mapping[str, Fraction] = field(default_factory=dict)
    waivers: tuple[WaiverTable, ...] = ()


def read_policy(pyproject: Path, today: date) -> Policy:
    """The policy in that file; the default one where the file or the table does not exist.

    Raises PolicyError naming file and key, ExpiredWaiverError, or UnknownNameError for a metric.
    """
    try:
        raw = table(read_toml(pyproject), TABLE)
    except FileNotFoundError:
        return Policy()
    except (OSError, ContractError) as error:
        raise PolicyError(f"cannot read {pyproject}: {error}") from error
    where = f"{pyproject}: {TABLE}"
    try:
        return _policy(conform(raw, PolicyTable), where, today)
    except ContractError as error:
        raise PolicyError(f"{where}: {error}") from error


def check_names(policy: Policy, catalogue: Catalogue) -> None:
    """Refuse a tolerance and a waiver that can never apply, as their names fit nothing that there is.

    Raises UnknownNameError.
    """
    for name in policy.tolerances.named:
        scenario, dot, _ = name.rpartition(".")
        if dot:
            catalogue.scenario(scenario)
    subjects = {str(one.subject) for name in catalogue.backends for one in catalogue.variants(name)}
    for waiver in policy.waivers:
        for kind, pattern, names in (
            ("scenario", waiver.scenario, set(catalogue.scenarios)),
            ("backend", waiver.backend, subjects | set(catalogue.backends)),
            ("metric", waiver.metric, set(GATED_METRICS)),
        ):
            if not any(fnmatchcase(name, pattern) for name in names):
                raise UnknownNameError(f"{kind} for waiver '{waiver.reason}',", pattern, names)


def narrowed(
    pyproject: Path,
    *,
    corpus: str | None = None,
    scenarios: Sequence[str] = (),
    backends: Sequence[str] = (),
    metrics: Sequence[str] = (),
    params: Sequence[str] = (),
    tolerances: Sequence[str] = (),
) -> Policy:
    """The policy in that file as of today, with what a command line chose in the place of its own.

    `params` are texts `NAME=VALUE`. Raises what `read_policy` and `with_tolerances` raise.
    """
    policy = read_policy(pyproject, datetime.now().date())
    chosen: dict[str, tuple[str, ...]] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise PolicyError(f"--param takes NAME=VALUE, got '{text}'")
        chosen[name] = (*chosen.get(name, ()), value)
    for name in metrics:
        gated_metric(name)
    policy = replace(
        policy,
        corpus=corpus or policy.corpus,
        scenarios=tuple(scenarios) or policy.scenarios,
        backends=tuple(backends) or policy.backends,
        metrics=tuple(metrics) or policy.metrics,
        params={**policy.params, **chosen},
    )
    return with_tolerances(policy, tolerances)


def with_tolerances(policy: Policy, options: Sequence[str]) -> Policy:
    """The policy with `--tolerance` options applied: `5%`, `cpu_ns=5%`, `full_scan.cpu_ns=0.05`.

    Raises PolicyError or UnknownNameError.
    """
    tolerances = policy.tolerances
    for option in options:
        name, equals, text = option.rpartition("=")
        value = parse_fraction(text, "--tolerance")
        if equals:
            gated_metric(name.rpartition(".")[2])
            tolerances = replace(tolerances, named={**tolerances.named, name: value})
        else:
            tolerances = replace(tolerances, time=value)
    return replace(policy, tolerances=tolerances)


def parse_fraction(text: str, where: str) -> float:
    """`5%` or `0.05` as 0.05. Raises PolicyError for anything that is not above 0."""
    stripped = text.strip()
    try:
        value = float(stripped.removesuffix("%")) / (100 if stripped.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise PolicyError(f"{where}: '{text}' is not a positive fraction (write 0.05 or 5%)")
    return value


def _policy(said: PolicyTable, where: str, today: date) -> Policy:
    for name in (*said.metrics, *(name.rpartition(".")[2] for name in said.tolerances)):
        gated_metric(name)
    defaults = Tolerances()
    return Policy(
        **as_written(GateChoice, said),
        params={name: tuple(map(str, values)) for name, values in said.params.items()},
        tolerances=Tolerances(
            time=_fraction(said.tolerance, f"{where}.tolerance", defaults.time),
            size=_fraction(said.size_tolerance, f"{where}.size_tolerance", defaults.size),
            memory=_fraction(said.memory_tolerance, f"{where}.memory_tolerance", defaults.memory),
            named={
                name: parse_fraction(str(value), f"{where}.tolerances.{name}")
                for name, value in said.tolerances.items()
            },
        ),
        waivers=tuple(_waiver(entry, where, today) for entry in said.waivers),
    )


def _waiver(entry: WaiverTable, where: str, today: date) -> Waiver:
    if entry.expires < today:
        raise ExpiredWaiverError(
            f"{where}: waiver '{entry.reason}' expired on {entry.expires}:"
            " mend the cause or renew it"
        )
    up_to = _fraction(entry.up_to, f"{where}.waivers.up_to", None)
    return Waiver(**as_written(WaiverScope, entry), up_to=up_to)


def _fraction(value: Fraction | None, where: str, otherwise: Default) -> float | Default:
    return otherwise if value is None else parse_fraction(str(value), where)
