"""`segc sessions`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from segc.cli.asking_agent import asked, local, netns_option, socket_option
from segc.cli.terminal import emit, say


@click.command("sessions")
@click.option("--user", metavar="NAME", help="Only sessions of this person.")
@click.option("--address", metavar="ADDRESS", help="Only the session of this address.")
@click.option("--device", metavar="NAME", help="Only sessions on this device.")
@click.option("--source", metavar="NAME", help="Only sessions that this source vouches for.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@socket_option
@netns_option
def command(
    user: str | None,
    address: str | None,
    device: str | None,
    source: str | None,
    format_: str,
    socket_path: Path | None,
    netns: str,
) -> None:
    """Tell who sits behind which address: since when, until when, and why."""
    named = {"user": user, "address": address, "device": device, "source": source}
    request = {"do": "sessions"} | {name: value for name, value in named.items() if value is not None}
    found = asked(socket_path, netns, request)["sessions"]
    found.sort(key=lambda each: (each["user"], each["addresses"]))
    if format_ == "json":
        emit(json.dumps({"sessions": found}, indent=2) + "\n")
    else:
        say("".join(map(_text, found)) + f"{len(found)} session{'s' * (len(found) != 1)}\n")


def _text(session: dict[str, Any]) -> str:
    return (
        f"{session['user']}  {_joined(session['addresses'])}  "
        f"{local(session['since'])} to {local(session['until'])}\n"
        f"  {session['source']}, {session['assurance']}{_on(session)}: {session['why']}\n"
    )


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)


def _on(session: dict[str, Any]) -> str:
    where = [each for each in (session["device"], session["mac"]) if each]
    return f", {_joined(where)}" if where else ""
