"""Errors that a user can cause or mend: one clear line and an exit code each, printed once, no traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, allowed: Iterable[str]) -> str:
    """What follows a name that does not exist: the one that was perhaps meant, and all there are."""
    names = sorted(allowed)
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"{hint} (allowed: {', '.join(names) or 'none found'})"


class HarnessError(Exception):
    """Base of all errors that the command line prints as one line.

    `exit_code` is what the process ends with; 1 is kept for unexpected exceptions.
    """

    exit_code = 2


class UnknownNameError(HarnessError):
    """A backend, variant, scenario, corpus, instrument or metric that does not exist."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        super().__init__(f"no {kind} '{name}'{nearest(name, allowed)}")


class CorpusError(HarnessError):
    """A corpus cannot be made, found, read or trusted."""

    exit_code = 3


class StoreError(HarnessError):
    """A run folder or record cannot be read or written."""

    exit_code = 4


class IncomparableError(HarnessError):
    """Two runs differ in what must be equal for a comparison; the message names the field."""

    exit_code = 5


class PluginError(HarnessError):
    """A backend or scenario folder does not describe itself correctly."""

    exit_code = 6
