"""`segc confirm`."""

from __future__ import annotations

import click

from segc.cli.standing import on_host, standing
from segc.cli.terminal import say


@click.command("confirm")
@on_host
def command(netns: str, state_dir: str) -> None:
    """Let stand what was applied with `--confirm`.

    Best done from a new connection: that it can be opened is half of the proof. Where nothing waits,
    what stands is told. Exit code 5: too late, it has been undone.
    """
    from segc.apply.control import confirm

    with standing(netns, state_dir) as state, state.locked():
        generation = confirm(state)
    say(f"{generation.meta.node}: generation {generation.number} stands\n")
