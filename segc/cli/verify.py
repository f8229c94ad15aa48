"""`segc verify`."""

from __future__ import annotations

import sys

import click

from segc.cli import options
from segc.cli.standing import on_host


@click.command("verify")
@options.paths
@click.option(
    "--file", "file", metavar="FILE", help="Compare this ruleset with the policy; - is standard input."
)
@click.option(
    "--gateway", metavar="NAME", help="With `--file`: whose ruleset it is, where there are several."
)
@click.option("--heal", is_flag=True, help="Put right what differs.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@options.color
@on_host
def command(
    paths: tuple[str, ...],
    file: str | None,
    gateway: str | None,
    heal: bool,
    format_: str,
    color: str,
    netns: str,
    state_dir: str,
) -> None:
    """Compare what the kernel enforces with what was applied, or a ruleset with a policy.

    Tells what somebody added, removed or changed by hand, and who gains or loses access by it. Exit
    code 3: it differs. Other tables than segc's are never touched.

    With `--file` it proves that a ruleset says what the policy at PATH says, for all addresses,
    services, sessions and times, or shows packets that the two treat differently.
    """
    if file is None:
        if paths or gateway:
            raise click.UsageError("a policy is compared with a ruleset: name that with `--file`")
        from segc.cli.drift import verify_host

        sys.exit(verify_host(netns, state_dir, heal, format_))
    if heal or netns:
        raise click.UsageError("`--file` compares a file; `--heal` and `--netns` are for a kernel")
    from segc.cli.proved import verify_file

    sys.exit(verify_file(paths, file, gateway, format_, color))
