"""The command line as click has it: every command that can be called, with its options."""

from __future__ import annotations

from collections.abc import Iterator

import click

from firstbyte.__main__ import cli


def commands(
    of: click.Command = cli, path: str = "firstbyte"
) -> Iterator[tuple[str, click.Command]]:
    """Full name and command of every verb, `firstbyte corpus build` among them."""
    if not isinstance(of, click.Group):
        yield path, of
        return
    context = click.Context(of)
    for name in of.list_commands(context):
        command = of.get_command(context, name)
        assert command is not None
        yield from commands(command, f"{path} {name}")


def options(command: click.Command) -> set[str]:
    """Its options, long and short."""
    return {
        name
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }
