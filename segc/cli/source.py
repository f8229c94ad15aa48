"""`segc source`: what runs beside a server and vouches for its sessions."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segc.cli.asking_agent import socket_option
from segc.cli.bind import Lifetime
from segc.cli.given import given
from segc.cli.standing import Failure
from segc.cli.terminal import complain, say
from segc.sessions.client import socket_path as usual
from segc.sessions.sources.hook import EVENTS, said_by_client

if TYPE_CHECKING:
    from segc.sessions.sources.link import Link

CLIENTS = "SEGC_RADIUS_CLIENTS"


@click.group("source")
def command() -> None:
    """Vouch for sessions: tell the agent what a VPN, a RADIUS client, a DHCP server or an inventory knows.

    SOURCE is the name of the `source` in the policy. Each runs until it is stopped; after that, sessions
    last as long as they were vouched for, and no longer.
    """


def _name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", value):
        raise click.BadParameter(f"{value!r} cannot name a `source` of a policy")
    return value


def running(work: Callable[..., None]) -> Callable[..., None]:
    """The argument SOURCE and the options that all of them take."""
    decorators = (
        click.argument("source", metavar="SOURCE", callback=_name),
        socket_option,
        click.option("--netns", metavar="NAME", default="", help="Work in this network namespace."),
    )
    for each in reversed(decorators):
        work = each(work)
    return work


def claiming(work: Callable[..., None]) -> Callable[..., None]:
    """Options about what is claimed; `user` and `device` are names of what the server tells."""
    decorators = (
        click.option("--user", metavar="NAME", help="What the server tells that names the user."),
        click.option("--device", metavar="NAME", help="What the server tells that names the device."),
        mfa,
        ttl,
    )
    for each in reversed(decorators):
        work = each(work)
    return work


mfa = click.option("--mfa", is_flag=True, help="The server lets nobody in without a second factor.")
ttl = click.option("--ttl", type=Lifetime(), metavar="TIME", help="Vouch for at most this long at a time.")


@command.command("hook")
@click.argument("server", type=click.Choice(list(EVENTS)))
@running
@claiming
def hook(server: str, source: str, socket_path: Path | None, netns: str, **claimed: Any) -> None:
    """Print what the configuration of SERVER needs, so that it tells the agent of each event itself."""
    from segc.sessions.sources import wiring

    _proved(server, claimed)
    say(wiring.lines(server, source, socket_path or usual(netns), _options(claimed)))


@command.command("openvpn")
@running
@claiming
@click.option("--management", metavar="PLACE", required=True, help="The management socket, or HOST:PORT.")
@click.option("--management-password", metavar="FILE", help="A file with its password.")
def openvpn(
    source: str,
    socket_path: Path | None,
    netns: str,
    management: str,
    management_password: str | None,
    **claimed: Any,
) -> None:
    """End sessions with their tunnels, and tunnels with their sessions, by the management interface."""
    from segc.sessions.sources.openvpn import follow

    _proved("openvpn", claimed)
    with _at_work(socket_path, netns, source, "openvpn") as link:
        password = given(management_password).strip() if management_password else ""
        follow(link, source, _options(claimed), management, password)


@command.command("wireguard")
@running
@mfa
@ttl
@click.option("--interface", metavar="NAME", default="wg0", show_default=True, help="The WireGuard device.")
@click.option("--peers", metavar="FILE", required=True, help="Lines of public key, user and device.")
def wireguard(
    source: str, socket_path: Path | None, netns: str, interface: str, peers: str, **claimed: Any
) -> None:
    """Bind the holders of peers' keys as long as their last handshake is fresh."""
    from segc.sessions.sources.wireguard import Source

    with _at_work(socket_path, netns, source, "wireguard") as link:
        Source(link, source, _options(claimed), interface, Path(peers)).run()


@command.command("radius")
@running
@claiming
@click.option("--listen", metavar="ADDRESS", help="Be an accounting server at this address.")
@click.option("--port", type=click.IntRange(1, 65535), default=1813, show_default=True)
@click.option("--clients", metavar="FILE", help=f"Lines of PREFIX SECRET; without it, of ${CLIENTS}.")
@click.option("--detail", metavar="FILE", help="Read what FreeRADIUS writes to this file instead.")
def radius(
    source: str,
    socket_path: Path | None,
    netns: str,
    listen: str | None,
    port: int,
    clients: str | None,
    detail: str | None,
    **claimed: Any,
) -> None:
    """Take RADIUS accounting, from access servers or from FreeRADIUS's detail file."""
    from segc.sessions.sources.radius import Detail, Server, access_servers

    if bool(listen) == bool(detail):
        raise click.UsageError("say either `--listen` or `--detail`")
    with _at_work(socket_path, netns, source, "radius") as link:
        if detail:
            Detail(link, source, _options(claimed), Path(detail)).run()
        try:
            known = access_servers(given(clients) if clients else os.environ.pop(CLIENTS, ""))
        except ValueError as error:
            raise click.ClickException(f"`{clients or '$' + CLIENTS}`: {error}") from None
        if not known:
            raise click.ClickException(f"no access server is known: use `--clients` or ${CLIENTS}")
        Server(link, source, _options(claimed), known).run(str(listen), port)


@command.command("dhcp")
@running
@ttl
@click.option("--leases", metavar="FILE", required=True, help="The lease file of Kea (memfile) or dnsmasq.")
@click.option("--devices", metavar="FILE", help="Bind only these: lines of MAC address, user and device.")
def dhcp(
    source: str, socket_path: Path | None, netns: str, leases: str, devices: str | None, **claimed: Any
) -> None:
    """Bind devices to the addresses that they have leased."""
    from segc.sessions.sources.dhcp import Source

    with _at_work(socket_path, netns, source, "dhcp") as link:
        Source(link, source, _options(claimed), Path(leases), Path(devices) if devices else None).run()


@command.command("posture")
@running
@click.argument("feed", metavar="FEED")
@click.option("--max-age", type=Lifetime(), default="1h", show_default=True, help="Older facts say nothing.")
def posture(source: str, socket_path: Path | None, netns: str, feed: str, max_age: int) -> None:
    """Tell facts about devices: FEED is a JSON file, a folder of them, or `-` for lines from stdin."""
    from segc.sessions.sources.posture import Source

    with _at_work(socket_path, netns, source, "posture") as link:
        agent = Source(link, source, max_age)
        agent.listen(sys.stdin.buffer) if feed == "-" else agent.follow(Path(feed))


def _options(claimed: dict[str, Any]) -> dict[str, str]:
    """Of those given, by name; a flag is there or not."""
    return {name: "" if value is True else str(value) for name, value in claimed.items() if value}


def _proved(server: str, claimed: dict[str, Any]) -> None:
    """UsageError where the user or device would be whatever a client likes."""
    for name in ("user", "device"):
        if said_by_client(server, claimed[name] or ""):
            raise click.UsageError(
                f"`{claimed[name]}` is what clients say of themselves, and proves no {name}"
            )


@contextmanager
def _at_work(socket_path: Path | None, netns: str, source: str, kind: str) -> Iterator[Link]:
    """In the namespace, until it cannot go on, which is told in a sentence."""
    from segc.apply.errors import ApplyError
    from segc.apply.host import enter
    from segc.sessions.sources.directory import IdentitiesError
    from segc.sessions.sources.link import Link

    try:
        if netns:
            enter(netns)
        link = Link(socket_path or usual(netns), lambda text: complain(f"{text}\n"))
        link.begin(source, kind)
        yield link
    except ApplyError as error:
        raise Failure(error) from None
    except IdentitiesError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"`{error.filename}`: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
