"""The group of commands, loaded one by one, and what happens when one of them ends badly."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import click

from segc import __version__
from segc.cli.terminal import ClosedError, abandon
from segc.space.words import system_reason

COMMANDS = (
    "init",
    "check",
    "fmt",
    "compile",
    "trace",
    "reach",
    "test",
    "explain",
    "suggest",
    "plan",
    "apply",
    "confirm",
    "rollback",
    "history",
    "status",
    "verify",
    "install",
    "uninstall",
    "bind",
    "unbind",
    "sessions",
    "identity",
    "agent",
    "doctor",
    "source",
)
INTERRUPTED, CLOSED = 128 + 2, 128 + 13  # as a shell reports SIGINT and SIGPIPE
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


class Commands(click.Group):
    """Imports a command's module when it is asked for, so that `segc --version` loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"segc.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from segc.diagnostics.suggest import did_you_mean

            near = did_you_mean(name, COMMANDS)
            raise click.UsageError(f"there is no command `{name}`: {near or 'see `segc --help`'}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        sys.exit(self._exit_code(*args, **{**extra, "standalone_mode": False}))

    def _exit_code(self, *args: Any, **extra: Any) -> int:
        try:
            return super().main(*args, **extra) or 0
        except click.ClickException as error:
            _tell(error.show)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except ClosedError as error:
            return _unwritten(error)
        except Exception as error:
            if isinstance(error, OSError) and _by_click(error):
                return _unwritten(ClosedError(error))
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in EXHAUSTED:
                reason = system_reason(error) if isinstance(error, OSError) else "there is no memory left"
                _tell(partial(click.echo, f"Error: segc cannot go on: {reason}", err=True))
            else:
                _tell(partial(_report_bug, error))
            return 1


def _tell(show: Callable[[], Any]) -> None:
    """Where nobody can be told, the exit code tells all the same."""
    with suppress(OSError):
        show()
    abandon()


def _by_click(error: OSError) -> bool:
    """Whether click could not write its own words, such as those of `--help`."""
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    return step is not None and step.tb_frame.f_globals.get("__name__") == "click.utils"


def _unwritten(error: ClosedError) -> int:
    abandon()
    if not error.reason:
        return CLOSED
    _tell(partial(click.echo, f"Error: the output cannot be written: {error.reason}", err=True))
    return 1


def _report_bug(error: Exception) -> None:
    """Anything that gets here is ours to mend: policies and files give findings, not exceptions."""
    if os.environ.get("SEGC_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    told = f"{type(error).__name__}: {error}".rstrip(": ")
    click.echo(f"segc has a bug: {told}", err=True)
    click.echo("Please report it with the command, the policy if you may share it, and what", err=True)
    click.echo(f"`SEGC_DEBUG=1` adds to this message. This is segc {__version__}.", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s", help="Show the version.")
def segc() -> None:
    """Compile one policy into what every gateway and switch of a network enforces.

    Begin with `segc init`, then `segc check`. The exit code is 0 if all is well, 1 for an error
    and 2 for arguments that make no sense.
    """
