"""Which zones could be one at all, and what making them one would do."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from segc.analysis.segmentation.merging import Merger, Rests, changes_nothing, merger
from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.signature import split, union
from segc.policy.model import End, Flow


def merge(outline: Outline, one: int, other: int) -> Merger:
    flows = outline.speaking_of(one, other)
    return merger(
        outline.zones[one], outline.zones[other], flows, outline.policy, _rests(outline, one, other)
    )


def same(outline: Outline, one: int, other: int) -> bool:
    """Whether nobody outside can tell two zones apart. What others do among themselves does not matter."""
    first, second = outline.zones[one], outline.zones[other]
    flows = _concerned(outline, one, other)
    # Ends without their text, which may name other zones.
    ends = {end: replace(end, text="") for flow in flows for end in flow.ends}
    nameless = [replace(f, source=ends[f.source], destination=ends[f.destination]) for f in flows]
    policy = replace(outline.policy, zones={first.name: first, second.name: second})
    return changes_nothing(first, second, nameless, policy, _rests(outline, one, other))


def _concerned(outline: Outline, one: int, other: int) -> list[Flow]:
    """The flows that change when two zones become one, and all that meet one of these afterwards."""
    both = outline.masks[one] | outline.masks[other]
    rests = union(1 << cell for zone in (one, other) for cell in outline.rests[zone].values())
    flows, wide = outline.speaking_of(one, other), outline.wide
    torn = {end: both for flow in flows for end in flow.ends if _torn(outline, end, rests)}
    regions = {(both, both)}
    for flow in flows:
        if flow.source in torn or flow.destination in torn:
            here, there = (wide[end] | torn.get(end, 0) for end in flow.ends)
            regions.add((here, there))
    return [f for f in flows if any(wide[f.source] & s and wide[f.destination] & d for s, d in regions)]


def _torn(outline: Outline, end: End, rests: int) -> bool:
    """Whether an end may hold the rest of one of two zones without that of the other."""
    return any(part.unless for part in end.parts) or any(
        mask & rests not in (0, rests) for mask in outline.by_part(end)
    )


def _rests(outline: Outline, *zones: int) -> Rests:
    return {outline.zones[each].name: outline.rest_of(each) for each in zones}


def kinds(outline: Outline) -> Iterator[list[int]]:
    """Zones that could be one, by what no flow says: families, tags, VLAN, gateways, `intra`, `refuse`, who
    vouches for people in them, and whether 802.1X takes their hosts in by MAC addresses.

    Left out is a zone of which no allow to or from another speaks: its policy is not written yet.
    """
    policy = outline.policy
    at: dict[str, list[str]] = {}
    for name, gateway in policy.gateways.items():
        for zone in dict.fromkeys(attachment.zone for attachment in gateway.attachments):
            at.setdefault(zone, []).append(name)

    def kind(number: int) -> Hashable:
        zone = outline.zones[number]
        where = zone.vlan is None, tuple(at.get(zone.name, ()))
        vouched = tuple(name for name, each in policy.sources.items() if zone.name in each.zones)
        by_mac = any(each.zone == zone.name and each.subject is None for each in policy.admissions)
        said = zone.tags, zone.isolated, zone.refuse, vouched, by_mac
        return frozenset(outline.rests[number]), said, where

    return split((zone for zone in outline.inner if _spoken_of(outline, zone)), kind)


def _spoken_of(outline: Outline, zone: int) -> bool:
    return any(
        not flow.ends[1 - side].gateways
        for cell in set(outline.rests[zone].values())
        for end in outline.holders[cell]
        for side, flows in enumerate((outline.by_source, outline.by_destination))
        for flow in allows(flows.get(end, ()))
    )


def parted(outline: Outline, one: int, other: int) -> bool:
    """Whether the policy means the boundary between two zones: by a promise, or by what is allowed across.

    An allow for all of both, at both ends, is none that tells them apart.
    """
    spaces = [outline.zones[zone].space for zone in (one, other)]
    for never in outline.policy.nevers:
        ends = never.source.space, never.destination.space
        if any(a.overlaps(ends[0]) and b.overlaps(ends[1]) for a, b in (spaces, spaces[::-1])):
            return True
    rests = union(1 << cell for zone in (one, other) for cell in outline.rests[zone].values())
    return _crossed(outline, one, other, rests) or _crossed(outline, other, one, rests)


def _crossed(outline: Outline, source: int, destination: int, rests: int) -> bool:
    wide, there = outline.wide, outline.masks[destination]
    return any(
        wide[flow.destination] & there and wide[end] & wide[flow.destination] & rests != rests
        for end in outline.holding(source)
        for flow in allows(outline.by_source.get(end, ()))
    )
