"""Flows that lose their source on the way: the next gateway sees the one that masquerades, and refuses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import End, Flow, Gateway, Interface, Policy
from segc.policy.topology import Position, ZoneIndex, beyond, position
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ServiceSet
from segc.space.services import union as all_services


class Mask(NamedTuple):
    """An interface that masquerades towards zones which other gateways guard.

    `links` are the zones on it. Its gateway is the only way from `sources` to `destinations`.
    """

    gateway: Gateway
    interface: Interface
    links: tuple[str, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]


def check_masking(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG227` for an interface, with the first flow that it keeps from its end."""
    for gateway in policy.gateways.values():
        if any(each.masquerade for each in gateway.interfaces):
            for mask in _masks(policy, position(policy, gateway)):
                yield from _kept(policy, mask)


def _masks(policy: Policy, seen: Position) -> Iterator[Mask]:
    gateway = seen.gateway
    for interface in gateway.interfaces:
        here = [each for each in gateway.attachments if each.interface == interface.name]
        devices = {each.device for each in here} if interface.masquerade else set()
        further = [
            z for z, ways in seen.devices.items() if z not in gateway.zones and ways and ways <= devices
        ]
        sources = [z for z, ways in seen.devices.items() if further and not ways & devices]
        only = tuple(z for z in sources if _only_way(policy, gateway, z, further))
        if only:
            yield Mask(gateway, interface, tuple(each.zone for each in here), only, tuple(further))


def _only_way(policy: Policy, gateway: Gateway, source: str, destinations: Sequence[str]) -> bool:
    """Whether no other gateway leads from the zone to any of the others."""
    others = [each for each in policy.gateways.values() if each is not gateway]
    if policy.zones[source].external:
        return not any(source in each.zones for each in others)
    return beyond(source, others, policy).isdisjoint(destinations)


class Way:
    """The way by a mask: what takes it, and what the next gateway lets in from the one that masquerades."""

    def __init__(self, policy: Policy, mask: Mask, allows: Sequence[Flow]) -> None:
        destinations = [policy.zones[name] for name in mask.destinations]
        self.sources = union(policy.zones[name].space for name in mask.sources)
        self.zones = {zone.name: zone.space for zone in destinations}
        self.index = ZoneIndex(destinations)
        self.let_in = {f: _let_in(policy, mask, allows, f) for f in mask.interface.masquerade}
        self.families, self.ends = cache(self._families), cache(self._ends)

    def _families(self, source: End) -> frozenset[int]:
        """Those in which something of an end may take it."""
        return (source.space & self.sources).families

    def _ends(self, destination: End) -> list[tuple[str, int, ServiceSet]]:
        """Where it leads to of an end, by zone and family, with the services that are let in there."""
        space, found = destination.space, []
        for zone in self.index.zones(space):
            for family, let_in in self.let_in.items():
                reached = space & self.zones[zone].only(family)
                if reached:
                    held = [services for to, services in let_in if reached <= to]
                    found.append((zone, family, all_services(held)))
        return found


def _let_in(
    policy: Policy, mask: Mask, allows: Sequence[Flow], family: int
) -> list[tuple[PrefixSet, ServiceSet]]:
    """What may be reached from the gateway's own address: any one of its links where none is stated."""
    links = union(policy.zones[name].space.only(family) for name in mask.links)
    own = [each for name in mask.links for each in mask.gateway.addresses.get(name, ())]
    known = any(each.version == family for each in (*own, *mask.interface.addresses))
    found: dict[End, list[ServiceSet]] = {}
    for allow in allows:
        if mask.gateway.name in allow.source.gateways or (not known and links <= allow.source.space):
            found.setdefault(allow.destination, []).append(allow.services)
    return [(end.space, all_services(services)) for end, services in found.items()]


def _kept(policy: Policy, mask: Mask) -> Iterator[Diagnostic]:
    allows = [each for each in policy.flows if each.action == "allow" and not each.staged]
    way = Way(policy, mask, allows)
    for flow in allows:
        families = way.families(flow.source) if flow.kind != "manage" else ()
        for zone, family, let_in in way.ends(flow.destination) if families else ():
            if family in families and flow.services - let_in:
                yield _told(mask, flow, zone)
                return


def _told(mask: Mask, flow: Flow, zone: str) -> Diagnostic:
    gateway = mask.gateway.name
    return finding(
        "SEG227",
        f"the next gateway sees `{gateway}` itself behind `{mask.interface.name}`, and does not let it in: "
        f"`{zone}` is out of reach",
        mask.interface.span,
        f"what leaves by it takes the address of `{gateway}`",
        also=(Label(flow.span, f"no flow allows this from `gateway {gateway}`"),),
        help=f"take `masquerade` out of this interface, or write `allow gateway {gateway} -> {zone} : …`",
    )
