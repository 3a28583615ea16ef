"""The gate's part of `firstbyte selfcheck`."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import RenderableType

from harness import registry
from harness.gate.policy import narrowed
from harness.gate.selfcheck import certificate_passes
from harness.gate.workshop import certificate_path, self_check
from harness.render.gate_certificate import CertificateTable

PAIRS = 30
"""Unchanged pairs of every timed case: five whole gates."""


def check(repetitions: int, say: Callable[[str], None]) -> tuple[RenderableType, bool]:
    """Run the self-check of the project's own policy, keep its certificate, and say whether it holds.

    `repetitions` is the number of gates for each planted change.
    """
    policy = narrowed(registry.PROJECT / "pyproject.toml")
    certificate = self_check(policy, say).run(pairs=PAIRS, planted_gates=repetitions)
    certificate.save(certificate_path())
    return CertificateTable(certificate).render(), certificate_passes(certificate)
