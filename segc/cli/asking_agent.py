"""What the commands share that ask the agent: its socket, and how a refusal ends them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from segc.sessions.client import UnansweredError, ask, socket_path

socket_option = click.option(
    "--socket",
    "socket_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where the agent listens.  [default: /run/segc/sessions.sock]",
)
netns_option = click.option("--netns", metavar="NAME", default="", help="Ask the agent of this namespace.")


def asked(path: Path | None, netns: str, request: dict[str, Any]) -> dict[str, Any]:
    """The agent's answer; what it refuses, and that it does not answer, end the command."""
    try:
        found = ask(path or socket_path(netns), request)
    except UnansweredError as error:
        raise click.ClickException(str(error)) from None
    if not found.get("ok"):
        raise click.ClickException(str(found.get("error", "the agent refuses, and does not say why")))
    return found


def agent_status(path: Path | None, netns: str) -> dict[str, Any] | None:
    """What the agent says of itself, None where none answers."""
    try:
        found = ask(path or socket_path(netns), {"do": "status"}, patience=2)
    except UnansweredError:
        return None
    return {name: found[name] for name in ("generation", "enforced", "problem", "sessions")}


def local(wall: float) -> str:
    """A moment as people here read it."""
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S")
