"""Zones that may be the same to the policy, found by hashing instead of by pairs.

A zone's signature is what its rest may send and receive at one moment while no session stands. Zones of
different signatures differ; those of one are looked at closely. A coarse one (with whom, whatever the
service) comes first: in most policies it already tells all zones apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from segc.analysis.conflicts.atoms import mask_of
from segc.analysis.segmentation.outline import Outline
from segc.policy.claims import Situation, met
from segc.policy.model import Conditions, End, Flow
from segc.space.protocols import FAMILY_OF, exists_in
from segc.space.services import ANY_SERVICE, ServiceSet

PLAIN = Conditions()
NOW = Situation(at=0)  # any moment will do


class _OfEnd(NamedTuple):
    """The flows that hold, and what its allows open together, whatever the service but ICMP."""

    opened: int
    allows: Sequence[Flow]
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
        to each other agree in what flows say of others. Hosts that somebody names in one of these zones are
        left out: once two zones are one, they are its own.
        """
        found = list(zones)
        rests = {cell for zone in found for cell in self.outline.rests[zone].values()}
        named = mask_of([cell for zone in found for cell in self.outline.cells[zone] if cell not in rests])
        for own in (False, True):
            for group in split(found, partial(self._coarse, own=own, named=named)):
                yield from split(group, partial(self._fine, own=own, named=named))

    def differ(self, one: int, other: int) -> bool:
        """Whether the rests of two zones of one kind exchange something with different cells of third zones.

        Unlike a signature this sees their named hosts too, so that pairs of zones that speak to hosts only,
        each to others, need no closer look.
        """
        both = self.outline.masks[one] | self.outline.masks[other]
        first, second = self.outline.rests[one], self.outline.rests[other]
        return any(
            (self._cells(cell, side) ^ self._cells(second[family], side))
            & self.outline.families[family]
            & ~both
            for family, cell in first.items()
            for side in (0, 1)
        )

    def _coarse(self, zone: int, own: bool, named: int) -> Hashable:
        """With what the rest may exchange anything but ICMP, which is not the same in both families.

        The hash of it, for the masks of all zones at once are many megabytes.
        """
        families, cells = self.outline.families, self.outline.rests[zone]
        reached = {(cell, side): self._cells(cell, side) for cell in cells.values() for side in (0, 1)}
        return hash(
            tuple(
                (family, self._others(reached[cell, side] & families[family] & ~named, zone, own))
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
        ends = [self._of_end(end, side) for end in self._holders[cell]]
        opened = union(end.opened for end in ends)
        denies = [(self._there(flow, side), flow.services) for end in ends for flow in end.denies]
        if not denies:
            return opened
        opened &= ~union(there for there, services in denies if services == ANY_SERVICE)
        doubtful = opened & union(there for there, _ in denies)
        return opened & ~(doubtful and self._shut(doubtful, ends, denies, side))

    def _shut(
        self, doubtful: int, ends: Iterable[_OfEnd], denies: Iterable[tuple[int, ServiceSet]], side: int
    ) -> int:
        """What of `doubtful` no allow opens. Most of them have a service that no deny of the cell names."""
        mask, exists = self.outline.services.mask_of, self.outline.services.exists
        closing = [(there, mask(services)) for there, services in denies if services != ANY_SERVICE]
        either = exists[4] & exists[6]  # ICMP is of one family each
        free = either & ~union(services for _, services in closing)
        for end in ends:
            for flow in end.allows if end.opened & doubtful else ():
                cells = self._there(flow, side) & doubtful
                if cells:
                    services = mask(flow.services)
                    doubtful &= ~(cells if services & free else _left(cells, services & either, closing))
                    if not doubtful:
                        return 0
        return doubtful

    def _of_end(self, end: End, side: int) -> _OfEnd:
        known = self._reached[side].get(end)
        if known is None:
            flows = [flow for flow in self._sides[side].get(end, ()) if self._holds(flow)]
            allows = [flow for flow in flows if flow.action == "allow" and not only_icmp(flow.services)]
            denies = [flow for flow in flows if flow.action == "deny"]
            opened = union(self._there(flow, side) for flow in allows)
            known = self._reached[side][end] = _OfEnd(opened, allows, denies)
        return known

    def _there(self, flow: Flow, side: int) -> int:
        """The mask of the other end."""
        return self.outline.open_to_all[flow.destination if side == 0 else flow.source]

    def _holds(self, flow: Flow) -> bool:
        if flow.conditions == PLAIN:
            return not flow.staged
        known = self._met.get(flow.conditions)
        if known is None:
            known = self._met[flow.conditions] = met(flow.conditions, NOW)
        return known and not flow.staged

    def _fine(self, zone: int, own: bool, named: int) -> Hashable:
        """What the rest may exchange with each cell, by service."""
        found = []
        for family, cell in self.outline.rests[zone].items():
            cells = self.outline.families[family]
            for side in (0, 1):
                stretches = self._stretches(cell, side, family)
                changes: list[tuple[int, int]] = [(0, 0)]
                for start, mask in stretches:
                    others = self._others(mask & cells & ~named, zone, own)
                    if others != changes[-1][1]:
                        changes.append((start, others))
                found.append((family, tuple(changes)))
        return tuple(found)

    def _stretches(self, cell: int, side: int, family: int) -> Iterator[tuple[int, int]]:
        """Services in order, protocol and value as one number, and what is open from each on."""
        masks = self.outline.open_to_all
        flips: dict[int, list[int]] = {}
        active: dict[int, tuple[bool, int]] = {}
        flows = [f for end in self._holders[cell] for f in self._sides[side].get(end, ()) if self._holds(f)]
        for index, flow in enumerate(flows):
            for protocol, values in flow.services.parts:
                for first, last in values if exists_in(family, protocol) else ():
                    flips.setdefault(protocol << 16 | first, []).append(index)
                    flips.setdefault((protocol << 16 | last) + 1, []).append(index)
        for place in sorted(flips):
            for index in flips[place]:
                if active.pop(index, None) is None:
                    flow = flows[index]
                    active[index] = flow.action == "deny", masks[flow.ends[1 - side]]
            denied = union(mask for deny, mask in active.values() if deny)
            yield place, union(mask for deny, mask in active.values() if not deny) & ~denied


def _left(cells: int, services: int, closing: Iterable[tuple[int, int]]) -> int:
    """The cells for which some of the services is left, by pieces on which the same are closed."""
    pieces = [(cells, services)]
    for there, closed in closing:
        if cells & there and services & closed:
            inside = [(held & there, left & ~closed) for held, left in pieces]
            outside = [(held & ~there, left) for held, left in pieces]
            pieces = [each for each in chain(inside, outside) if all(each)]
    return union(held for held, _ in pieces)


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


def only_icmp(services: ServiceSet) -> bool:
    """Whether a set has no other protocol; the last of them tells most apart."""
    return services.parts[-1][0] in FAMILY_OF and all(protocol in FAMILY_OF for protocol, _ in services.parts)
