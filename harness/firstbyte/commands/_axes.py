"""The options that choose what to run, shared by `run` and `cell`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import click


def axes_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command and hand them over as one `axes` (`firstbyte.engine.plan.Axes`)."""

    @click.option("--scenario", "-s", multiple=True, help="Scenario; repeatable.  [default: all]")
    @click.option(
        "--backend",
        "-b",
        multiple=True,
        help="Backend, as NAME or NAME:VARIANT; repeatable.  [default: all]",
    )
    @click.option(
        "--instrument", "-i", multiple=True, help="Instrument; repeatable.  [default: all]"
    )
    @click.option(
        "--corpus",
        "-c",
        multiple=True,
        help="Corpus, such as gettext, mt:size=100MB or files:'data/*.parquet'; repeatable.  "
        "[default: gettext]",
    )
    @click.option(
        "--param",
        "-p",
        multiple=True,
        metavar="NAME=VALUE",
        help="Keep only this value of a scenario's parameter; repeatable.  [default: all]",
    )
    @click.option("--full", is_flag=True, help="Many more repetitions; takes much longer.")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0.1, max=1e6),
        callback=_number,
        default=120.0,
        show_default=True,
        help="Seconds after which a worker process is killed.",
    )
    @click.option(
        "--memory-limit",
        default="8GB",
        show_default=True,
        help="RssAnon at which a worker process is killed.",
    )
    @wraps(function)
    def wrapper(
        scenario: tuple[str, ...],
        backend: tuple[str, ...],
        instrument: tuple[str, ...],
        corpus: tuple[str, ...],
        param: tuple[str, ...],
        full: bool,
        timeout: float,
        memory_limit: str,
        **others: Any,
    ) -> Any:
        from firstbyte.engine.plan import Axes
        from firstbyte.model import Limits
        from firstbyte.sizes import parse_bytes

        axes = Axes(
            scenarios=scenario,
            backends=backend,
            instruments=instrument,
            corpora=corpus,
            params=_params(param),
            profile="full" if full else "quick",
            limits=Limits(timeout_s=timeout, memory_bytes=parse_bytes(memory_limit)),
        )
        return function(axes=axes, **others)

    return wrapper


def _number(_: click.Context, option: click.Parameter, value: float) -> float:
    if math.isnan(value):  # is within every range, as it is never smaller or greater
        raise click.BadParameter("nan is not a number of seconds")
    return value


def _params(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.UsageError(f"--param takes NAME=VALUE, got '{text}'")
        chosen[name] = (*chosen.get(name, ()), value)
    return chosen
