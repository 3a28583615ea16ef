"""What a gate hands to its renderers, and the exit code of each outcome."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from firstbyte.gate.trials import GateOutcome
from firstbyte.gate.verdicts import Verdict, overall

EXIT_CODES: Mapping[GateOutcome, int] = {
    GateOutcome.PASS: 0,
    GateOutcome.REGRESSED: 10,
    GateOutcome.INCONCLUSIVE: 11,
    GateOutcome.IMPROVED: 12,
}
"""IMPROVED has a code of its own so that a script can tell it; a pipeline should accept 0 and 12."""

NOT_SELF_CHECKED = (
    "not self-checked on this host: `firstbyte selfcheck gate` measures how often this gate"
    " alarms for nothing here, and what it finds"
)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate from beginning to end."""

    base: str
    head: str
    """What the two sides are, as a reader would name them."""
    rule: str
    verdicts: tuple[Verdict, ...]
    started: str
    seconds: float
    pairs: int
    suspects: int | None = None
    not_gated: tuple[str, ...] = ()
    """What passes or fails with none of the verdicts: shown before them."""
    notes: tuple[str, ...] = ()
    """What the reader has to know to weigh the verdicts: a busy host, drift, what was left out."""
    certificate: str = NOT_SELF_CHECKED
    """False-alarm rate and power of this gate on this host, as its self-check found them."""

    @property
    def outcome(self) -> GateOutcome:
        return overall(self.verdicts)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    def counts(self) -> dict[GateOutcome, int]:
        """Number of verdicts by outcome, worst first; waived findings count as passed."""
        found = Counter(verdict.outcome for verdict in self.verdicts)
        order = (
            GateOutcome.REGRESSED,
            GateOutcome.INCONCLUSIVE,
            GateOutcome.IMPROVED,
            GateOutcome.PASS,
        )
        return {outcome: found[outcome] for outcome in order if found[outcome]}

    def to_json(self) -> str:
        """The whole result for machines; what is unknown or unbounded is null."""
        raw: dict[str, Any] = {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            **asdict(self),
        }
        return json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
