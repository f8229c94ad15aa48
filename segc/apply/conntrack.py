"""The kernel's table of connections, over netlink: list, label and end them (linux/nfnetlink_conntrack.h)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from errno import ENOSPC
from ipaddress import ip_address
from typing import NamedTuple

from segc.apply.netlink import (
    ACK,
    BUFFER,
    NESTED,
    REQUEST,
    attribute,
    attributes,
    check,
    dump,
    message,
    messages,
    open_netlink,
)
from segc.space.addresses import Address
from segc.space.protocols import TYPES

NEW, GET, DELETE = 1 << 8, 1 << 8 | 1, 1 << 8 | 2
TUPLE_ORIG, TUPLE_REPLY, ZONE, LABELS, LABELS_MASK = 1, 2, 18, 22, 23
ADDRESSES = {1: "source", 2: "destination", 3: "source", 4: "destination"}
LABEL_WORDS = struct.Struct("=QQ")


class Connection(NamedTuple):
    """As its first packet was judged: after DNAT, before SNAT. `value` is the port, or the ICMP type."""

    source: Address
    destination: Address
    protocol: int
    value: int
    labels: int
    key: bytes  # what the kernel finds it by

    def has_label(self, number: int) -> bool:
        return bool(self.labels >> number & 1)


def connections() -> Iterator[Connection]:
    """All of this network namespace. OSError where the kernel lacks connection tracking."""
    return map(_connection, dump(GET, b""))


def connections_of(addresses: Collection[Address]) -> Iterator[Connection]:
    """Those that one of the addresses opened, and those that lead to one.

    The kernel could choose them (CTA_FILTER), but takes the wrong ones for IPv6 (seen on 6.18).
    """
    near = [address.packed for address in addresses]
    for body in dump(GET, b""):
        if any(key in body for key in near):  # far quicker than to take all of them apart
            found = _connection(body)
            if found.source in addresses or found.destination in addresses:
                yield found


def ends(number: int) -> set[Address]:
    """The sources and destinations of all connections that have this label; quicker than to list those."""
    found: set[bytes] = set()
    for body in dump(GET, b""):
        parts = attributes(body[4:])
        if _labels(parts) >> number & 1:
            found |= {_source(parts[TUPLE_ORIG]), _source(parts[TUPLE_REPLY])}
    return set(map(ip_address, found))


def end(chosen: Iterable[Connection]) -> int:
    """Forget these connections; how many there still were."""
    with open_netlink() as netlink:
        return sum([_change(netlink, DELETE, each) for each in chosen])


def label(chosen: Iterable[tuple[Connection, int]], mask: int) -> list[Connection]:
    """Make the bits `mask` of each one's labels these; those that have no room for any, as no ruleset asked
    for labels when they began."""
    without: list[Connection] = []
    with open_netlink() as netlink:
        for each, bits in chosen:
            words = attribute(LABELS, _words(bits)) + attribute(LABELS_MASK, _words(mask))
            try:
                _change(netlink, NEW, each, words)
            except OSError as error:
                if error.errno != ENOSPC:
                    raise
                without.append(each)
    return without


def _words(labels: int) -> bytes:
    return LABEL_WORDS.pack(labels & 2**64 - 1, labels >> 64)


def _change(netlink: socket.socket, kind: int, connection: Connection, more: bytes = b"") -> bool:
    """Whether the connection was still there."""
    family = socket.AF_INET if connection.source.version == 4 else socket.AF_INET6
    netlink.send(message(kind, REQUEST | ACK, connection.key + more, family))
    (_, body), *_ = messages(netlink.recv(BUFFER))
    try:
        check(body)
    except FileNotFoundError:  # it had ended by itself
        return False
    return True


def _connection(body: bytes) -> Connection:
    found = attributes(body[4:])
    original, reply = found[TUPLE_ORIG], found[TUPLE_REPLY]
    source, _, protocol, _, value = _tuple(original)
    destination, _, _, answered, _ = _tuple(reply)
    key = attribute(TUPLE_ORIG | NESTED, original)
    if ZONE in found:
        key += attribute(ZONE, found[ZONE])
    return Connection(
        source, destination, protocol, value if protocol in TYPES else answered, _labels(found), key
    )


def _labels(found: Mapping[int, bytes]) -> int:
    """Of the attributes of a connection; 0 where it has no room for any."""
    low, high = LABEL_WORDS.unpack(found[LABELS][:16].ljust(16, b"\0")) if LABELS in found else (0, 0)
    return int(high << 64 | low)


def _source(data: bytes) -> bytes:
    """The packed address of a tuple's source, the first of its parts (linux/nfnetlink_conntrack.h)."""
    parts = attributes(attributes(data)[1])
    return parts[1] if 1 in parts else parts[3]


def _tuple(data: bytes) -> tuple[Address, Address, int, int, int]:
    """Source, destination, protocol, and its source and destination port; for ICMP the type as the latter."""
    parts = attributes(data)
    ends = {ADDRESSES[kind]: ip_address(raw) for kind, raw in attributes(parts[1]).items()}
    protocol = attributes(parts[2])
    ports = [int.from_bytes(protocol.get(kind, b""), "big") for kind in (2, 3)]
    kinds = protocol.get(5) or protocol.get(8) or b""
    value = int.from_bytes(kinds, "big") if kinds else ports[1]
    return ends["source"], ends["destination"], protocol[1][0], ports[0], value
