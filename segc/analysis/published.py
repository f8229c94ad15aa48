"""What gateways publish: to whom, in place of what, and each port once (`SEG218`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Gateway, Policy, Publish, Zone
from segc.source import Span


def check_published(gateway: Gateway, policy: Policy) -> Iterator[Diagnostic]:
    zones = {interface.name: interface.zone for interface in gateway.interfaces}
    for each in gateway.publishes:
        outside = policy.zones[zones[each.interface] or ""]
        if outside.external and each.target.overlaps(outside.space):
            yield finding(
                "SEG218",
                f"what is published to zone `{outside.name}` lies there itself",
                each.span,
                f"{each.target & outside.space} is in `{outside.name}`",
                help="publish a host of another zone",
            )
        yield from _taken(each, outside, gateway, policy)
    yield from _twice(gateway.publishes)


def _taken(each: Publish, outside: Zone, gateway: Gateway, policy: Policy) -> Iterator[Diagnostic]:
    """Services of the gateway that can no longer be called from the zone, for their port leads elsewhere."""
    for flow in policy.flows:
        if flow.kind not in ("manage", "serve") or gateway.name not in flow.destination.gateways:
            continue
        if flow.source.space.overlaps(outside.space) and flow.services.overlaps(each.outer):
            yield finding(
                "SEG218",
                f"what is published here takes {flow.services & each.outer} away from the gateway itself",
                each.span,
                f"leads to {each.target} instead",
                also=(Label(flow.span, f"which zone `{outside.name}` is to reach here"),),
                help="publish another port, or take the port off the gateway's own services",
            )


def _twice(publishes: Sequence[Publish]) -> Iterator[Diagnostic]:
    """A sweep over the ports of each device, protocol and family; each that meets another is told of once."""
    furthest: dict[tuple[str, int, int], Publish] = {}
    told: set[Span] = set()
    for each in sorted(publishes, key=lambda each: (each.first, each.span)):
        for family in each.target.families:
            key = each.interface, each.protocol, family
            other = furthest.setdefault(key, each)
            if other is not each and each.first <= other.last and each.span not in told:
                told.add(each.span)
                yield _again(*sorted((other, each), key=lambda each: each.span))
            furthest[key] = max(other, each, key=lambda each: each.last)


def _again(first: Publish, second: Publish) -> Diagnostic:
    return finding(
        "SEG218",
        f"a port of `{second.interface}` is published twice",
        second.span,
        "again here",
        also=(Label(first.span, "first here"),),
        help="publish each port once: a packet goes to one machine",
    )
