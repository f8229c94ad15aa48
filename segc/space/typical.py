"""Addresses to show people: of a set of them, those that a host is likely to have."""

from __future__ import annotations

from ipaddress import ip_network

from segc.space.intervals import Interval, Intervals, normalize, subtract

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
