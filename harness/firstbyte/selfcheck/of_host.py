"""What the self-checks of a host said, a line each: shown in every report of a run made on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstbyte.engine.fingerprint import differences
from firstbyte.errors import HarnessError
from firstbyte.selfcheck.gate import certificate as gate
from firstbyte.selfcheck.memory import certificate as memory


def of_host(host: Mapping[str, Any]) -> tuple[str, ...]:
    """The certificates kept here, as far as they are of that host and can be read; else what to run."""
    return (_memory(host), f"gate: {gate.in_words(host)}")


def _memory(host: Mapping[str, Any]) -> str:
    try:
        made = memory.load()
    except HarnessError as error:
        return f"{memory.in_words(None)} ({error})"
    if made is not None and (differing := differences(made.host, host)):
        return f"{memory.in_words(None)} (there is one of another host: {'; '.join(differing)})"
    return memory.in_words(made)
