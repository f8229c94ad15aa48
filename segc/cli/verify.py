"""`segc verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from segc.cli import options
from segc.cli.asking_agent import socket_option
from segc.cli.standing import on_host


@click.command("verify")
@options.paths
@click.option(
    "--file", "file", metavar="FILE", help="Compare this ruleset with the policy; - is standard input."
)
@click.option(
    "--gateway",
    "--node",
    "gateway",
    metavar="NAME",
    help="With `--file`: whose ruleset it is, where there are several.",
)
@click.option("--heal", is_flag=True, help="Put right what differs.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@options.color
@socket_option
@on_host
def command(
    paths: tuple[str, ...],
    file: str | None,
    gateway: str | None,
    heal: bool,
    format_: str,
    color: str,
    socket_path: Path | None,
    netns: str,
    state_dir: str,
) -> None:
    """Compare what the kernel enforces with what was applied, or a ruleset with a policy.

    Tells what somebody added, removed or changed by hand, and who gains or loses access by it. Exit
    code 3: it differs. Other tables than segc's are never touched. Who counts as whom by a session is
    compared with what the session agent vouches for, or where none answers with its journal.

    With `--file` it proves that a ruleset says what the policy at PATH says, for all addresses,
    services, sessions and times, or shows packets that the two treat differently.
    """
    if file is None:
        if paths or gateway:
            raise click.UsageError("a policy is compared with a ruleset: name that with `--file`")
        from segc.cli.drift import verify_host
        from segc.sessions.client import socket_path as usual

        sys.exit(verify_host(netns, state_dir, heal, format_, socket_path or usual(netns)))
    if heal or netns or socket_path:
        raise click.UsageError(
            "`--file` compares a file; `--heal`, `--netns` and `--socket` are for a kernel"
        )
    from segc.cli.proved import verify_file

    sys.exit(verify_file(paths, file, gateway, format_, color))
