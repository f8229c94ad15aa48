"""Which zones could be one at all, and what making them one would do."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, combinations

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.segmentation.merging import Merger, Rests, changes_nothing, merger
from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.signature import split, union
from segc.policy.model import End, Flow, Gateway, Policy


def merge(outline: Outline, *numbers: int) -> Merger:
    zones = [outline.zones[each] for each in numbers]
    return merger(zones, outline.speaking_of(*numbers), outline.policy, _rests(outline, *numbers))


def same(outline: Outline, *numbers: int) -> bool:
    """Whether nobody outside can tell zones apart. What others do among themselves does not matter."""
    zones = [outline.zones[each] for each in numbers]
    flows = _concerned(outline, *numbers)
    # Ends without their text, which may name other zones.
    ends = {end: replace(end, text="") for flow in flows for end in flow.ends}
    nameless = [replace(f, source=ends[f.source], destination=ends[f.destination]) for f in flows]
    policy = replace(outline.policy, zones={zone.name: zone for zone in zones})
    return changes_nothing(zones, nameless, policy, _rests(outline, *numbers))


def _concerned(outline: Outline, *zones: int) -> list[Flow]:
    """The flows that change when zones become one, and all that meet one of these afterwards."""
    whole = union(outline.masks[each] for each in zones)
    rests = _cells(outline, zones)
    flows, wide = outline.speaking_of(*zones), outline.wide
    ends = dict.fromkeys(chain.from_iterable(flow.ends for flow in flows))
    torn = {end: whole for end in ends if _torn(outline, end, rests)}
    regions = {(whole, whole)}
    for flow in flows:
        if flow.source in torn or flow.destination in torn:
            here, there = (wide[end] | torn.get(end, 0) for end in flow.ends)
            regions.add((here, there))
    return [f for f in flows if any(wide[f.source] & s and wide[f.destination] & d for s, d in regions)]


def _torn(outline: Outline, end: End, rests: int) -> bool:
    """Whether an end may hold the rest of one of the zones without that of another."""
    return any(part.unless for part in end.parts) or any(
        mask & rests not in (0, rests) for mask in outline.by_part(end)
    )


def _cells(outline: Outline, zones: Iterable[int]) -> int:
    """The mask of what is left of each of the zones."""
    return mask_of([cell for zone in zones for cell in outline.rests[zone].values()])


def _rests(outline: Outline, *zones: int) -> Rests:
    return {outline.zones[each].name: outline.rest_of(each) for each in zones}


def kinds(outline: Outline) -> Iterator[list[int]]:
    """Zones that could be one, by what no flow says: families, tags, VLAN, interfaces of gateways, `intra`,
    `refuse`, who vouches for people in them, and whether 802.1X takes their hosts in by MAC addresses.

    Zones on interfaces of their own, such as links between gateways, could not: of one that sits on several,
    the first alone has the gateway's addresses. Left out is a zone of which no allow to or from another
    speaks: its policy is not written yet.
    """
    policy = outline.policy
    at = _seats(policy.gateways.values())

    def kind(number: int) -> Hashable:
        zone = outline.zones[number]
        where = zone.vlan is None, frozenset(at.get(zone.name, ()))
        vouched = tuple(name for name, each in policy.sources.items() if zone.name in each.zones)
        by_mac = any(each.zone == zone.name and each.subject is None for each in policy.admissions)
        said = zone.tags, zone.isolated, zone.refuse, vouched, by_mac
        return frozenset(outline.rests[number]), said, where

    return split((zone for zone in outline.inner if _spoken_of(outline, zone)), kind)


def _seats(gateways: Iterable[Gateway]) -> dict[str, set[tuple[str, str, bool]]]:
    """Where zones sit, by name: gateway, interface, and whether untagged."""
    found: dict[str, set[tuple[str, str, bool]]] = {}
    for gateway in gateways:
        for each in gateway.attachments:
            found.setdefault(each.zone, set()).add((gateway.name, each.interface, each.vlan is None))
    return found


def torn(policy: Policy, zones: Sequence[str]) -> str:
    """A gateway that has addresses in these zones, which sit on interfaces of their own: once they are one
    zone, the first of the interfaces would have all. Empty if there is none.
    """
    for name, gateway in policy.gateways.items():
        seats = _seats([gateway])
        if any(zone in gateway.addresses for zone in zones) and any(
            seats[zone] != seats[other] for zone, other in combinations(filter(seats.get, zones), 2)
        ):
            return name
    return ""


def _spoken_of(outline: Outline, zone: int) -> bool:
    return any(
        not flow.ends[1 - side].gateways
        for cell in set(outline.rests[zone].values())
        for end in outline.holders[cell]
        for side, flows in enumerate((outline.by_source, outline.by_destination))
        for flow in allows(flows.get(end, ()))
    )


def parted(outline: Outline, *zones: int) -> bool:
    """Whether the policy means a boundary between any two of these zones: by a promise, or by what is allowed
    across.

    An allow for all of both, at both ends, is none that tells them apart.
    """
    spaces = [(zone, outline.zones[zone].space) for zone in zones]
    for never in outline.policy.nevers:
        here, there = (
            {zone for zone, space in spaces if space.overlaps(end.space)}
            for end in (never.source, never.destination)
        )
        if here and there and len(here | there) > 1:
            return True
    return _crossed(outline, zones)


def _crossed(outline: Outline, zones: Sequence[int]) -> bool:
    """Whether an allow leads from one of the zones to another, and does not hold all of both at both ends."""
    wide, whole = outline.wide, union(outline.masks[zone] for zone in zones)
    rests = {zone: _cells(outline, (zone,)) for zone in zones}

    @cache
    def touched(mask: int) -> frozenset[int]:
        return frozenset(outline.zone_at[cell] for cell in bits(mask))

    for end in dict.fromkeys(chain.from_iterable(map(outline.holding, zones))):
        for flow in allows(outline.by_source.get(end, ())):
            from_, to = (touched(wide[each] & whole) for each in flow.ends)
            if to and len(from_ | to) > 1:
                both = wide[end] & wide[flow.destination]
                if not all(rests[zone] & both == rests[zone] for zone in from_ | to):
                    return True
    return False
