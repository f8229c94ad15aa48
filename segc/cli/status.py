"""`segc status`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from segc.cli.standing import on_host, standing
from segc.cli.terminal import complain, emit, say

if TYPE_CHECKING:
    from segc.apply.state import State


@click.command("status")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@on_host
def command(format_: str, netns: str, state_dir: str) -> None:
    """Tell which generation stands, and whether one waits to be confirmed.

    What an apply left behind that died is put right first. Whether the kernel still holds what was
    applied is for `segc verify`.
    """
    from segc.apply.control import recover

    with standing(netns, state_dir) as state:
        if state.pointer("pending") is not None:
            with state.locked():
                told = recover(state)
            if told:
                complain(f"{told}\n")
        found = _status(state)
    emit(json.dumps(found, indent=2) + "\n") if format_ == "json" else say(_text(found))


def _status(state: State) -> dict[str, Any]:
    """See `segc/schemas/status.schema.json`."""
    from segc.apply import live, timer

    held = live.held()
    current = state.at("current")
    left = timer.remaining(state) if state.pointer("pending") is not None else None
    return {
        "node": current.meta.node if current else None,
        "policy": current.meta.policy if current else None,
        "current": current.number if current else None,
        "confirmed": state.pointer("confirmed"),
        "pending": state.pointer("pending"),
        "confirm_within": None if left is None else max(0, round(left)),
        "kernel": {"table": held.present, "generation": held.markers[0] if len(held.markers) == 1 else None},
    }


def _text(found: dict[str, Any]) -> str:
    lines = []
    kernel, current = found["kernel"], found["current"]
    if current is None:
        lines.append("nothing has been applied here")
    else:
        lines.append(f"{found['node']}: generation {current} stands, policy {found['policy'][:12]}")
    if found["pending"] is not None:
        lines.append(f"it is undone in {found['confirm_within']} s unless `segc confirm` comes")
    if not kernel["table"]:
        lines.append("the kernel has no table `inet segc`: nothing is enforced")
    elif current is not None and kernel["generation"] != current:
        lines.append("the kernel holds another ruleset: see `segc verify`")
    return "".join(f"{line}\n" for line in lines)
