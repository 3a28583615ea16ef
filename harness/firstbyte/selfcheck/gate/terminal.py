"""The gate's part of `firstbyte selfcheck`."""

from __future__ import annotations

from rich.console import RenderableType

from firstbyte import places
from firstbyte.engine.journal import Journal
from firstbyte.gate.policy import narrowed
from firstbyte.say import Say
from firstbyte.selfcheck.gate.certificate import certificate_path
from firstbyte.selfcheck.gate.check import self_check
from firstbyte.selfcheck.gate.table import CertificateTable


def check(
    repetitions: int, say: Say, *, gates: int = 5, resume: bool = False
) -> tuple[RenderableType, bool]:
    """Run the self-check of the project's own policy, keep its certificate, and say whether it holds.

    `repetitions` is the number of gates for each planted change and backend, `gates` that of gates in
    which nothing changes, under each condition. Raises HarnessError where nothing can be resumed.
    """
    policy = narrowed(places.project() / "pyproject.toml")
    journal = Journal(certificate_path().with_name("gate.progress.jsonl"), resume=resume)
    certificate = self_check(policy, say).run(journal, gates=gates, planted_gates=repetitions)
    certificate.save(certificate_path())
    return CertificateTable(certificate).render(), certificate.passes
