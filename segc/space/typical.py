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
SMALLEST = 4  # addresses of a subnet with a name and a broadcast address of its own (RFC 3021)


def typical(ranges: Intervals, family: int) -> Interval:
    """Two addresses of a set that is not empty, the same one if it has no other.

    Reserved ones, and what may be the first or last address of a subnet, only where there is no choice.
    """
    usable = subtract(ranges, RESERVED[family]) or ranges
    inner = [pair for pair in (_inner(*each, family) for each in usable) if pair[0] <= pair[1]]
    pairs = (pair for pair in (*inner, *usable) if pair[0] < pair[1])
    return next(pairs, (inner or usable)[0])


def _inner(first: int, last: int, family: int) -> Interval:
    """A row of addresses without a first and a last that a subnet may begin and end with: where it has as
    many as the smallest subnet with a name and a broadcast address of its own, those of such a one."""
    size = SMALLEST if family == 4 and last - first >= SMALLEST - 1 else 256
    return first + (first % size == 0), last - (last % size == size - 1)


def typical_service(services: ServiceSet) -> tuple[int, int]:
    """Protocol and value of a set that is not empty, of TCP where it has any but port 0."""
    tcp = next((each for each in services.values(TCP) if each[1]), None)
    return (TCP, typical_value(TCP, *tcp)) if tcp else services.first()


def typical_value(protocol: int, first: int, last: int) -> int:
    """A value of a stretch: not port 0, which no program asks for, if there is another."""
    if protocol not in PORT_NUMBERS or first:
        return first
    return SMB if last >= SMB else min(last, 1)
