"""VPNs that end at a gateway which lets nobody as far as their server (`SEG230`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Gateway, Policy, Source, Zone

LISTENS = {"openvpn": "udp/1194", "wireguard": "udp/51820"}  # where its server usually does
TCP, UDP = 6, 17


def check_tunnels(policy: Policy) -> Iterator[Diagnostic]:
    """Sources of tunnels that end at a gateway to which nothing from outside is allowed."""
    outside = next((zone for zone in policy.zones.values() if zone.external), None)
    for gateway in policy.gateways.values():
        if outside is None or outside.name not in gateway.zones:
            continue
        for source in policy.sources.values():
            zone = _tunnels(policy, gateway, source)
            if zone and not any(_lets_in(flow, gateway, outside) for flow in policy.flows):
                yield _nobody(gateway, source, zone, outside)


def _tunnels(policy: Policy, gateway: Gateway, source: Source) -> Zone | None:
    """A zone of the source that sits on a device of the gateway and is no VLAN."""
    if source.kind not in LISTENS:
        return None
    homes = {each.zone for each in gateway.interfaces}
    return next(
        (z for name in source.zones if name in homes and (z := policy.zones[name]).vlan is None), None
    )


def _lets_in(flow: Flow, gateway: Gateway, outside: Zone) -> bool:
    inward = flow.action == "allow" and not flow.staged and gateway.name in flow.destination.gateways
    asked = flow.services.values(UDP) or flow.services.values(TCP)
    return bool(inward and asked and flow.source.space & outside.space)


def _nobody(gateway: Gateway, source: Source, zone: Zone, outside: Zone) -> Diagnostic:
    usual = LISTENS[source.kind]
    return finding(
        "SEG230",
        f"nobody comes into `{zone.name}`: nothing from outside may reach gateway `{gateway.name}` itself",
        source.span,
        "vouches for whoever comes by a tunnel",
        also=(Label(zone.span, "where the tunnels end"),),
        help=f"write `allow {outside.name} -> gateway {gateway.name} : {usual}`, with the port it listens on",
    )
