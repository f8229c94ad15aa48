"""Connections that were asked about a moment ago, so that not each of their packets is (decision 33).

What was looked up in `still_…` and `begun_…` and may go on is remembered by the device that it came by, both
addresses and ports, in a set for each family and protocol: that is one way of one connection. The kernel
forgets it by itself after `MOMENT`, whatever goes on; then the next packet is asked about in full.

The protocol is no part of the key, as nft keeps the types of five parts: it lists a set of six without the
first, and takes that list back for a set of five, whose members are more than one connection.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.nftables.classes import FAMILIES
from segc.backends.nftables.document import Table

MOMENT = "500ms"
ROOM = 131072  # ways of connections; those that find no room are asked about each time
REMEMBER = "goto remember"
PROTOCOLS = ("tcp", "udp")  # what others have in place of ports may differ in each packet


def write_recent(table: Table) -> None:
    """The sets, and the chain of packets that may pass."""
    for family, _, type_ in FAMILIES:
        key = f"iface_index . {type_} . {type_} . inet_service . inet_service"
        remark = "connections asked about a moment ago"
        for protocol in PROTOCOLS:
            name = f"recent{family}_{protocol}"
            table.set(name, key, flags="dynamic,timeout", timeout=MOMENT, room=ROOM, comment=remark)
    table.chain("remember", [*(f"add {name} {{ {way} }}" for name, way in _ways()), "goto accepted"])


def remembered() -> Iterator[str]:
    return (f"{way} {name} accept" for name, way in _ways())


def _ways() -> Iterator[tuple[str, str]]:
    """Each set, and what is looked for in it."""
    for family, ip, _ in FAMILIES:
        for protocol in PROTOCOLS:
            way = f"iif . {ip} saddr . {ip} daddr . {protocol} sport . {protocol} dport"
            yield f"@recent{family}_{protocol}", way
