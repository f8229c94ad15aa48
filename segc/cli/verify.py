"""`segc verify`."""

from __future__ import annotations

import sys

import click

from segc.cli.drift import verify_host
from segc.cli.standing import on_host


@click.command("verify")
@click.option("--heal", is_flag=True, help="Put right what differs.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@on_host
def command(heal: bool, format_: str, netns: str, state_dir: str) -> None:
    """Compare what the kernel enforces with what was applied.

    Tells what somebody added, removed or changed by hand, and who gains or loses access by it. Exit
    code 3: it differs. Other tables than segc's are never touched.
    """
    sys.exit(verify_host(netns, state_dir, heal, format_))
