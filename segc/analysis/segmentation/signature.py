"""Zones that may be the same to the policy, found by hashing instead of by pairs.

A zone's signature is what its rest may send and receive at one moment while no session stands. Zones of
different signatures differ; those of one are looked at closely. A coarse one (with whom, whatever the
service) comes first: in most policies it already tells all zones apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from segc.analysis.segmentation.outline import Outline
from segc.policy.claims import Situation, met
from segc.policy.model import Conditions, End, Flow
from segc.space.services import ANY_SERVICE, ServiceSet

PLAIN = Conditions()
NOW = Situation(at=0)  # any moment will do
ICMP = frozenset({1, 58})
OTHER_FAMILY = {4: frozenset({58}), 6: frozenset({1})}  # the ICMP that a family does not have


class _OfEnd(NamedTuple):
    """What the allows of an end open together, whatever the service but ICMP, and its denies."""

    opened: int
    denies: Sequence[Flow]


class Signatures:
    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._holders = outline.holders_in(outline.open_to_all)
        self._sides = (outline.by_source, outline.by_destination)
        self._known: dict[tuple[int, int], int] = {}
        self._met: dict[Conditions, bool] = {}
        self._reached: tuple[dict[End, _OfEnd], ...] = ({}, {})

    def groups(self, zones: Iterable[int]) -> Iterator[list[int]]:
        """Groups of two or more that neither kind of signature tells apart; a zone may be in several.

        Zones that speak to each other as to themselves agree in all that flows say, zones that do not speak
        to each other agree in what flows say of others.
        """
        found = list(zones)
        for own in (False, True):
            for group in split(found, partial(self._coarse, own=own)):
                yield from split(group, partial(self._fine, own=own))

    def _coarse(self, zone: int, own: bool) -> Hashable:
        """With what the rest may exchange anything but ICMP, which is not the same in both families.

        The hash of it, for the masks of all zones at once are many megabytes.
        """
        families, cells = self.outline.families, self.outline.rests[zone]
        reached = {(cell, side): self._cells(cell, side) for cell in cells.values() for side in (0, 1)}
        return hash(
            tuple(
                (family, self._others(reached[cell, side] & families[family], zone, own))
                for family, cell in cells.items()
                for side in (0, 1)
            )
        )

    def _others(self, mask: int, zone: int, own: bool) -> int:
        return mask if own else mask & ~self.outline.masks[zone]

    def _cells(self, cell: int, side: int) -> int:
        known = self._known.get((cell, side))
        if known is None:
            known = self._known[cell, side] = self._among(cell, side)
        return known

    def _among(self, cell: int, side: int) -> int:
        """With what a cell may exchange anything but ICMP; where a deny is too, that hangs on the service."""
        opened = 0
        denies: list[Flow] = []
        for end in self._holders[cell]:
            of_end = self._of_end(end, side)
            opened |= of_end.opened
            denies += of_end.denies
        if not denies:
            return opened
        masks = self.outline.open_to_all
        opened &= ~union(masks[flow.ends[1 - side]] for flow in denies if flow.services == ANY_SERVICE)
        doubtful = opened & union(masks[flow.ends[1 - side]] for flow in denies)
        return opened & ~(doubtful and self._shut(cell, side, doubtful, denies))

    def _shut(self, cell: int, side: int, doubtful: int, denies: Iterable[Flow]) -> int:
        """What of `doubtful` no allow opens. Most of them have a service that no deny of the cell names."""
        masks, services = self.outline.open_to_all, self.outline.services
        spoken_of = union(services.mask_of(f.services) for f in denies if f.services != ANY_SERVICE)
        free = services.exists[4] & services.exists[6] & ~spoken_of  # ICMP is of one family each
        for flow in self._flows(cell, side):
            there = masks[flow.ends[1 - side]] & doubtful
            if there and flow.action == "allow" and services.mask_of(flow.services) & free:
                doubtful &= ~there
                if not doubtful:
                    return 0
        near = [flow for flow in self._flows(cell, side) if masks[flow.ends[1 - side]] & doubtful]
        for _, mask in self._stretches(near, side, ICMP):
            doubtful &= ~mask
            if not doubtful:
                break
        return doubtful

    def _of_end(self, end: End, side: int) -> _OfEnd:
        known = self._reached[side].get(end)
        if known is None:
            masks, opened, denies = self.outline.open_to_all, 0, []
            for flow in self._sides[side].get(end, ()):
                if not self._holds(flow):
                    continue
                if flow.action == "deny":
                    denies.append(flow)
                elif not within(flow.services, ICMP):
                    opened |= masks[flow.destination if side == 0 else flow.source]
            known = self._reached[side][end] = _OfEnd(opened, denies)
        return known

    def _flows(self, cell: int, side: int) -> Iterator[Flow]:
        for end in self._holders[cell]:
            for flow in self._sides[side].get(end, ()):
                if self._holds(flow):
                    yield flow

    def _holds(self, flow: Flow) -> bool:
        if flow.conditions == PLAIN:
            return not flow.staged
        known = self._met.get(flow.conditions)
        if known is None:
            known = self._met[flow.conditions] = met(flow.conditions, NOW)
        return known and not flow.staged

    def _fine(self, zone: int, own: bool) -> Hashable:
        """What the rest may exchange with each cell, by service."""
        found = []
        for family, cell in self.outline.rests[zone].items():
            cells = self.outline.families[family]
            for side in (0, 1):
                stretches = self._stretches([*self._flows(cell, side)], side, OTHER_FAMILY[family])
                changes: list[tuple[int, int]] = [(0, 0)]
                for start, mask in stretches:
                    others = self._others(mask & cells, zone, own)
                    if others != changes[-1][1]:
                        changes.append((start, others))
                found.append((family, tuple(changes)))
        return tuple(found)

    def _stretches(
        self, flows: Sequence[Flow], side: int, left_out: frozenset[int]
    ) -> Iterator[tuple[int, int]]:
        """Services in order, protocol and value as one number, and what is open from each on."""
        masks = self.outline.open_to_all
        flips: dict[int, list[int]] = {}
        active: dict[int, tuple[bool, int]] = {}
        for index, flow in enumerate(flows):
            for protocol, values in flow.services.parts:
                for first, last in values if protocol not in left_out else ():
                    flips.setdefault(protocol << 16 | first, []).append(index)
                    flips.setdefault((protocol << 16 | last) + 1, []).append(index)
        for place in sorted(flips):
            for index in flips[place]:
                if active.pop(index, None) is None:
                    flow = flows[index]
                    active[index] = flow.action == "deny", masks[flow.ends[1 - side]]
            denied = union(mask for deny, mask in active.values() if deny)
            yield place, union(mask for deny, mask in active.values() if not deny) & ~denied


def union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def split(zones: Iterable[int], key: Callable[[int], Hashable]) -> Iterator[list[int]]:
    """The zones by their key, those that share it with another."""
    groups: dict[Hashable, list[int]] = {}
    for zone in zones:
        groups.setdefault(key(zone), []).append(zone)
    return (group for group in groups.values() if len(group) > 1)


def within(services: ServiceSet, protocols: frozenset[int]) -> bool:
    """Whether a set has no other protocol; the last of them tells most apart."""
    return services.parts[-1][0] in protocols and all(protocol in protocols for protocol, _ in services.parts)
