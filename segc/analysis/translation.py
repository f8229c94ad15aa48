"""Private addresses that go out as they are: whoever is asked there has no way back to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Gateway, Interface, Policy, Zone
from segc.policy.topology import Position, ZoneIndex, position
from segc.space.prefixes import PrefixSet, parse_prefixes, union

# RFC 1918 and RFC 4193
PRIVATE = union(map(parse_prefixes, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def check_translation(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG225` for an interface of the external zone, where no gateway on the way says `masquerade`."""
    gateways = [gateway for gateway in policy.gateways.values() if not gateway.implicit]
    outside = next((zone for zone in policy.zones.values() if zone.external), None)
    if outside is None:
        return
    positions = [position(policy, gateway) for gateway in gateways]
    private = {
        zone.name: space
        for zone in policy.zones.values()
        if (space := _private(zone, _translated(zone, outside, positions)))
    }
    flows = _leaving(policy, private, outside.space - PRIVATE) if private else {}
    for seen in positions:
        yield from _kept(policy, seen, outside, flows)


def _translated(zone: Zone, outside: Zone, positions: Sequence[Position]) -> frozenset[int]:
    """The families that some gateway between the two translates."""
    between = (seen.gateway for seen in positions if seen.stands_between(zone.name, outside.name))
    return frozenset(v for gateway in between for each in gateway.interfaces for v in each.masquerade)


def _private(zone: Zone, translated: frozenset[int]) -> PrefixSet:
    """Those addresses of a zone that have nothing but private ones of their family beside them."""
    if zone.external:
        return PrefixSet()
    public = zone.space - PRIVATE
    return union(zone.space.only(v) for v in {4, 6} - translated if not public.ranges(v))


def _leaving(
    policy: Policy, private: Mapping[str, PrefixSet], outside: PrefixSet
) -> dict[tuple[str, int], Flow]:
    """By zone and family the first allow that lets private addresses out; equal ends are looked at once."""
    index = ZoneIndex(policy.zones[name] for name in private)
    sources: dict[int, list[tuple[str, int]]] = {}
    destinations: dict[int, frozenset[int]] = {}
    found: dict[tuple[str, int], Flow] = {}
    for flow in policy.flows:
        if flow.kind != "flow" or flow.action != "allow" or flow.staged:
            continue
        source, destination = map(id, flow.ends)
        if destination not in destinations:
            destinations[destination] = (flow.destination.space & outside).families
        if destinations[destination] and source not in sources:
            space = flow.source.space
            sources[source] = [
                (name, family) for name in index.zones(space) for family in (space & private[name]).families
            ]
        for name, family in sources.get(source, ()) if destinations[destination] else ():
            if family in destinations[destination]:
                found.setdefault((name, family), flow)
    return found


def _kept(
    policy: Policy, seen: Position, outside: Zone, flows: Mapping[tuple[str, int], Flow]
) -> Iterator[Diagnostic]:
    gateway = seen.gateway
    carrying = {each.interface for each in gateway.attachments if each.zone == outside.name}
    homes = [each for each in gateway.interfaces if each.name in carrying]
    behind = _translated_further_on(gateway, homes, outside)
    hit = {
        zone: flow
        for (zone, family), flow in flows.items()
        if family not in behind and seen.stands_between(zone, outside.name)
    }
    if homes and hit:
        names = ", ".join(f"`{zone}`" for zone in sorted(hit))
        yield finding(
            "SEG225",
            f"private addresses leave by `{homes[0].name}` of gateway `{gateway.name}` as they are: {names}",
            homes[0].span,
            f"nobody in `{outside.name}` can answer them",
            also=(Label(next(iter(hit.values())).span, "lets them out"),),
            help="write `masquerade` in this interface, unless something behind it translates them",
        )


def _translated_further_on(gateway: Gateway, homes: Sequence[Interface], outside: Zone) -> frozenset[int]:
    """The families in which the gateway itself has a private address outside, so that another router must."""
    given = [each for home in homes for each in home.addresses]
    given += gateway.addresses.get(outside.name, ())
    return frozenset(each.version for each in given if each.ip in PRIVATE)
