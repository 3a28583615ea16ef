"""The memory certificate on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from firstbyte.say import Say
from firstbyte.selfcheck.memory.certificate import MemoryCertificate, in_words, save
from firstbyte.selfcheck.memory.check import self_check
from firstbyte.selfcheck.memory.planted import SIGHTS


def check(repetitions: int, say: Say, *, resume: bool = False) -> tuple[RenderableType, bool]:
    """Run the memory self-check, keep its certificate, and return what to print.

    The smallest planted leaks are tried `repetitions` times, other faults and installed backends as
    `planned_repetitions` says.
    """
    made = self_check(repetitions, say, resume=resume)
    path = save(made)
    return Group(*_parts(made), Text(f"kept in {path}", style="dim")), made.passed


def _parts(made: MemoryCertificate) -> list[RenderableType]:
    truths = Table("planted", "is", "right", "said", "would have seen, B/scan", title="verdicts")
    for truth in made.truths:
        truths.add_row(
            truth.variant,
            truth.expected.value,
            f"{truth.right}/{truth.runs}",
            ", ".join(f"{said} {count}" for said, count in truth.said.items()),
            ", ".join(
                f"{ledger.removesuffix('_bytes')} {size:,.0f}"
                for ledger, size in truth.detectable_bytes.items()
            ),
        )
    peaks = Table("planted", "ledger", "planted, MB", "error, MB", "", title="peaks held for 10 ms")
    for peak in made.peaks:
        verdict = "ok" if peak.good else "WRONG"
        peaks.add_row(
            peak.variant,
            peak.ledger,
            f"{peak.planted_bytes / 1e6:,.2f}",
            f"{peak.error_bytes / 1e6:+,.2f}",
            verdict if peak.certified else "withheld: memray cannot see it",
        )
    sights = Table("planted", "memray", "expected", title="visibility")
    for variant, sight in made.sights.items():
        sights.add_row(variant, sight, SIGHTS[variant].value)
    false = [Text(f"FALSE LEAK: {one}", style="bold red") for one in made.false_leaks]
    false += [Text(f"no verdict: {one}", style="bold yellow") for one in made.not_run]
    style = "bold green" if made.passed else "bold red"
    sampler = Text(
        f"sampler: CPU time of the worker with it / without it {made.sampler.ratio:.3f} "
        f"(median of {len(made.sampler.plain_cpu_ns)} pairs)"
    )
    return [truths, peaks, sights, sampler, *false, Text(in_words(made), style=style)]
