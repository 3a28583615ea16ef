"""What is said on standard error: errors, warnings and progress, each one line, and none of it obeyed."""

from __future__ import annotations

import sys

from firstbyte.inert import inert


def error(text: str) -> None:
    """Why the command ends without doing what it was asked for."""
    _say(text)


def warning(text: str) -> None:
    """What the reader of the results has to know."""
    _say(f"warning: {text}")


def progress(text: str) -> None:
    """What is being done."""
    _say(text)


def silent(_: str) -> None:
    """Says nothing: in the place of `progress` where somebody wants it quiet."""


def _say(text: str) -> None:
    print(f"firstbyte: {inert(' '.join(text.splitlines()))}", file=sys.stderr, flush=True)
