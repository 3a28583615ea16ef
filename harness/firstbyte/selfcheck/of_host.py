"""What the self-checks of a host said, a line each: shown in every report of a run made on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstbyte.selfcheck.figures import certificate as figures
from firstbyte.selfcheck.gate import certificate as gate
from firstbyte.selfcheck.memory import certificate as memory


def of_host(host: Mapping[str, Any]) -> tuple[str, ...]:
    """The newest certificates of that host, kept or published; else what to run."""
    return (figures.of_host(host), memory.of_host(host), f"gate: {gate.of_host(host)}")
