"""Options for the outputs that there are: one for each file in a package of outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from firstbyte.render.output import Outputs

FILE = click.Path(path_type=Path, dir_okay=False)
_PREFIX = "output_"


def output_options(
    outputs: Outputs[Any], *, main: str = "", main_help: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option `--NAME FILE` (with dashes) for every output, handed over as `files`, by name.

    The output `main` has the options `--output` and `-o` instead, with a help of its own.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(**given: Any) -> Any:
            files = {
                key.removeprefix(_PREFIX): given.pop(key)
                for key in list(given)
                if key.startswith(_PREFIX)
            }
            return function(files={k: v for k, v in files.items() if v is not None}, **given)

        made: Callable[..., Any] = wrapper
        for name, summary in reversed(outputs.summaries().items()):
            flags = ("--output", "-o") if name == main else (f"--{name.replace('_', '-')}",)
            text = main_help if name == main else f"Also write: {summary}"
            made = click.option(*flags, f"{_PREFIX}{name}", type=FILE, help=text)(made)
        return made

    return decorate
