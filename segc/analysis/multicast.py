"""Flows that ask for multicast or broadcast of a link, which no gateway sends on (`SEG229`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import End, Flow, Policy
from segc.space.prefixes import PrefixSet, parse_prefixes, union

ON_LINK = union(map(parse_prefixes, ("224.0.0.0/24", "255.255.255.255", "ff02::/16")))  # RFC 5771, 919, 4291
UDP = 17
DISCOVERY = {1900: "SSDP", 5353: "mDNS", 5355: "LLMNR"}  # UPnP Device Architecture, RFC 6762, RFC 4795


def check_multicast(policy: Policy) -> Iterator[Diagnostic]:
    """Allows between zones to a group of hosts, and those for services that look for hosts by such groups."""
    zones = [zone.space for zone in policy.zones.values() if not zone.external]
    groups = {end for end in {flow.destination for flow in policy.flows} if _on_link(end)}
    for flow in policy.flows:
        told = _asked(flow, groups) if flow.action == "allow" else None
        if told and not _local(flow, zones):
            yield _told(flow, *told)


def _on_link(end: End) -> bool:
    return any(part.space and part.space <= ON_LINK for part in end.parts)


def _asked(flow: Flow, groups: set[End]) -> tuple[str, str, str] | None:
    """What is to be said of a flow that asks for it, wherever its ends are."""
    if flow.destination in groups:
        told = "multicast and broadcast end where their link does"
        return told, "no gateway sends this on", "name what is looked for by its address"
    if port := _discovery(flow):
        told = f"{DISCOVERY[port]} asks by multicast, and that ends where its link does"
        help = f"take `udp/{port}` out, and set up by its address what is looked for"
        return told, "opens no more than questions to single addresses", help
    return None


def _discovery(flow: Flow) -> int:
    """The port of a protocol that a flow allows by it, not with a whole range of others; else 0."""
    values = flow.services.values(UDP)
    return next((port for port in DISCOVERY if (port, port) in values), 0) if values else 0


def _local(flow: Flow, zones: list[PrefixSet]) -> bool:
    """Whether it stays on a link: within a zone, or with a gateway itself at one end."""
    if not (flow.source.parts and flow.destination.parts):
        return True
    return any(_within(flow.source, space) and _within(flow.destination, space) for space in zones)


def _within(end: End, space: PrefixSet) -> bool:
    return all(part.space <= space for part in end.parts)


def _told(flow: Flow, message: str, label: str, instead: str) -> Diagnostic:
    help = f"{instead}; or run a reflector on the gateway: see `segc explain SEG229`"
    return finding("SEG229", message, flow.span, label, help=help)
