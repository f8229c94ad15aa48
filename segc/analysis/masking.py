"""Flows that lose their source on the way: the next gateway sees the one that masquerades, and refuses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Gateway, Interface, Policy
from segc.policy.topology import Position, beyond, position
from segc.space.prefixes import PrefixSet


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
    attached = {each.zone for each in gateway.attachments}
    for interface in gateway.interfaces:
        here = [each for each in gateway.attachments if each.interface == interface.name]
        devices = {each.device for each in here} if interface.masquerade else set()
        further = [z for z, ways in seen.devices.items() if z not in attached and ways and ways <= devices]
        sources = [z for z, ways in seen.devices.items() if further and not ways & devices]
        only = tuple(z for z in sources if _only_way(policy, gateway, z, further))
        if only:
            yield Mask(gateway, interface, tuple(each.zone for each in here), only, tuple(further))


def _only_way(policy: Policy, gateway: Gateway, source: str, destinations: Sequence[str]) -> bool:
    """Whether no other gateway leads from the zone to any of the others."""
    others = [each for each in policy.gateways.values() if each is not gateway]
    if policy.zones[source].external:
        return not any(attachment.zone == source for each in others for attachment in each.attachments)
    return beyond(source, others, policy).isdisjoint(destinations)


def _kept(policy: Policy, mask: Mask) -> Iterator[Diagnostic]:
    allows = [each for each in policy.flows if each.action == "allow" and not each.staged]
    # The same ends come again and again: each pair of them is looked at once for the same services.
    asked = {(id(f.source), id(f.destination), f.services): f for f in reversed(allows) if f.kind != "manage"}
    for flow in reversed(asked.values()):
        for zone in mask.destinations:
            for family in mask.interface.masquerade:
                if _crosses(policy, mask, flow, zone, family) and _refused(
                    policy, mask, allows, flow, zone, family
                ):
                    yield _told(mask, flow, zone)
                    return


def _crosses(policy: Policy, mask: Mask, flow: Flow, zone: str, family: int) -> bool:
    sources = (policy.zones[name].space.only(family) for name in mask.sources)
    reached = flow.destination.space & policy.zones[zone].space.only(family)
    return bool(reached) and any(flow.source.space & each for each in sources)


def _refused(policy: Policy, mask: Mask, allows: Sequence[Flow], flow: Flow, zone: str, family: int) -> bool:
    """Whether something of the flow's services is not let in from the gateway's own address."""
    links = [policy.zones[name].space.only(family) for name in mask.links]
    own = [each for name in mask.links for each in mask.gateway.addresses.get(name, ())]
    known = any(each.version == family for each in (*own, *mask.interface.addresses))
    reached = flow.destination.space & policy.zones[zone].space.only(family)
    rest = flow.services
    for allow in allows:
        named = mask.gateway.name in allow.source.gateways
        if (named or (not known and _holds(allow.source.space, links))) and _holds(
            allow.destination.space, [reached]
        ):
            rest = rest - allow.services
    return bool(rest)


def _holds(space: PrefixSet, parts: Sequence[PrefixSet]) -> bool:
    return not any(part - space for part in parts)


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
