"""Zones of a single host (`SEG403`), and zones too many for their hosts (`SEG404`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.wording import some
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Zone
from segc.space import intervals
from segc.space.prefixes import union

FEW = 14  # a /28: small enough to count the addresses themselves
LINK = 4  # a /30, which has two ends; a /31 as well (RFC 3021)


def check_small(outline: Outline) -> Iterator[Diagnostic]:
    counted = [(zone, hosts) for zone, hosts in populations(outline) if not outline.small_on_purpose(zone)]
    most = outline.limits["zone-hosts"]
    for zone, hosts in counted:
        if hosts <= most:
            yield _small(zone, hosts, most)
    yield from _too_many(counted, outline)


def populations(outline: Outline) -> Iterator[tuple[Zone, int]]:
    """How many hosts zones have, where that is known.

    It is where no flow to or from another zone speaks of any address but those of named hosts, or where
    there are few addresses. A zone that the outside may enter is none of them: it is small to be safe. Nor is
    one that has room for the two ends of a link, a gateway at one of them, and names no host.
    """
    crossing = [flow for flow in allows(outline.policy.flows) if not any(end.gateways for end in flow.ends)]
    spoken_of = {end for flow in crossing for end in flow.ends}
    outside = {end for end, cells in outline.wide.items() if cells & outline.external}
    entered = {flow.destination for flow in allows(outline.policy.flows) if flow.source in outside}
    for number in outline.inner:
        zone = outline.zones[number]
        room = _room(outline, zone)
        if not (zone.hosts or 0 < room <= FEW):
            continue
        ends = set(outline.holding(number))
        if ends.isdisjoint(spoken_of) or not ends.isdisjoint(entered):
            continue
        named = union(host.space for host in zone.hosts)
        rest = (cell for cell in outline.cells[number] if not outline.spaces[cell] <= named)
        loose = any(end in spoken_of for cell in rest for end in outline.holders[cell])
        if zone.hosts and not loose:
            yield zone, len(zone.hosts)
        elif 0 < room <= FEW and not _link(outline, zone):
            yield zone, room


def _link(outline: Outline, zone: Zone) -> bool:
    """Whether gateways have it to reach each other, or another router."""
    few = not zone.hosts and intervals.count(zone.space.v4) <= LINK
    return few and any(zone.name in gateway.zones for gateway in outline.policy.gateways.values())


def _room(outline: Outline, zone: Zone) -> int:
    """Addresses for hosts; 0 where IPv6 has no end of them. A gateway there has one, be it stated or not."""
    space = zone.space - outline.own
    gateways = outline.policy.gateways.values()
    unstated = sum(zone.name in each.zones and not each.own & zone.space for each in gateways)
    count = intervals.count(space.v4) - unstated
    ends = 2 if intervals.count(zone.space.v4) > 3 else 0  # a subnet's first and last address are no host's
    return 0 if space.v6 else max(count - ends, 0)


def _small(zone: Zone, hosts: int, most: int) -> Diagnostic:
    return finding(
        "SEG403",
        f"zone `{zone.name}` is for {some(hosts, 'host')}",
        zone.span,
        f"zone-hosts is {most}",
        notes=(
            f"it costs a subnet{_vlan(zone)} and a row and a column of the matrix",
            "a host can be named in flows wherever it stands; a zone of its own keeps its neighbours off it",
        ),
        help="move the host to a zone of its kind, or tag the zone if it is small on purpose",
    )


def _vlan(zone: Zone) -> str:
    return "" if zone.vlan is None else f", VLAN {zone.vlan}"


def _too_many(counted: list[tuple[Zone, int]], outline: Outline) -> Iterator[Diagnostic]:
    zones, least = len(counted), outline.limits["hosts-per-zone"]
    hosts = sum(each for _, each in counted)
    if zones < max(outline.limits["small-zones"], 1) or hosts >= least * zones:
        return
    vlans = sum(zone.vlan is not None for zone, _ in counted)
    first, *others = (zone for zone, _ in counted)
    yield finding(
        "SEG404",
        f"{zones} zones hold {some(hosts, 'host')} between them",
        first.span,
        f"{hosts / zones:.1f} hosts a zone, and hosts-per-zone is {least}",
        also=tuple(Label(zone.span, "such a zone") for zone in others[:3]),
        notes=(
            f"they cost {some(vlans, 'VLAN')}, {zones} subnets and {zones * (zones - 1)} pairs to decide on",
            "what they are worth is that a host caught does not meet the others without a flow",
        ),
        help="put hosts of one kind into one zone; `intra deny` keeps them apart within it",
    )
