"""What a gateway publishes of a zone behind another one, to which the callers come by the wrong way."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Gateway, Policy, Publish
from segc.policy.topology import Position, ZoneIndex, position


def check_onward(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG228` where the gateway of the target meets the callers' zone by interfaces of its own."""
    publishing = [each for each in policy.gateways.values() if each.publishes]
    if not publishing or len(policy.gateways) < 2:
        return
    positions = [position(policy, gateway) for gateway in policy.gateways.values()]
    index = ZoneIndex(policy.zones.values())
    for gateway in publishing:
        for publish in gateway.publishes:
            homes = index.zones(publish.target)
            if homes and homes[0] not in gateway.zones:
                others = [each for each in positions if homes[0] in each.gateway.zones]
                yield from _spoofed(gateway, publish, others)


def _spoofed(gateway: Gateway, publish: Publish, others: list[Position]) -> Iterator[Diagnostic]:
    zone = gateway.interface(publish.interface).zone or ""
    for other in others:
        ways = {device for each in gateway.zones - {zone} for device in other.devices.get(each, ())}
        if zone in other.devices and not other.devices[zone] & ways:
            name = other.gateway.name
            behind = ", ".join(f"`{device}`" for device in sorted(other.devices[zone]))
            yield finding(
                "SEG228",
                f"gateway `{name}` takes callers of what is published here for spoofed",
                publish.span,
                f"to `{name}`, zone `{zone}` lies behind {behind}",
                help=f"publish it on `{name}`, which the target is attached to",
            )
