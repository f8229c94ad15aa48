"""What each gateway gets to see: the far ends of its own flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import End, Flow, Policy
from segc.policy.topology import Position, ZoneIndex, position, sees


def check_sight(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG213` for flows of a gateway with zones that it never meets; nothing where none is described."""
    positions = [position(policy, gateway) for gateway in policy.gateways.values() if not gateway.implicit]
    reached = {zone for seen in positions for zone in seen.devices}
    blind = [seen for seen in positions if len(seen.devices) < len(reached)]
    index = ZoneIndex(policy.zones[name] for name in reached)
    for flow in policy.flows if blind else ():
        for own, far in (flow.ends, flow.ends[::-1]):
            asked = [seen for seen in blind if seen.gateway.name in own.gateways]
            if asked:
                yield from _never_met(policy, flow, asked, index.zones(far.space), far)


def _never_met(
    policy: Policy, flow: Flow, blind: Sequence[Position], zones: Sequence[str], far: End
) -> Iterator[Diagnostic]:
    """Zones that nobody reaches are told of elsewhere; of several, one that is met is enough."""
    for seen in blind:
        met = any(zone in seen.devices for zone in zones)
        if zones and not met and not any(sees(policy, seen, name) for name in far.gateways):
            yield finding(
                "SEG213",
                f"no interface of gateway `{seen.gateway.name}` leads to zone `{zones[0]}`",
                flow.span,
                "enforced nowhere: these packets are a stranger's there",
                also=(Label(policy.zones[zones[0]].span, "this zone"),),
                help="attach both to one gateway, or join their gateways by a zone that both are attached to",
            )
