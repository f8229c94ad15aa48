"""`segc install`."""

from __future__ import annotations

import shutil
import sys

import click

from segc.cli.standing import at_work, on_state
from segc.cli.terminal import say


@click.command("install")
@click.option("--heal", is_flag=True, help="Have the timer put right what somebody changed by hand, too.")
@on_state
def command(heal: bool, state_dir: str) -> None:
    """Have systemd enforce the last confirmed generation from boot on.

    It is loaded before the network comes up, and again whenever nftables.service has flushed it. If
    it cannot be, all is closed but what `manage` allows. A timer runs `segc verify`, and `segc agent`
    keeps the sessions.
    """
    from segc.apply.boot import install
    from segc.apply.connections import policy_of
    from segc.apply.errors import ApplyError

    with at_work("", state_dir) as state:
        generation = state.at("confirmed")
        if generation is None:
            raise ApplyError("no generation is confirmed yet: `segc apply` first")
        policy = policy_of(generation.sources())
        written = install(state, policy, generation.meta.node, _myself(), heal)
    say("".join(f"wrote {each}\n" for each in written))


def _myself() -> list[str]:
    """How this segc is run, by paths that hold at boot."""
    found = shutil.which(sys.argv[0]) if not sys.argv[0].endswith(".py") else None
    return [found] if found else [sys.executable, "-m", "segc"]
