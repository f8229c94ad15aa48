"""`segc unbind`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segc.cli.asking_agent import asked, netns_option, socket_option
from segc.cli.terminal import complain, say
from segc.identity.kinds import KINDS

SHUT = "who shall stay out has to lose their certificate, key or account"


@click.command("unbind")
@click.option("--user", metavar="NAME", help="Sessions of this person.")
@click.option("--address", metavar="ADDRESS", help="The session of this address.")
@click.option("--device", metavar="NAME", help="Sessions on this device.")
@click.option("--source", metavar="NAME", help="Sessions of this source: with `--id` one, with `--all` all.")
@click.option("--id", "id_", metavar="ID", help="The source's own name for the session.")
@click.option("--all", "all_", is_flag=True, help="All sessions of the source.")
@socket_option
@netns_option
def command(
    user: str | None,
    address: str | None,
    device: str | None,
    source: str | None,
    id_: str | None,
    all_: bool,
    socket_path: Path | None,
    netns: str,
) -> None:
    """End sessions, and with them the connections that they let in.

    Of several options all must hold. That there is no such session is no error. Whoever proves anew who
    they are has a new session; where that happens by itself, it is told.
    """
    if not (user or address or device or (source and (id_ or all_))):
        raise click.UsageError(
            "which sessions? Say `--user`, `--address` or `--device`, or `--source` with `--id` or `--all`"
        )
    named = {"user": user, "address": address, "device": device, "source": source, "id": id_}
    request: dict[str, Any] = {"do": "unbind"}
    request |= {name: value for name, value in named.items() if value is not None}
    if all_:
        request["all"] = True
    answer = asked(socket_path, netns, request)
    ended = answer["ended"]
    say(f"ended {ended or 'no'} session{'s' * (ended != 1)}\n")
    for kind in answer.get("kinds", ()):
        if back := KINDS[kind].back:
            complain(f"by {kind} people are back {back}: {SHUT}\n")
