"""`segc bind`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from segc.cli.asking_agent import agent_status, asked, local, netns_option, socket_option
from segc.cli.terminal import complain, emit, say


class Lifetime(click.ParamType[Any]):
    """A duration as a policy writes it, such as `30m`, `1h30m` or `7d`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from segc.policy.identities import parse_duration

        seconds = parse_duration(f"{value}s" if value.isascii() and value.isdigit() else value)
        if not seconds:
            self.fail(f"`{value}` is no time of up to a year: write it as `30m`, `1h30m` or `7d`")
        return seconds


def fact(text: str) -> tuple[str, bool | int | str]:
    """`disk_encrypted=true`, `level=3`, `os_version=14.5`: what is no truth value or number is a string, and
    what stands in double quotes, such as `os_version="14"`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"`{text}` is no fact: write `name=value`")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return name, value[1:-1]
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else value


@click.command("bind")
@click.option("--user", required=True, metavar="NAME", help="Who it is, as the policy writes it.")
@click.option(
    "--address",
    "addresses",
    required=True,
    multiple=True,
    metavar="ADDRESS",
    help="Where; as often as needed.",
)
@click.option("--mac", metavar="MAC", help="The MAC address behind it.")
@click.option("--device", metavar="NAME", help="The device, as the posture feed calls it.")
@click.option("--mfa", is_flag=True, help="A second factor was proved.")
@click.option(
    "--posture", "postures", multiple=True, metavar="NAME", help="A posture that the device fulfils."
)
@click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="NAME=VALUE",
    help="A fact about the device; what stands in double quotes is a string.",
)
@click.option("--source", default="manual", show_default=True, metavar="NAME", help="Who vouches for it.")
@click.option("--kind", metavar="KIND", help="Of what kind the source is.  [default: manual]")
@click.option("--id", "id_", metavar="ID", help="The source's own name for the session.")
@click.option("--ttl", type=Lifetime(), metavar="TIME", help="For how long it is vouched for.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@socket_option
@netns_option
def command(
    user: str,
    addresses: tuple[str, ...],
    mac: str | None,
    device: str | None,
    mfa: bool,
    postures: tuple[str, ...],
    facts: tuple[str, ...],
    source: str,
    kind: str | None,
    id_: str | None,
    ttl: int | None,
    format_: str,
    socket_path: Path | None,
    netns: str,
) -> None:
    """Bind addresses to a person who was verified, until the claim is over or `segc unbind` ends it.

    What the policy says of sessions and sources bounds it. A newer claim takes an address over,
    unless who holds it has proved more.
    """
    request: dict[str, Any] = {
        "do": "bind",
        "user": user,
        "addresses": list(addresses),
        "mfa": mfa,
        "postures": list(postures),
        "facts": dict(map(fact, facts)),
        "source": source,
        "kind": kind or "manual",
    }
    optional = {"mac": mac, "device": device, "id": id_, "ttl": ttl}
    request |= {name: value for name, value in optional.items() if value is not None}
    answer = asked(socket_path, netns, request)
    session = answer.get("session")
    if session is None:
        raise click.ClickException("something newer is known of this session: try again")
    if warning := answer.get("warning"):
        complain(f"warning: {warning}\n")
    if format_ == "json":
        emit(json.dumps(session, indent=2) + "\n")
        return
    say(f"{session['user']} at {', '.join(session['addresses'])} until {local(session['until'])}\n")
    say(f"  {session['why']}\n")
    if not session["sets"]:
        _tell_of_no_policy(agent_status(socket_path, netns))


def _tell_of_no_policy(status: dict[str, Any] | None) -> None:
    """Nothing is opened for anybody where the agent knows of no policy, whoever it is."""
    if status and status["problem"]:
        complain(f"warning: {status['problem']}\n")
    elif status and status["generation"] is None:
        complain(
            "warning: no policy is in force where this agent looks for one: see `segc agent --state-dir`\n"
        )
