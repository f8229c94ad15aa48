"""`segc status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segc.cli.asking_agent import agent_status, socket_option
from segc.cli.standing import on_host, standing
from segc.cli.terminal import complain, emit, say

if TYPE_CHECKING:
    from segc.apply.state import State


@click.command("status")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@socket_option
@on_host
def command(format_: str, socket_path: Path | None, netns: str, state_dir: str) -> None:
    """Tell which generation stands, whether one waits to be confirmed, and what the session agent does.

    What an apply left behind that died is put right first. Whether the kernel still holds what was
    applied is for `segc verify`.
    """
    from segc.apply.control import recover
    from segc.apply.errors import ApplyError

    with standing(netns, state_dir) as state:
        if state.pointer("pending") is not None:
            try:
                with state.locked():
                    told = recover(state)
            except ApplyError as error:  # what stands can be told all the same
                told = str(error)
            if told:
                complain(f"{told}\n")
        found = _status(state) | {"agent": agent_status(socket_path, netns)}
        people = _asks_for_people(state)
    emit(json.dumps(found, indent=2) + "\n") if format_ == "json" else say(_text(found, people))


def _status(state: State) -> dict[str, Any]:
    """See `segc/schemas/status.schema.json`."""
    from segc.apply import live, timer
    from segc.apply.errors import ApplyError

    held = live.held()
    try:
        current = state.at("current")
    except ApplyError as error:
        complain(f"{error}\n")
        current = None
    left = timer.remaining(state) if state.pointer("pending") is not None else None
    return {
        "node": current.meta.node if current else None,
        "policy": current.meta.policy if current else None,
        "current": state.pointer("current"),
        "confirmed": state.pointer("confirmed"),
        "pending": state.pointer("pending"),
        "confirm_within": None if left is None else max(0, round(left)),
        "kernel": {"table": held.present, "generation": held.markers[0] if len(held.markers) == 1 else None},
    }


def _asks_for_people(state: State) -> bool:
    """Whether what stands has a flow that opens by who somebody is, as far as that can be read."""
    from segc.apply.errors import ApplyError
    from segc.apply.work import PEOPLE
    from segc.sessions.book import BookError, read_book

    try:
        current = state.at("current")
        told = current.artifact(PEOPLE) if current else None
        return bool(told and read_book(told).memberships)
    except (ApplyError, BookError):
        return True


def _text(found: dict[str, Any], people: bool) -> str:
    lines = []
    kernel, current = found["kernel"], found["current"]
    if current is None:
        lines.append("nothing has been applied here")
    elif found["node"]:
        lines.append(f"{found['node']}: generation {current} stands, policy {found['policy'][:12]}")
    if found["pending"] is not None:
        lines.append(f"it is undone in {found['confirm_within']} s unless `segc confirm` comes")
    if not kernel["table"]:
        lines.append("the kernel has no table `inet segc` that is awake: nothing is enforced")
    elif current is not None and kernel["generation"] != current:
        lines.append("the kernel holds another ruleset: see `segc verify`")
    lines += _agent_lines(found["agent"], current, people)
    return "".join(f"{line}\n" for line in lines)


def _agent_lines(agent: dict[str, Any] | None, current: int | None, people: bool) -> list[str]:
    if agent is None:
        needed = current and people
        return ["no session agent answers: nobody new gets in by who they are"] if needed else []
    lines = [f"{agent['sessions']} session{'s' * (agent['sessions'] != 1)}"]
    if agent["problem"]:
        lines.append(f"the session agent goes by an older policy: {agent['problem']}")
    elif agent["generation"] is None:
        lines += ["the session agent knows of no policy: see `segc agent --state-dir`"] if current else []
    elif agent["generation"] != current:
        lines.append(f"the session agent goes by generation {agent['generation']}")
    elif not agent["enforced"]:
        lines.append("the kernel lacks sets that sessions belong in: see `segc verify`")
    return lines
