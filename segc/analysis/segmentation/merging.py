"""The policy as it would be with zones made one: what is said of one is then said of the others.

Named hosts keep rules of their own. What a statement says of a zone is what it says of its *rest*: the most
addresses, in each family, that no statement tells apart. A statement that holds the rest of one zone holds
all of the others as well once they are one; it loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress

from segc.analysis.segmentation.difference import Change, Comparison
from segc.frozen import frozen
from segc.policy.model import End, Flow, Part, Policy, Zone
from segc.space.prefixes import PrefixSet, union

Rests = Mapping[str, PrefixSet]  # of each zone, by name


@frozen
class Merger:
    """Two zones or more as one: `opened` and `closed` are within it, `leaking` and `missing` what is
    opened and closed between it and others. `opened` is found anew each time, one by one."""

    zones: tuple[Zone, ...]
    comparison: Comparison
    closed: tuple[Change, ...]
    leaking: tuple[Change, ...]
    missing: tuple[Change, ...]
    spared: int  # flows that become the same as others

    @property
    def first(self) -> Zone:
        """The one that stays."""
        return self.zones[0]

    @property
    def others(self) -> tuple[Zone, ...]:
        return self.zones[1:]

    @property
    def opened(self) -> Iterator[Change]:
        return self.comparison.gains_inside()

    @property
    def same(self) -> bool:
        """Whether nobody outside could tell, and nobody inside loses anything."""
        return not (self.closed or self.leaking or self.missing)


def merger(zones: Sequence[Zone], flows: Iterable[Flow], policy: Policy, rests: Rests) -> Merger:
    """`flows` are all that speak of any of the zones: no other can change anything."""
    before, after = _policies(zones, flows, policy, rests)
    comparison = Comparison(before, after, after.zones[zones[0].name].space)
    leaking = tuple(comparison.gains_beyond())
    closed, missing = _parted(comparison.losses(), comparison)
    spared = len(before.flows) - len({said(flow) for flow in after.flows})
    return Merger(tuple(zones), comparison, closed, leaking, missing, spared)


def changes_nothing(zones: Sequence[Zone], flows: Iterable[Flow], policy: Policy, rests: Rests) -> bool:
    """`Merger.same`, found out without all that differs. Other zones may be left out of the policy."""
    before, after = _policies(zones, flows, policy, rests)
    comparison = Comparison(before, after, after.zones[zones[0].name].space)
    return not any(comparison.gains_beyond()) and not any(comparison.losses())


def _policies(
    zones: Sequence[Zone], flows: Iterable[Flow], policy: Policy, rests: Rests
) -> tuple[Policy, Policy]:
    before = replace(policy, flows=tuple(flows))
    gone = {zone.name for zone in zones}
    others = {name: zone for name, zone in policy.zones.items() if name not in gone}
    after = {**others, zones[0].name: _joined(zones)}
    return before, replace(before, flows=_Renaming(zones, rests).flows(before.flows), zones=after)


def _joined(zones: Sequence[Zone]) -> Zone:
    """Isolated if any was: a merger must not put hosts in reach that were kept apart on purpose."""
    return replace(
        zones[0],
        space=union(zone.space for zone in zones),
        hosts=tuple(chain.from_iterable(zone.hosts for zone in zones)),
        isolated=any(zone.isolated for zone in zones),
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
    def __init__(self, zones: Sequence[Zone], rests: Rests) -> None:
        self._zones = [
            [(rests[zone.name].only(family), zone.space.only(family)) for zone in zones] for family in (4, 6)
        ]
        self._rests = [union(rest for rest, _ in found) for found in self._zones]
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
        for zones, rests in zip(self._zones, self._rests, strict=True):
            if space.overlaps(rests) and not rests <= space:
                held = [bool(rest) and rest <= space for rest, _ in zones]
                if any(held):
                    lacking = (
                        all_ for (rest, all_), has in zip(zones, held, strict=True) if rest and not has
                    )
                    space = union((space, *lacking))
        return space
