"""Which zones a gateway sees, through which devices, and between which pairs of zones it stands."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache

from segc.frozen import frozen
from segc.policy.model import Gateway, Policy, Port, Zone
from segc.space.prefixes import PrefixSet


@frozen
class Position:
    """`devices` maps every zone that the gateway can see to the devices its packets arrive on.

    An implicit gateway has no devices: it routes for every zone by address alone.
    """

    gateway: Gateway
    devices: Mapping[str, frozenset[str]]

    @property
    def by_interface(self) -> bool:
        return not self.gateway.implicit

    def stands_between(self, source: str, destination: str) -> bool:
        """Whether traffic from one zone to the other can cross this gateway.

        Two zones behind one device meet elsewhere; a zone with itself may be turned round on the device.
        """
        if self.gateway.implicit or source == destination:
            return True
        here = self.devices.get(source, frozenset())
        there = self.devices.get(destination, frozenset())
        return bool(here and there) and not (here == there and len(here) == 1)


def position(policy: Policy, gateway: Gateway) -> Position:
    """The zones on the gateway's own devices, and behind these what other gateways join to them.

    Another gateway carries traffic on between the zones attached to it. The external zone is nobody's
    transit: private addresses do not cross it. O(gateways x zones).
    """
    if gateway.implicit:
        return Position(gateway, {name: frozenset() for name in policy.zones})
    devices: dict[str, set[str]] = {}
    for attachment in gateway.attachments:
        devices.setdefault(attachment.zone, set()).add(attachment.device)
    attached = dict(devices)
    others = [other for other in policy.gateways.values() if other is not gateway]
    for attachment in gateway.attachments:
        for zone in beyond(attachment.zone, others, policy):
            if zone not in attached:
                devices.setdefault(zone, set()).add(attachment.device)
    return Position(gateway, {zone: frozenset(devices[zone]) for zone in sorted(devices)})


def beyond(start: str, gateways: Iterable[Gateway], policy: Policy) -> set[str]:
    """Zones that other gateways reach from zone `start`, passing no external zone."""
    seen, waiting, left = {start}, [start], [gateway.zones for gateway in gateways]
    while waiting and left:
        zone = waiting.pop()
        if policy.zones[zone].external:
            continue
        for zones in left:
            if zone in zones:
                waiting.extend(zones - seen)
                seen |= zones
        left = [zones for zones in left if zone not in zones]
    return seen - {start}


def sees(policy: Policy, seen: Position, other: str) -> bool:
    """Whether a gateway knows a way to another, which may be itself."""
    own = policy.gateways[other].own
    return not own or any(policy.zones[zone].space.overlaps(own) for zone in seen.devices)


def untagged(policy: Policy, port: Port) -> tuple[str, ...]:
    """The zones whose frames may leave a port untagged: its own, or all that 802.1X may put it into."""
    if port.dot1x:
        return tuple(sorted({admission.zone for admission in policy.admissions}))
    return (port.access,) if port.access else ()


class ZoneIndex:
    """Finds the zones that a set of addresses meets, O(log zones) each; zones do not overlap."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        found = list(zones)
        self.spans = {
            family: sorted((*span, zone.name) for zone in found for span in zone.space.ranges(family))
            for family in (4, 6)
        }
        self.lasts = {family: [last for _, last, _ in spans] for family, spans in self.spans.items()}

    def zones(self, space: PrefixSet) -> list[str]:
        names: dict[str, None] = {}
        for family, spans in self.spans.items():
            for first, last in space.ranges(family):
                for at in range(bisect_left(self.lasts[family], first), len(spans)):
                    if spans[at][0] > last:
                        break
                    names[spans[at][2]] = None
        return sorted(names)


@lru_cache(2)  # checks, link plans and the plan of each switch ask for it
def apart(policy: Policy) -> frozenset[str]:
    """Zones whose hosts may never talk to each other: `intra deny`, and no enforced allow among them.

    These need no filter inside their VLAN, only ports that do not forward to each other.
    """
    zones = [zone for zone in policy.zones.values() if zone.isolated and zone.vlan is not None]
    if not zones:
        return frozenset()
    allows = [flow for flow in policy.flows if flow.action == "allow" and not flow.staged]
    index = ZoneIndex(zones)
    ends = {id(end): end for flow in allows for end in flow.ends}
    held = {key: frozenset(index.zones(end.space)) for key, end in ends.items()}
    mixed: set[str] = set()
    for source, destination in dict.fromkeys((id(flow.source), id(flow.destination)) for flow in allows):
        mixed |= held[source] & held[destination]
    return frozenset(zone.name for zone in zones if zone.name not in mixed)
