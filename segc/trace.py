"""Which statements decide a packet, and why."""

from __future__ import annotations

from typing import NamedTuple

from segc.frozen import frozen
from segc.policy.claims import Situation, held_space, met
from segc.policy.model import End, Flow, Policy, Zone
from segc.space.addresses import Address


class Packet(NamedTuple):
    """The first packet of a connection; `value` as in `ServiceSet`: destination port or ICMP type."""

    source: Address
    destination: Address
    protocol: int
    value: int


class Location(NamedTuple):
    """Where an address lies: `gateway` where it is a gateway's own, `zone` None where no zone claims it."""

    address: Address
    gateway: str | None
    zone: str | None
    host: str | None

    def __str__(self) -> str:
        if self.gateway is not None:
            return f"gateway {self.gateway}"
        return f"{self.zone}.{self.host}" if self.host else self.zone or "no zone"


@frozen
class Decision:
    """`verdict` is allow or deny; `reason` is flow, deny or default.

    `statements` decide it: the flows that allow it, or the denies that forbid it. `overruled` are allows
    that a deny beats, `unmet` flows whose conditions fail here, and `staged` flows that only count.
    `zone` is set where hosts of one zone may talk without a flow, unless a deny forbids it.
    """

    verdict: str
    reason: str
    source: Location
    destination: Location
    statements: tuple[Flow, ...] = ()
    overruled: tuple[Flow, ...] = ()
    unmet: tuple[Flow, ...] = ()
    staged: tuple[Flow, ...] = ()
    zone: Zone | None = None


def trace(policy: Policy, packet: Packet, situation: Situation) -> Decision:
    """Decide one packet; linear in the number of flows. `situation.at` should be a moment."""
    source, destination = locate(policy, packet.source), locate(policy, packet.destination)
    allows: list[Flow] = []
    denies: list[Flow] = []
    unmet: list[Flow] = []
    staged: list[Flow] = []
    for flow in policy.flows:
        if not flow.services.contains(packet.protocol, packet.value):
            continue
        if not _may_match(flow, source, destination):
            continue
        if not _matches(flow, source, destination, situation, policy):
            unmet.append(flow)
        elif flow.staged:
            staged.append(flow)
        else:
            (allows if flow.action == "allow" else denies).append(flow)
    zone = _common_zone(policy, source, destination)
    rest = tuple(unmet), tuple(staged), zone
    if denies:
        return Decision("deny", "deny", source, destination, tuple(denies), tuple(allows), *rest)
    if allows:
        return Decision("allow", "flow", source, destination, tuple(allows), (), *rest)
    verdict = "allow" if zone is not None else "deny"
    return Decision(verdict, "default", source, destination, (), (), *rest)


def locate(policy: Policy, address: Address) -> Location:
    for gateway in policy.gateways.values():
        if address in gateway.own:
            return Location(address, gateway.name, None, None)
    for zone in policy.zones.values():
        if address in zone.space:
            host = next((host.name for host in zone.hosts if address in host.space), None)
            return Location(address, None, zone.name, host)
    return Location(address, None, None, None)


def _may_match(flow: Flow, source: Location, destination: Location) -> bool:
    return holds(flow.source, source) and holds(flow.destination, destination)


def holds(end: End, place: Location) -> bool:
    """Whether the end may be this place, under some conditions."""
    if place.gateway is not None:
        return place.gateway in end.gateways
    return any(place.address in part.space for part in end.parts)


def holds_whoever(end: End, place: Location) -> bool:
    """Whether the end is this place, whoever sits there."""
    if place.gateway is not None:
        return place.gateway in end.gateways
    return any(
        part.subject is None
        and place.address in part.space
        and not any(place.address in space for _, space in part.unless)
        for part in end.parts
    )


def _matches(
    flow: Flow, source: Location, destination: Location, situation: Situation, policy: Policy
) -> bool:
    for end, place, claims in (
        (flow.source, source, situation.source),
        (flow.destination, destination, situation.destination),
    ):
        if place.gateway is None and place.address not in held_space(end, claims, policy):
            return False
    return met(flow.conditions, situation)


def _common_zone(policy: Policy, source: Location, destination: Location) -> Zone | None:
    """The zone that both lie in, where it lets its hosts talk."""
    if source.zone is None or source.zone != destination.zone:
        return None
    zone = policy.zones[source.zone]
    return None if zone.isolated else zone
