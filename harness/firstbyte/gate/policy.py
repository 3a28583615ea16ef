"""The gate's policy: `[tool.firstbyte.gate]` of a pyproject.toml.

    [tool.firstbyte.gate]
    corpus = "mt"
    scenarios = ["full_scan"]
    backends = ["pyarrow:buffered"]
    tolerance = 0.02                       # times: a change up to this never fails
    size_tolerance = 0.005                 # allocator peak, bytes, counts

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

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from firstbyte.errors import HarnessError, UnknownNameError
from firstbyte.gate.metrics import Tolerances, gated_metric
from firstbyte.gate.trials import Outcome
from firstbyte.gate.verdicts import Verdict

TABLE = "tool.firstbyte.gate"


class PolicyError(HarnessError):
    """The policy cannot be read, or says something that it must not."""

    exit_code = 13


class ExpiredWaiverError(PolicyError):
    """A waiver is past its date."""

    exit_code = 14


@dataclass(frozen=True, slots=True)
class Waiver:
    """A known finding that does not fail the gate until a date."""

    reason: str
    expires: date
    scenario: str = "*"
    backend: str = "*"
    """`name:variant`, or `name` for all of its variants."""
    metric: str = "*"
    up_to: float | None = None

    def covers(self, scenario: str, backend: str, verdict: Verdict) -> bool:
        """Whether the finding is one that this waiver accepts."""
        finding = verdict.finding
        if finding.outcome not in (Outcome.REGRESSED, Outcome.INCONCLUSIVE):
            return False
        if self.up_to is not None and (finding.change is None or finding.change > self.up_to):
            return False
        return (
            fnmatchcase(scenario, self.scenario)
            and any(fnmatchcase(name, self.backend) for name in (backend, backend.split(":")[0]))
            and fnmatchcase(verdict.metric, self.metric)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What is gated, how strictly, and what is waived. An empty choice means everything."""

    corpus: str | None = None
    scenarios: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the workers of memory cells."""
    tolerances: Tolerances = field(default_factory=Tolerances)
    waivers: tuple[Waiver, ...] = ()

    def waive(
        self, verdicts: Iterable[Verdict], names: Mapping[str, tuple[str, str]]
    ) -> tuple[Verdict, ...]:
        """Mark what a waiver covers. `names` maps a case to its scenario and `backend:variant`."""
        return tuple(
            replace(verdict, waived=self._reason(*names[verdict.case], verdict))
            for verdict in verdicts
        )

    def _reason(self, scenario: str, backend: str, verdict: Verdict) -> str:
        for waiver in self.waivers:
            if waiver.covers(scenario, backend, verdict):
                return f"{waiver.reason}, until {waiver.expires}"
        return ""


def read_policy(pyproject: Path, today: date) -> Policy:
    """The policy in that file; the default one where the file or the table does not exist.

    Raises PolicyError naming file and key, ExpiredWaiverError, or UnknownNameError for a metric.
    """
    try:
        raw = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Policy()
    except (OSError, ValueError) as error:
        raise PolicyError(f"cannot read {pyproject}: {error}") from error
    table: Any = raw
    for name in TABLE.split("."):
        table = table.get(name, {})
    return _parse(table, str(pyproject), today)


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


def _parse(table: Any, where: str, today: date) -> Policy:
    _only(
        table,
        where,
        TABLE,
        (
            "corpus",
            "scenarios",
            "backends",
            "metrics",
            "params",
            "environment",
            "tolerance",
            "size_tolerance",
            "tolerances",
            "waivers",
        ),
    )
    named = {
        name: _fraction(value, where, f"{TABLE}.tolerances.{name}")
        for name, value in table.get("tolerances", {}).items()
    }
    for name in named:
        gated_metric(name.rpartition(".")[2])
    metrics = _names(table, where, "metrics")
    for name in metrics:
        gated_metric(name)
    defaults = Tolerances()
    return Policy(
        corpus=table.get("corpus"),
        scenarios=_names(table, where, "scenarios"),
        backends=_names(table, where, "backends"),
        metrics=metrics,
        params={
            name: tuple(str(value) for value in values)
            for name, values in table.get("params", {}).items()
        },
        environment=_variables(table, where),
        tolerances=Tolerances(
            time=_fraction(table.get("tolerance", defaults.time), where, f"{TABLE}.tolerance"),
            size=_fraction(
                table.get("size_tolerance", defaults.size), where, f"{TABLE}.size_tolerance"
            ),
            named=named,
        ),
        waivers=tuple(_waiver(entry, where, today) for entry in table.get("waivers", ())),
    )


def _waiver(entry: Any, where: str, today: date) -> Waiver:
    key = f"{TABLE}.waivers"
    _only(entry, where, key, tuple(item.name for item in fields(Waiver)))
    reason, expires = entry.get("reason", ""), entry.get("expires")
    if not isinstance(reason, str) or not reason.strip():
        raise PolicyError(f"{where}: {key}: a waiver needs a reason")
    if isinstance(expires, datetime):
        expires = expires.date()
    if not isinstance(expires, date):
        raise PolicyError(f"{where}: {key}: waiver '{reason}' needs expires = YYYY-MM-DD, unquoted")
    if expires < today:
        raise ExpiredWaiverError(
            f"{where}: waiver '{reason}' expired on {expires}: mend the cause or renew it"
        )
    limit = entry.get("up_to")
    return Waiver(
        **{
            **entry,
            "expires": expires,
            "up_to": None if limit is None else _fraction(limit, where, f"{key}.up_to"),
        }
    )


def _only(table: Any, where: str, key: str, allowed: tuple[str, ...]) -> None:
    if not isinstance(table, Mapping):
        raise PolicyError(f"{where}: {key} must be a table")
    for name in table:
        if name not in allowed:
            raise PolicyError(f"{where}: {UnknownNameError(f'key in {key}', name, allowed)}")


def _names(table: Mapping[str, Any], where: str, key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise PolicyError(f"{where}: {TABLE}.{key} must be a list of names")
    return tuple(value)


def _variables(table: Mapping[str, Any], where: str) -> dict[str, str]:
    variables = table.get("environment", {})
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        raise PolicyError(f"{where}: {TABLE}.environment must map names to texts")
    return variables


def _fraction(value: Any, where: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PolicyError(f"{where}: {key} must be a number such as 0.02")
    return parse_fraction(str(value), f"{where}: {key}")
