"""The whole result as JSON, for machines; what is unknown or unbounded is null."""

from __future__ import annotations

from firstbyte.gate.result import GateResult


def render(given: GateResult) -> str:
    return given.to_json()
