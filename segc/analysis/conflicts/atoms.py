"""Services by number and as bit masks, and bit masks themselves."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

from segc.space.protocols import FAMILY_OF
from segc.space.services import ANY_SERVICE, ServiceSet, domain, union
from segc.space.typical import TCP, typical_value

MASKS_KEPT = 64 << 20  # bytes
SLICES = 16


class Services:
    """Service sets by number, and as bit masks over atoms: the stretches that none of them divides.

    Masks are made when two clauses meet, and forgotten before they fill the memory: most sets of a policy
    with thousands of different ports are never compared with another.
    """

    def __init__(self) -> None:
        self.sets: list[ServiceSet] = []
        self._numbers: dict[ServiceSet, int] = {}
        self._in_family: list[tuple[int, int]] = []
        self._masks: dict[int, int] = {}
        self._room = MASKS_KEPT

    def number(self, services: ServiceSet) -> int:
        found = self._numbers.get(services)
        if found is None:
            found = self._numbers[services] = len(self.sets)
            self.sets.append(services)
            self._in_family.append((found, found))
            mixed = any(protocol in FAMILY_OF for protocol, _ in services.parts)
            if mixed:
                v4, v6 = (self.number(services.in_family(family)) for family in (4, 6))
                self._in_family[found] = (v4, v6)
        return found

    def in_family(self, number: int, family: int) -> int:
        """The set without what does not exist in a family."""
        return self._in_family[number][family == 6]

    def mask_of(self, services: ServiceSet) -> int:
        """The mask of a set that has a number."""
        return self.mask(self._numbers[services])

    def mask(self, number: int) -> int:
        mask = self._masks.get(number)
        if mask is None:
            mask = self._make(self.sets[number])
            self._room -= mask.bit_length() // 8 + 40
            if self._room < 0:
                self._masks.clear()
                self._room = MASKS_KEPT
            self._masks[number] = mask
        return mask

    @cached_property
    def _edges(self) -> list[int]:
        """Where an atom begins, protocols one after the other."""
        sets = [*self.sets, ANY_SERVICE]
        spans = {(p << 16 | a, (p << 16 | b) + 1) for s in sets for p, values in s.parts for a, b in values}
        return sorted({edge for span in spans for edge in span})

    def _make(self, services: ServiceSet) -> int:
        mask = 0
        for protocol, values in services.parts:
            for first, last in values:
                low = bisect_left(self._edges, protocol << 16 | first)
                high = bisect_left(self._edges, (protocol << 16 | last) + 1)
                mask |= (1 << high) - (1 << low)
        return mask

    @cached_property
    def exists(self) -> dict[int, int]:
        """The atoms that exist in each family."""
        return {family: self._make(ANY_SERVICE.in_family(family)) for family in (4, 6)}

    def parts(self, services: ServiceSet) -> Iterator[ServiceSet]:
        """Each interval of a set as a set of its own, if there are several but not all protocols."""
        if 1 < sum(len(values) for _, values in services.parts) <= SLICES:
            for protocol, values in services.parts:
                yield from (ServiceSet(((protocol, (pair,)),)) for pair in values)

    def first(self, mask: int) -> tuple[int, int]:
        """Protocol and value of the lowest atom of a mask, of TCP where it has any but port 0."""
        at = low_bit(mask & self._tcp or mask)
        protocol, value = divmod(self._edges[at], 1 << 16)
        return protocol, typical_value(protocol, value, (self._edges[at + 1] - 1) & 0xFFFF)

    @cached_property
    def _tcp(self) -> int:
        mask = self._make(ServiceSet(((TCP, domain(TCP)),)))
        return mask & mask - 1 if TCP << 16 | 1 in self._edges else mask  # without port 0 where it is an atom

    def of_mask(self, mask: int) -> ServiceSet:
        """The set that a mask stands for."""
        found = []
        while mask:
            at = low_bit(mask)
            edge = self._edges[at]
            last = self._edges[at + 1] - 1
            found.append(ServiceSet(((edge >> 16, ((edge & 0xFFFF, last & 0xFFFF),)),)))
            mask &= mask - 1
        return union(found)


def mask_of(indices: list[int]) -> int:
    if len(indices) < 4:
        return sum(1 << each for each in indices)
    found = bytearray(max(indices) // 8 + 1)
    for each in indices:
        found[each >> 3] |= 1 << (each & 7)
    return int.from_bytes(found, "little")


def low_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def bits(mask: int) -> Iterator[int]:
    """The set bits of a mask in order, in linear time."""
    text = f"{mask:b}"[::-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)
