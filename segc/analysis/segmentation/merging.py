"""The policy as it would be with two zones made one: what is said of one is then said of the other.

Named hosts keep rules of their own. What a statement says of a zone is what it says of its *rest*: the most
addresses, in each family, that no statement tells apart. A statement that holds the rest of one zone holds
all of the other as well once they are one; it loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import compress

from segc.analysis.segmentation.difference import Change, Comparison
from segc.policy.model import End, Flow, Part, Policy, Zone
from segc.space.prefixes import PrefixSet

Rests = Mapping[str, PrefixSet]  # of each zone, by name


@dataclass(frozen=True, slots=True)
class Merger:
    """Two zones as one: `opened` and `closed` are within it, `leaking` and `missing` what is
    opened and closed between it and others."""

    first: Zone
    second: Zone
    comparison: Comparison
    opened: tuple[Change, ...]
    closed: tuple[Change, ...]
    leaking: tuple[Change, ...]
    missing: tuple[Change, ...]
    spared: int  # flows that become the same as others

    @property
    def same(self) -> bool:
        """Whether nobody outside could tell, and nobody inside loses anything."""
        return not (self.closed or self.leaking or self.missing)


def merger(first: Zone, second: Zone, flows: Iterable[Flow], policy: Policy, rests: Rests) -> Merger:
    """`flows` are all that speak of either zone: no other can change anything."""
    before, after = _policies(first, second, flows, policy, rests)
    comparison = Comparison(before, after, first.space | second.space)
    opened, leaking = _parted(comparison.gains(), comparison)
    closed, missing = _parted(comparison.losses(), comparison)
    spared = len(before.flows) - len({said(flow) for flow in after.flows})
    return Merger(first, second, comparison, opened, closed, leaking, missing, spared)


def changes_nothing(first: Zone, second: Zone, flows: Iterable[Flow], policy: Policy, rests: Rests) -> bool:
    """`Merger.same`, found out without all that differs. Other zones may be left out of the policy."""
    comparison = Comparison(*_policies(first, second, flows, policy, rests), first.space | second.space)
    return all(map(comparison.inside, comparison.gains())) and not any(comparison.losses())


def _policies(
    first: Zone, second: Zone, flows: Iterable[Flow], policy: Policy, rests: Rests
) -> tuple[Policy, Policy]:
    before = replace(policy, flows=tuple(flows))
    others = {name: zone for name, zone in policy.zones.items() if zone not in (first, second)}
    zones = {**others, first.name: _joined(first, second)}
    return before, replace(before, flows=_Renaming(first, second, rests).flows(before.flows), zones=zones)


def _joined(first: Zone, second: Zone) -> Zone:
    """Isolated if either was: a merger must not put hosts in reach that were kept apart on purpose."""
    return replace(
        first,
        space=first.space | second.space,
        hosts=(*first.hosts, *second.hosts),
        isolated=first.isolated or second.isolated,
    )


def said(flow: Flow) -> object:
    """What makes two flows the same but for their name and place."""
    ends = tuple((end.parts, end.gateways) for end in flow.ends)
    return flow.action, flow.staged, ends, flow.services, flow.conditions, flow.limit, flow.log


def _parted(
    changes: Iterable[Change], comparison: Comparison
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Changes between two hosts of the merged zone, and all others."""
    found = list(changes)
    inside = [comparison.inside(change) for change in found]
    return tuple(compress(found, inside)), tuple(each for each, i in zip(found, inside, strict=True) if not i)


class _Renaming:
    def __init__(self, first: Zone, second: Zone, rests: Rests) -> None:
        self.zones = first, second
        self.rests = rests
        self._ends: dict[End, End] = {}

    def flows(self, flows: Iterable[Flow]) -> tuple[Flow, ...]:
        return tuple(map(self._flow, flows))

    def _flow(self, flow: Flow) -> Flow:
        source, destination = self._end(flow.source), self._end(flow.destination)
        if source is flow.source and destination is flow.destination:
            return flow
        return replace(flow, source=source, destination=destination)

    def _end(self, end: End) -> End:
        known = self._ends.get(end)
        if known is None:
            parts = tuple(map(self._part, end.parts))
            known = self._ends[end] = end if parts == end.parts else replace(end, parts=parts)
        return known

    def _part(self, part: Part) -> Part:
        unless = tuple((subject, self._space(space)) for subject, space in part.unless)
        return Part(self._space(part.space), part.subject, unless)

    def _space(self, space: PrefixSet) -> PrefixSet:
        for zone, other in (self.zones, self.zones[::-1]):
            for family in (4, 6):
                mine, theirs = (self.rests[each.name].only(family) for each in (zone, other))
                if mine and theirs and mine <= space and not theirs <= space:
                    space = space | other.space.only(family)
        return space
