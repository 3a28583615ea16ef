"""The command line. Each verb is a file in `firstbyte.commands`, imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path

import click

from firstbyte import __version__, variables
from firstbyte.errors import HarnessError
from firstbyte.render import notices

COMMANDS = {
    path.stem: path for path in sorted((Path(__file__).parent / "commands").glob("[!_]*.py"))
}


class Verbs(click.Group):
    """Lists the verbs by their files and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"firstbyte.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            raise click.UsageError(f"no command '{args[0]}' (allowed: {', '.join(COMMANDS)})")
        return super().resolve_command(ctx, args)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firstbyte")
def cli() -> None:
    """Measure time to first byte, throughput and memory of data readers, each in its own process.

    Shell completion: eval "$(_FIRSTBYTE_COMPLETE=bash_source firstbyte)" (or zsh_source, fish_source).
    """
    try:
        Path.cwd()
    except OSError as error:
        raise HarnessError(
            f"the current folder cannot be used ({error.strerror}); change to another one"
        ) from error


OF_THE_MACHINE = frozenset(
    {
        *(errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.EMFILE),
        *(errno.ENAMETOOLONG, errno.ENFILE, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
    }
)
"""What the system may answer about a file of the user's, however right the program is."""


def main() -> None:
    """Run the command line. What a user can mend is one line on standard error and an exit code."""
    try:
        variables.check(os.environ)
        cli.main(prog_name="firstbyte", standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        sys.exit(exit_request.exit_code)
    except click.ClickException as error:
        notices.error(error.format_message())
        sys.exit(error.exit_code)
    except HarnessError as error:
        notices.error(str(error))
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        notices.error("interrupted; `--resume` goes on with a run")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        if error.errno not in OF_THE_MACHINE or error.filename is None:
            raise
        notices.error(f"cannot use {error.filename}: {error.strerror}")
        sys.exit(HarnessError.exit_code)


if __name__ == "__main__":
    main()
