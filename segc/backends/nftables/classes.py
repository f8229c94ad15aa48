"""Which class an address is of: maps from addresses to chains that write the class into the mark.

`from_X` marks the source of a packet that arrives, and refuses it on a device where X cannot be; `to_X`
marks the destination.

Prefixes of one length are one hash map, and the longest are asked first. Where there are more lengths than
`MAX_LENGTHS`, one interval map holds each class exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from segc.backends.nftables.document import Table
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.places import Area, EndpointClass
from segc.enforcement.program import Program
from segc.space.addresses import BITS, address_text
from segc.space.prefixes import PrefixSet, union

FAMILIES = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))
MAX_LENGTHS = 3
UNKNOWN = "refuse_unknown"


class Lookup(NamedTuple):
    """A map to ask for an address; `mask` is what is kept of it, or nothing."""

    family: int
    map: str
    mask: str


@dataclass
class ClassWriter:
    program: Program
    marks: MarkLayout
    table: Table

    @property
    def areas(self) -> tuple[Area, ...]:
        return self.program.places.areas

    def write(self) -> None:
        for direction, key in (("from", "saddr"), ("to", "daddr")):
            self._write_finder(direction, key, self._write_maps(direction))
        for area in self.areas:
            for each in self.classes(area):
                self._write_chains(area, each)

    def _write_chains(self, area: Area, each: EndpointClass) -> None:
        place = (area.number, each.number)
        self.table.chain(f"from_{each.name}", [*self._arrivals(area), self.marks.write_source(place)])
        self.table.chain(f"to_{each.name}", [self.marks.write_destination(place)])

    def _arrivals(self, area: Area) -> Iterator[str]:
        if self.program.position.by_interface:
            devices = [f'"{device}"' for device in sorted(area.devices)]
            match = devices[0] if len(devices) == 1 else f"{{ {', '.join(devices)} }}"
            yield f"iifname != {match} goto refuse_spoofed"

    def _write_finder(self, direction: str, key: str, lookups: Iterable[Lookup]) -> None:
        protocols = {family: protocol for family, protocol, _ in FAMILIES}
        rules = [f"{protocols[each.family]} {key}{each.mask} vmap @{each.map}" for each in lookups]
        default = next((area for area in self.areas if area.external), None)
        last = f"{direction}_{self.rest(default).name}" if default else UNKNOWN
        self.table.chain(f"find_{direction}", [*rules, f"goto {last}"])

    def _write_maps(self, direction: str) -> list[Lookup]:
        found: list[Lookup] = []
        for family, _, type_ in FAMILIES:
            by_length = self._by_length(family)
            if len(by_length) > MAX_LENGTHS:
                elements = [self._element(text, target, direction) for text, target in self._exact(family)]
                name = self.table.set(
                    f"{direction}{family}", f"{type_} : verdict", elements, flags="interval"
                )
                found.append(Lookup(family, name, ""))
                continue
            for length in sorted(by_length, reverse=True):
                elements = [self._element(text, target, direction) for text, target in by_length[length]]
                name = self.table.set(f"{direction}{family}_{length}", f"{type_} : verdict", elements)
                found.append(Lookup(family, name, _mask(family, length)))
        return found

    @staticmethod
    def _element(text: str, target: str, direction: str) -> str:
        return f"{text} : goto {target if target == UNKNOWN else f'{direction}_{target}'}"

    def _exact(self, family: int) -> Iterator[tuple[str, str]]:
        for space, target in self._targets:
            if target != self._default:
                yield from ((text, target) for text in space.prefixes(family))

    def _by_length(self, family: int) -> dict[int, list[tuple[str, str]]]:
        """Prefixes by length, each leading to the class of its addresses that no longer prefix holds."""
        owner = _Owners(family, self._targets)
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for (first, length), address in _own_addresses(family, self._shapes):
            found[length].append((address_text(first, family), owner.of(address)))
        return found

    @cached_property
    def _targets(self) -> list[tuple[PrefixSet, str]]:
        """Every class with its space, and the addresses of zones that cannot meet this gateway."""
        found = [(each.space, each.name) for area in self.areas for each in self.classes(area)]
        return [*found, (self.unseen, UNKNOWN)] if self.unseen else found

    @cached_property
    def _shapes(self) -> list[PrefixSet]:
        zones = self.program.policy.zones
        shapes = [zones[a.name].space if a.gateway is None else a.space for a in self.areas if not a.external]
        return [*shapes, *(cut for area in self.areas for cut in area.cuts), self.unseen]

    @cached_property
    def _default(self) -> str | None:
        external = next((area for area in self.areas if area.external), None)
        return self.rest(external).name if external else None

    @cached_property
    def unseen(self) -> PrefixSet:
        """Addresses of zones that cannot meet this gateway: not to be taken for the external zone."""
        seen = self.program.position.devices
        return union(zone.space for zone in self.program.policy.zones.values() if zone.name not in seen)

    def classes(self, area: Area) -> tuple[EndpointClass, ...]:
        """A zone that nothing divides is one class; numbered, lest a look-up of its class find the zone's."""
        number = 1 if self.marks.class_bits else 0
        return area.classes or (EndpointClass(area.name, number, area.space),)

    def rest(self, area: Area) -> EndpointClass:
        """The class of an external zone that needs no elements: whatever no map knows."""
        return max(self.classes(area), key=lambda each: each.space.size)


class _Owners:
    """Which class an address is of, by bisection."""

    def __init__(self, family: int, targets: Iterable[tuple[PrefixSet, str]]) -> None:
        ranges = sorted((*pair, name) for space, name in targets for pair in space.ranges(family))
        self._starts = [first for first, _, _ in ranges]
        self._names = [name for _, _, name in ranges]

    def of(self, address: int) -> str:
        return self._names[bisect_right(self._starts, address) - 1]


def _own_addresses(family: int, shapes: Iterable[PrefixSet]) -> Iterator[tuple[tuple[int, int], int]]:
    """Each distinct prefix of the shapes with its lowest address that no longer one of them holds.

    Prefixes nest or are apart, so in order of (first, length) a stack holds those around the present one.
    """
    bits = BITS[family]
    prefixes = sorted({block for shape in shapes for block in shape.blocks(family)})
    stack: list[tuple[int, int, int]] = []  # first, length, lowest address not yet held by a longer one
    for first, length in [*prefixes, (1 << bits, bits)]:
        while stack and first >= stack[-1][0] + (1 << bits - stack[-1][1]):
            start, size, free = stack.pop()
            end = start + (1 << bits - size)
            if free < end:
                yield (start, size), free
            if stack and stack[-1][2] >= start:
                stack[-1] = (*stack[-1][:2], max(stack[-1][2], end))
        stack.append((first, length, first))


def _mask(family: int, length: int) -> str:
    if length == BITS[family]:
        return ""
    mask = (1 << BITS[family]) - (1 << BITS[family] - length)
    return f" & {address_text(mask, family)}"
