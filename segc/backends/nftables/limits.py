"""What nftables cannot be told: names too long for it, ports that it does not track, and more places than a
packet's mark can hold."""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.nftables.document import NAME_LENGTH
from segc.backends.nftables.marks import layout, longest_run
from segc.diagnostics.model import Diagnostic, finding
from segc.enforcement.lower import places_of
from segc.enforcement.places import Places
from segc.policy.model import Gateway, Policy
from segc.policy.topology import position
from segc.source import Span
from segc.space.protocols import PORT_PROTOCOLS
from segc.space.services import domain
from segc.space.words import quote

PAIRED_LENGTH = NAME_LENGTH // 4  # of zones, hosts and gateways: chains are called after two of them
DCCP = PORT_PROTOCOLS["dccp"]


def limits(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG501`, `SEG502` and `SEG503`."""
    yield from long_names(policy)
    yield from untracked_ports(policy)
    for _, gateway in sorted(policy.gateways.items()):
        yield from narrow_mark(places_of(policy, position(policy, gateway)), gateway)


def long_names(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG501` for each name that the ruleset of some gateway could not have."""
    if not policy.gateways:
        return
    for flow in policy.flows:
        yield from _check_length("flow", flow.id, flow.span, NAME_LENGTH)
    for zone in policy.zones.values():
        yield from _check_length("zone", zone.name, zone.span, PAIRED_LENGTH)
        for host in zone.hosts:
            yield from _check_length("host", f"{zone.name}.{host.name}", host.span, PAIRED_LENGTH)
    for gateway in policy.gateways.values():
        yield from _check_length("gateway", gateway.name, gateway.span, PAIRED_LENGTH)


def _check_length(kind: str, name: str, span: Span | None, limit: int) -> Iterator[Diagnostic]:
    if len(name) > limit:
        yield finding(
            "SEG501",
            f"the name of {kind} {quote(name)} is too long for nftables",
            span,
            f"{len(name)} characters" + ", with its zone's name" * (kind == "host"),
            help=f"here it can have at most {limit} characters: shorten it",
        )


def untracked_ports(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG503` for each flow that speaks of some ports of DCCP.

    Newer kernels, 6.18 among them, track none. A connection is any DCCP between two addresses there, so
    whatever one port let in would stay open to all others, both ways.
    """
    for flow in policy.flows if policy.gateways else ():
        if flow.services.values(DCCP) not in ((), domain(DCCP)):
            yield finding(
                "SEG503",
                "nftables cannot tell the ports of DCCP apart in connections that stand",
                flow.span,
                "asks for some ports of DCCP",
                notes=("kernels such as 6.18 track none: what one port lets in would be open to all",),
                help="write `proto/33` for all of DCCP, or leave it out",
            )


def narrow_mark(places: Places, gateway: Gateway) -> Iterator[Diagnostic]:
    """`SEG502` where the gateway's mark has no room for these places."""
    if layout(places, gateway.mark) is not None:
        return
    needed, given = 2 * (places.zone_bits + places.class_bits), longest_run(gateway.mark)[1]
    yield finding(
        "SEG502",
        f"gateway `{gateway.name}` needs {needed} neighbouring bits of the packet mark, "
        f"and its `mark` 0x{gateway.mark:08x} has {given} in a row",
        gateway.span,
        f"{len(places.areas)} zones, up to {2**places.class_bits - 1} classes of addresses within one",
        notes=("the ruleset holds the source and the destination of a packet in its mark while it decides",),
        help="widen its `mark`, in one piece; or let hosts share sets, or enforce fewer zones on one gateway",
    )
