"""The tables of options in docs/CLI.md, as click has them: `nox -s docs` puts them into the page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from firstbyte.__main__ import cli

SHARED = ("scenario", "backend", "instrument", "corpus", "param", "full", "timeout", "memory_limit")
"""The axes of a plan, which `run` and `cell` take alike: their table stands once."""


def table(path: str, *, shared: bool = False) -> str:
    """A Markdown table of a command's options, such as those of "firstbyte corpus build".

    Of commands that take the axes of a plan, those options only or all others. Empty where there are
    none. Raises KeyError for a command that does not exist.
    """
    command, context = _found(path)
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    axes = [one for one in options if one.name in SHARED]
    if len(axes) == len(SHARED):
        options = axes if shared else [one for one in options if one not in axes]
    rows = list(_rows(options, context))
    return "\n".join(["| option | value | |", "|---|---|---|", *rows]) if rows else ""


def _found(path: str) -> tuple[click.Command, click.Context]:
    command: click.Command = cli
    context = click.Context(cli)
    for word in path.split()[1:]:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        if found is None:
            raise KeyError(f"no command {path!r}")
        command, context = found, click.Context(found, info_name=word, parent=context)
    return command, context


def _rows(options: list[click.Option], context: click.Context) -> Iterator[str]:
    for option in options:
        record = option.get_help_record(context)
        assert record is not None
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f"`{option.make_metavar(context)}`"
        yield f"| {names} | {_cell(value)} | {_cell(record[1])} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
