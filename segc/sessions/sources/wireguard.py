"""WireGuard: whoever holds a peer's private key is its user, for as long as the last handshake is fresh.

A handshake proves the key. Its session keys are good for REJECT_AFTER_TIME and are made anew every two
minutes while there is traffic (the WireGuard paper, section 6.1), so that is how long a session lasts.
The kernel tells no one of handshakes: peers are looked at every second, by netlink.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

from segc.sessions.client import UnansweredError
from segc.sessions.sources.directory import Identity, read_identities
from segc.sessions.sources.hook import Options, Request, least, vouched
from segc.sessions.sources.link import Link

REJECT_AFTER_TIME = 180  # seconds


class Peer(NamedTuple):
    """`handshake` in Unix seconds, 0 where there was none; `addresses` are the allowed IPs that are one."""

    key: str
    handshake: float
    addresses: tuple[str, ...]
    owner: Identity | None = None


Known = Mapping[str, Peer]  # by key: what the agent was told


def peers(messages: Iterable[Any]) -> Iterator[Peer]:
    """Those of a device as pyroute2's `WireGuard.info` has it. A long list comes in several messages, and a
    peer whose addresses do not fit goes on in the next."""
    found: dict[str, Peer] = {}
    for message in messages:
        for each in message.get_attr("WGDEVICE_A_PEERS") or ():
            key = each.get_attr("WGPEER_A_PUBLIC_KEY").decode()
            at = each.get_attr("WGPEER_A_LAST_HANDSHAKE_TIME")
            before = found.get(key, Peer(key, 0.0, ()))
            handshake = at["tv_sec"] + at["tv_nsec"] / 1e9 if at else before.handshake
            allowed = tuple(_hosts(item["addr"] for item in each.get_attr("WGPEER_A_ALLOWEDIPS") or ()))
            found[key] = Peer(key, handshake, before.addresses + allowed)
    yield from found.values()


def _hosts(prefixes: Iterable[str]) -> Iterator[str]:
    """The prefixes that are one address. A network behind a peer is nobody's."""
    networks = map(ip_network, prefixes)
    yield from (str(each.network_address) for each in networks if each.num_addresses == 1)


def requests(
    here: Iterable[Peer], who: Mapping[str, Identity], known: Known, options: Options, now: float
) -> Iterator[tuple[Request, str, Peer | None]]:
    """What is new since the agent was told what is `known`: a request, the key, and what it will then know.

    A handshake is the moment of its claim, so that telling it again changes nothing, not even when an
    administrator has ended the session in the meantime.
    """
    owned = (each._replace(owner=who[each.key]) for each in here if each.key in who and each.addresses)
    present = {each.key: each for each in owned}
    for key, peer in present.items():
        end, before = peer.handshake + REJECT_AFTER_TIME, known.get(key)
        if peer == before or end - now < 1:
            continue
        at = now if before is not None and before.handshake == peer.handshake else peer.handshake
        user, device = who[key]
        claim = {"user": user, "device": device, "addresses": list(peer.addresses)}
        when = {"id": key, "at": at, "ttl": least(options, end - at)}
        yield {"do": "bind"} | claim | when, key, peer
    for key in known.keys() - present.keys():
        yield {"do": "unbind", "id": key, "at": now}, key, None


@dataclass(slots=True)
class Source:
    """Tells of the peers of one device, in the network namespace of this thread."""

    link: Link
    source: str
    options: Options
    device: str
    mapping: Path
    _known: dict[str, Peer] = field(default_factory=dict)

    def run(self) -> None:
        """For ever. OSError where there is no such device, IdentitiesError for a mapping that is none."""
        from pyroute2 import NetlinkError, WireGuard

        try:
            wireguard = WireGuard()
        except NetlinkError:
            raise OSError("this kernel has no WireGuard: is its module loaded?") from None
        self._known = {each: Peer(each, 0.0, ()) for each in self.link.standing(self.source)}
        with wireguard:
            self.link.again(lambda: self._look(wireguard))

    def _look(self, wireguard: Any) -> None:
        """Nobody is there any more where the device is not."""
        from pyroute2 import NetlinkError

        who = read_identities(self.mapping)
        try:
            here = list(peers(wireguard.info(self.device)))
        except NetlinkError as error:
            self._round([], who)
            reason = os.strerror(error.code).lower()
            raise OSError(f"the WireGuard device `{self.device}` cannot be read: {reason}") from None
        self._round(here, who)

    def _round(self, here: Iterable[Peer], who: Mapping[str, Identity]) -> None:
        for request, key, then in list(requests(here, who, self._known, self.options, time.time())):
            try:
                self.link.deliver(vouched(request, "wireguard", self.source, self.options))
            except UnansweredError as error:
                self.link.complain(error)
                return
            if then is None:
                del self._known[key]
            else:
                self._known[key] = then
