"""Endpoint classes of a gateway: the addresses that its flows tell apart, numbered for the packet mark.

Every zone that the gateway sees gets a number, and so does every other gateway as a place of its own.
Within a zone that some end divides, addresses that all ends treat alike form classes, numbered from 1.
An end is then a few pairs *(zone, class)*, with 0 standing for "all": (0, 0) is everywhere, (z, 0) the
whole zone z, (z, c) one class of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from segc.frozen import frozen
from segc.policy.model import Gateway, Policy, Zone
from segc.policy.topology import Position
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet, union

Place = tuple[int, int]
EVERYWHERE: Place = (0, 0)


def depth(place: Place) -> int:
    """How closely a place is told: 0 not at all, 1 by its zone, 2 by its class."""
    return 0 if place == EVERYWHERE else 2 if place[1] else 1


@frozen
class Area:
    """A numbered zone, or addresses of another gateway that lie behind the same devices.

    `gateway` names that other gateway; `devices` are those that packets from here may arrive on. `cuts`
    are the parts of the space that ends hold, and `classes` divide it accordingly.
    """

    name: str
    number: int
    space: PrefixSet
    external: bool
    gateway: str | None
    devices: frozenset[str]
    classes: tuple[EndpointClass, ...] = ()
    cuts: tuple[PrefixSet, ...] = ()


@frozen
class EndpointClass:
    name: str
    number: int
    space: PrefixSet


@frozen
class Places:
    """The areas by number; `own` is the number of the gateway itself."""

    areas: tuple[Area, ...]
    own: int

    @property
    def zone_bits(self) -> int:
        return self.own.bit_length()

    @property
    def class_bits(self) -> int:
        return max((c.number.bit_length() for area in self.areas for c in area.classes), default=0)

    def fingerprint(self) -> str:
        """The same for places that number the same addresses alike."""
        return repr([(a.number, a.gateway, a.space, [c.space for c in a.classes]) for a in self.areas])

    def name(self, place: Place) -> str:
        """`hr`, `hr.payroll`, `any` or `gateway`."""
        zone, number = place
        if zone in (0, self.own):
            return "gateway" if zone else "any"
        area = self.areas[zone - 1]
        return next((each.name for each in area.classes if each.number == number), area.name)


def number_places(policy: Policy, position: Position, spaces: Iterable[PrefixSet]) -> Places:
    """Number what the gateway sees; `spaces` are those of all ends, which decide the classes."""
    visible = [policy.zones[name] for name in sorted(position.devices)]
    others = [g for g in policy.gateways.values() if g.name != position.gateway.name and g.own]
    foreign = union(other.own for other in others)
    drafts = [
        Area(zone.name, 0, zone.space - foreign, zone.external, None, position.devices[zone.name])
        for zone in visible
    ]
    drafts += [area for other in others for area in _gateway_areas(other, visible, position)]
    hosts = {host.space: f"{zone.name}.{host.name}" for zone in visible for host in zone.hosts}
    wanted = tuple(dict.fromkeys(spaces))
    cuts = _cuts(drafts, wanted)
    areas = tuple(
        replace(draft, number=number, classes=_classes(draft, cut, hosts), cuts=tuple(cut))
        for number, (draft, cut) in enumerate(zip(drafts, cuts, strict=True), start=1)
    )
    return Places(areas, len(areas) + 1)


def _gateway_areas(other: Gateway, visible: Iterable[Zone], position: Position) -> Iterator[Area]:
    """The addresses of another gateway, apart by the devices that its zones are seen on."""
    spaces: dict[frozenset[str], list[PrefixSet]] = {}
    for zone in visible:
        if space := zone.space & other.own:
            spaces.setdefault(position.devices[zone.name], []).append(space)
    for number, (devices, found) in enumerate(spaces.items(), start=1):
        name = f"gateway.{other.name}" + (f".{number}" if number > 1 else "")
        yield Area(name, 0, union(found), False, other.name, devices)


def _cuts(areas: Sequence[Area], spaces: Sequence[PrefixSet]) -> list[list[PrefixSet]]:
    """For each zone the parts that some space holds of it, where that is neither all nor nothing."""
    index = AreaIndex([area.space for area in areas])
    cuts: list[dict[PrefixSet, None]] = [{} for _ in areas]
    for space in spaces:
        for area in index.touching(space):
            common = areas[area].space & space
            if areas[area].gateway is None and common and common != areas[area].space:
                cuts[area][common] = None
    return [list(cut) for cut in cuts]


def _classes(
    area: Area, cuts: Sequence[PrefixSet], hosts: Mapping[PrefixSet, str]
) -> tuple[EndpointClass, ...]:
    if not cuts:
        return ()
    found = []
    for number, cell in enumerate(partition([area.space, *cuts]), start=1):
        rest = f"{area.name}.rest"
        usual = rest if cell.members == {0} and rest not in hosts.values() else f"{area.name}.{number}"
        found.append(EndpointClass(hosts.get(cell.space, usual), number, cell.space))
    return tuple(found)


class AreaIndex:
    """Finds the areas that a space touches in O(log areas + hits) for each of its intervals."""

    def __init__(self, areas: Sequence[PrefixSet]) -> None:
        self._sorted = {
            family: sorted(
                (first, last, i) for i, area in enumerate(areas) for first, last in area.ranges(family)
            )
            for family in (4, 6)
        }

    def touching(self, space: PrefixSet) -> list[int]:
        found: set[int] = set()
        for family in (4, 6):
            ranges = self._sorted[family]
            for first, last in space.ranges(family):
                found.update(self._overlapping(ranges, first, last))
        return sorted(found)

    @staticmethod
    def _overlapping(ranges: Sequence[tuple[int, int, int]], first: int, last: int) -> Iterable[int]:
        """Areas are disjoint, so their intervals are sorted by first and by last address alike."""
        low, high = 0, len(ranges)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if ranges[middle][1] < first else (low, middle)
        while low < len(ranges) and ranges[low][0] <= last:
            yield ranges[low][2]
            low += 1


class PlaceFinder:
    """Turns spaces into places; asked once for each distinct space."""

    def __init__(self, places: Places) -> None:
        self._areas = places.areas
        self._gateways = any(area.gateway for area in places.areas)
        self._index = AreaIndex([area.space for area in places.areas])
        self._within: dict[int, AreaIndex] = {}
        self._known: dict[PrefixSet, tuple[Place, ...]] = {}

    def places(self, space: PrefixSet) -> tuple[Place, ...]:
        if space not in self._known:
            self._known[space] = tuple(self._find(space))
        return self._known[space]

    def _find(self, space: PrefixSet) -> Iterable[Place]:
        if self._covers_all(space):
            yield EVERYWHERE
            return
        for index in self._index.touching(space):
            area = self._areas[index]
            if area.gateway:
                continue
            if area.space <= space:
                yield area.number, 0
            else:
                hits = (area.classes[hit] for hit in self._classes_of(index).touching(space))
                yield from ((area.number, each.number) for each in hits if each.space <= space)

    def _classes_of(self, index: int) -> AreaIndex:
        if index not in self._within:
            self._within[index] = AreaIndex([each.space for each in self._areas[index].classes])
        return self._within[index]

    def _covers_all(self, space: PrefixSet) -> bool:
        """Whether "everywhere" says it: not beside other gateways, which `any` never means."""
        if len(self._areas) < 2 or self._gateways:
            return False
        return all(area.space <= space for area in self._areas)
