"""`segc agent`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from segc.cli.asking_agent import socket_option
from segc.cli.standing import on_host, standing
from segc.cli.terminal import complain


class Loopback(click.ParamType[Any]):
    """An address and a port of this host that others cannot reach, such as `127.0.0.1:9437`."""

    name = "address:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        match = re.fullmatch(r"(127(?:\.[0-9]{1,3}){3}|\[::1\]):([0-9]{1,5})", value)
        if not match or not 0 < int(match[2]) < 65536:
            self.fail(f"`{value}` is no address of this host's own and a port: write `127.0.0.1:9437`")
        return match[1].strip("[]"), int(match[2])


@click.command("agent")
@socket_option
@click.option(
    "--audit",
    metavar="FILE|journald|syslog",
    default="",
    help="Where to tell what happens to sessions, as JSON lines with the field names of ECS.",
)
@click.option(
    "--metrics", type=Loopback(), metavar="ADDRESS:PORT", help="Serve figures for Prometheus at /metrics."
)
@on_host
def command(
    socket_path: Path | None, audit: str, metrics: tuple[str, int] | None, netns: str, state_dir: str
) -> None:
    """Keep the sessions of this host: who sits behind which address, and for how long.

    Sources bind and end sessions by its socket, and it puts them into the sets of the ruleset that
    `segc apply` has put in place. `segc install` has systemd run it.
    """
    from segc.sessions.client import socket_path as usual
    from segc.sessions.run import run

    with standing(netns, state_dir) as state:
        run(state, socket_path or usual(netns), audit, metrics, lambda text: complain(f"{text}\n"))
