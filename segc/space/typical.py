"""Addresses and services to show people: of a set of them, those that are likely."""

from __future__ import annotations

from ipaddress import ip_network

from segc.space.intervals import Interval, Intervals, normalize, subtract
from segc.space.protocols import PORT_NUMBERS
from segc.space.services import ServiceSet

TCP, SMB = 6, 445  # what moves sideways most

# This network, loopback, link-local, multicast and the rest (RFC 6890): they cross no gateway.
RESERVED = {
    family: normalize((int(net[0]), int(net[-1])) for net in map(ip_network, texts))
    for family, texts in (
        (4, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")),
        (6, ("::/8", "fe80::/10", "ff00::/8")),
    )
}
HOSTS = 4  # fewer addresses than this in a row are no subnet with a name and a broadcast address of its own


def typical(ranges: Intervals, family: int) -> Interval:
    """Two addresses of a set that is not empty, the same one if it has no other.

    Reserved ones, and what may be the first or last address of a subnet, only where there is no choice.
    """
    usable = subtract(ranges, RESERVED[family]) or ranges
    first, last = next((pair for pair in usable if pair[0] < pair[1]), usable[0])
    if last - first < HOSTS - 1:
        return first, last
    return first + (first % 256 == 0), last - (last % 256 == 255)


def typical_service(services: ServiceSet) -> tuple[int, int]:
    """Protocol and value of a set that is not empty, of TCP where it has any but port 0."""
    tcp = next((each for each in services.values(TCP) if each[1]), None)
    return (TCP, typical_value(TCP, *tcp)) if tcp else services.first()


def typical_value(protocol: int, first: int, last: int) -> int:
    """A value of a stretch: not port 0, which no program asks for, if there is another."""
    if protocol not in PORT_NUMBERS or first:
        return first
    return SMB if last >= SMB else min(last, 1)
