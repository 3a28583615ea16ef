"""Runs a program that is not ours to its end: git, pip, uv, an interpreter."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from firstbyte.errors import HarnessError

_LAST_LINES = 12


def run(
    command: Sequence[str],
    *,
    error: type[HarnessError],
    env: Mapping[str, str] | None = None,
    stdout: object = subprocess.PIPE,
) -> str:
    """Standard output of a command. Raises `error` with the end of what it said on standard error."""
    try:
        done = subprocess.run(
            command,
            env=env,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,  # type: ignore[call-overload]
        )
    except OSError as problem:
        raise error(f"cannot run {command[0]}: {problem.strerror}") from problem
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-_LAST_LINES:]
        shown = " ".join(word for word in command if not word.startswith("-"))
        raise error(f"`{shown}` failed: {' | '.join(said) or f'exit code {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace") if done.stdout is not None else ""
