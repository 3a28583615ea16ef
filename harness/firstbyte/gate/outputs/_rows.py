"""A verdict as texts, the same in the terminal, in Markdown and in JUnit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firstbyte.gate.result import GateResult
from firstbyte.gate.trials import GateOutcome, TrialFinding
from firstbyte.gate.verdicts import STATUS_METRIC, Verdict
from firstbyte.inert import inert
from firstbyte.units import number, title, unit_for

HEADINGS = ("case", "metric", "base", "head", "change [interval]", "pairs", "would see", "verdict")
WOULD_SEE = (
    '"would see" is the smallest change that this many pairs, with this noise, find nine times in'
    " ten; intervals are 95%, and those of sizes and slopes the range over the pairs"
)
_ABSENT = "-"
_WORST_FIRST = (
    GateOutcome.REGRESSED,
    GateOutcome.INCONCLUSIVE,
    GateOutcome.IMPROVED,
    GateOutcome.PASS,
)


@dataclass(frozen=True, slots=True)
class GateRow:
    """One line of the gate's table; `outcome` is the raw one, `verdict` the text shown for it."""

    case: str
    metric: str
    base: str
    head: str
    change: str
    pairs: str
    would_see: str
    verdict: str
    rule: str
    outcome: GateOutcome

    @property
    def cells(self) -> tuple[str, ...]:
        """Texts under HEADINGS."""
        return (
            self.case,
            self.metric,
            self.base,
            self.head,
            self.change,
            self.pairs,
            self.would_see,
            self.verdict,
        )


def rows(verdicts: Iterable[Verdict]) -> list[GateRow]:
    """The verdicts as rows, worst first, otherwise in their own order."""
    ordered = sorted(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
    return [_row(verdict) for verdict in ordered]


def sentence(result: GateResult) -> str:
    """The verdict for people: how many of how many, and the worst of them with its interval."""
    verdicts = result.verdicts
    if not verdicts:
        return f"{result.outcome}: nothing was measured, so nothing is known"
    those = [verdict for verdict in verdicts if verdict.outcome is result.outcome]
    worst = max(those, key=_size_of_change)
    count = f"{len(those)} of {len(verdicts)}"
    said = {
        GateOutcome.REGRESSED: f"{count} figures became worse, most of all",
        GateOutcome.INCONCLUSIVE: f"{count} figures could not be judged, such as",
        GateOutcome.IMPROVED: f"nothing became worse and {count} figures better, most of all",
        GateOutcome.PASS: f"none of {len(verdicts)} figures became worse; the largest change is",
    }[result.outcome]
    return f"{result.outcome}: {said} {_about(worst)}"


def _size_of_change(verdict: Verdict) -> tuple[bool, float]:
    """Ratios before changes in units of their own, which do not compare; the larger the worse."""
    finding = verdict.finding
    relative = finding.change is not None and finding.unit == "ratio"
    sign = -1.0 if finding.outcome is GateOutcome.IMPROVED else 1.0
    return relative, sign * (finding.change or 0.0)


def _about(verdict: Verdict) -> str:
    name = "status" if verdict.metric == STATUS_METRIC else title(verdict.metric)
    finding = verdict.finding
    what = change(finding) if finding.change is not None else inert(finding.rule)
    return f"{name} of {verdict.case}: {what}"


def change(finding: TrialFinding) -> str:
    """The change with its interval: `+5.1% [+3.9%, +6.2%]`, or in the finding's own unit."""
    if finding.change is None:
        return _ABSENT
    text = _amount(finding.change, finding.unit)
    if finding.low is None and finding.high is None:
        return text
    low = "-∞" if finding.low is None else _amount(finding.low, finding.unit)
    high = "∞" if finding.high is None else _amount(finding.high, finding.unit)
    return f"{text} [{low}, {high}]"


def _row(verdict: Verdict) -> GateRow:
    finding = verdict.finding
    shown = f"{finding.outcome} (waived: {verdict.waived})" if verdict.waived else finding.outcome
    is_status = verdict.metric == STATUS_METRIC
    return GateRow(
        case=verdict.case,
        metric="status" if is_status else title(verdict.metric),
        base=_figure(verdict, finding.base),
        head=_figure(verdict, finding.head),
        change=change(finding),
        pairs=str(finding.pairs) if finding.pairs else _ABSENT,
        would_see=_ABSENT
        if finding.smallest_effect is None
        else _amount(finding.smallest_effect, finding.unit),
        verdict=str(shown),
        rule=inert(finding.rule),
        outcome=finding.outcome,
    )


def _figure(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return _ABSENT
    if verdict.finding.unit != "ratio":
        return f"{_signed(value, '')} {verdict.finding.unit}"
    unit = unit_for(verdict.metric, [value])
    return f"{unit.text(value)} {unit.symbol}".rstrip()


def _amount(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value:+.1%}" if abs(value) >= 0.0095 or value == 0 else f"{value:+.2%}"
    return f"{_signed(value, '+')} {unit}"


def _signed(value: float, plus: str) -> str:
    return f"{'-' if value < 0 else plus}{number(abs(value))}"
