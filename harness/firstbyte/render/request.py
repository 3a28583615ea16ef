"""What the outputs of a run are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firstbyte.leaks.kept import Verdicts
from firstbyte.render.headline import HeadlineSpec
from firstbyte.render.tables import RunView

NOTHING_SAID = HeadlineSpec()


@dataclass(frozen=True, slots=True)
class Request:
    """A run as it may be shown, what stands beside it, and what was asked of the output."""

    view: RunView
    made_by: str = ""
    """The command that makes the output, for one that names it; empty for the command of the run."""
    report: str = ""
    """The path of the HTML report, for an output that points to it."""
    headline: HeadlineSpec = NOTHING_SAID
    """What README wants in its headline."""
    against: str = ""
    """The backend that is set against all others; empty for each in turn."""
    threads: int | None = None
    """Compare only variants that decode on at most so many threads."""
    leaks: Verdicts | None = None
    """The verdicts of a leak check that are kept beside the run."""
    selfchecks: Callable[[], Sequence[str]] = tuple
    """What self-checks said of the run's host, a line each; read when an output wants it."""
