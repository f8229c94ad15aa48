"""`segc uninstall`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from segc.cli.asking_agent import agent_status
from segc.cli.standing import alone, on_host, standing
from segc.cli.terminal import complain, say
from segc.space.words import system_reason

if TYPE_CHECKING:
    from segc.apply.state import State
    from segc.apply.uninstall import Removal


@click.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--links", "devices", is_flag=True, help="Take VLANs, addresses and ports of bridges back, too."
)
@click.option("--stop-forwarding", is_flag=True, help="Have the kernel forward nothing, before it is open.")
@click.option("--purge", is_flag=True, help="Delete the state directory, and with it the history.")
@on_host
def command(
    dry_run: bool,
    yes: bool,
    devices: bool,
    stop_forwarding: bool,
    purge: bool,
    netns: str,
    state_dir: str,
) -> None:
    """Stop enforcing on this host for good: undo `segc install`, and delete the table.

    Says first what it will do, and asks. From then on nothing is refused here, nothing is translated,
    and the kernel forwards from everywhere to everywhere; nobody is locked out. Links, addresses and
    forwarding stay as they are, and so does the history. Exit code 4: `--links` would cut your own
    connection. What was interrupted is finished by doing it again.
    """
    if os.geteuid() != 0:
        raise click.ClickException("`segc uninstall` is for root: it deletes tables and units")
    from pyroute2 import IPRoute

    from segc.apply.control import refuse_while_pending
    from segc.apply.uninstall import remove, survey

    with standing(netns, state_dir) as state, IPRoute() as links:
        kept = state.root.exists()
        with alone(state) if kept and not dry_run else nullcontext():
            refuse_while_pending(state)
            found = survey(state, netns, links, devices=devices, forwarding=stop_forwarding)
            purge = purge and kept
            if not found and not purge:
                say("there is nothing to take away: segc enforces nothing here\n")
                return
            say("".join(f"{line}\n" for line in _plan(found, state, devices, stop_forwarding, purge)))
            if dry_run or not (yes or _agreed()):
                say("nothing was changed\n")
                sys.exit(0 if dry_run else 1)
            for done in remove(found, netns, links):
                say(f"done: {done}\n")
            if purge:
                _purge(state)
    if not netns and agent_status(None, netns) is not None:
        complain("a session agent goes on that systemd has not started: end it\n")


def _plan(found: Removal, state: State, devices: bool, stop_forwarding: bool, purge: bool) -> Iterator[str]:
    """What goes, what comes of that, and what stays."""
    from segc.apply.uninstall import forwards

    yield "this goes from here:"
    if found.units:
        yield f"  the units {', '.join(found.units)}, which are stopped first"
    yield from (f"  {path}" for path in found.files if path.name not in found.units)
    yield from (f"  {step.what}" for step in (*found.links, *found.forwarding))
    if found.table:
        yield "  `table inet segc`"
    if purge:
        yield f"  the history in `{state.root}`"
    yield "from then on segc refuses nothing here: everybody reaches this host, and no address is translated"
    if forwards() and not stop_forwarding:
        yield "the kernel forwards, so every zone reaches every other: `--stop-forwarding` ends that first"
    if not devices:
        yield "VLANs, bridges and addresses stay as they are: `--links` takes back what the policy says"
    if not purge and state.root.exists():
        yield f"the history stays in `{state.root}`, for `segc verify --heal` to enforce it again: `--purge`"
    if found.strangers:
        yield f"left alone, whatever they do, as they are yours: {', '.join(found.strangers)}"


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to be asked; nothing was changed: say `--yes`")
    return click.confirm("go on?")


def _purge(state: State) -> None:
    try:
        left = state.purge()
    except OSError as error:
        raise click.ClickException(f"`{state.root}` cannot be deleted: {system_reason(error)}") from None
    say(f"done: delete {state.root}\n" if not left else f"left in {state.root}: {', '.join(left)}\n")
