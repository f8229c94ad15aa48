"""Connections that were asked about a moment ago, so that not each of their packets is (decision 33).

What `still_…` has let through is remembered in `recent4` and `recent6`, by the device that it came by, both
addresses, protocol and ports, which is one way of one connection. The kernel forgets it by itself after
`MOMENT`, whatever goes on; then the connection's next packet is asked about in full.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.nftables.classes import FAMILIES
from segc.backends.nftables.document import Table

MOMENT = "500ms"
ROOM = 131072  # ways of connections; those that find no room are asked about each time
REMEMBER = "goto remember"


def write_recent(table: Table) -> None:
    """The sets, and the chain of packets that may pass. What ICMP has in place of ports differs in each."""
    for family, _, type_ in FAMILIES:
        key = f"iface_index . {type_} . {type_} . inet_proto . inet_service . inet_service"
        remark = "connections asked about a moment ago"
        table.set(f"recent{family}", key, flags="dynamic,timeout", timeout=MOMENT, room=ROOM, comment=remark)
    adds = (f"add @recent{family} {{ {_way(protocol)} }}" for family, protocol, _ in FAMILIES)
    table.chain("remember", ["meta l4proto { 1, 58 } goto accepted", *adds, "goto accepted"])


def remembered() -> Iterator[str]:
    for family, protocol, _ in FAMILIES:
        yield f"{_way(protocol)} @recent{family} accept"


def _way(protocol: str) -> str:
    return f"iif . {protocol} saddr . {protocol} daddr . meta l4proto . th sport . th dport"
