"""Which flows meet another at all. In a large policy most do not, and nothing can be wrong with them.

A flow that always allows, that some packet matches and that shares no pair of addresses with any other
statement takes part in no conflict. It is found by counting: how many statements are on each pair of
expressions that touches its own. O(flows) look-ups where an end touches few others; where it touches many,
its flows count as meeting, which is always safe.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, product

from segc.analysis.relation import own_addresses
from segc.policy.model import End, Flow, Policy
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet

TOUCHED = 8  # expressions near an end, so that a flow takes at most 64 look-ups
V4, V6 = 1, 2


def meeting_flows(policy: Policy) -> tuple[Flow, ...]:
    """The flows of a policy without those that meet no other statement and could not be idle either."""
    ends = _Ends(policy)
    numbers = ends.numbers
    pairs = [(numbers[flow.source], numbers[flow.destination]) for flow in policy.flows]
    counts = Counter(pair for sides in pairs for pair in product(*sides))
    counts.update((number, number) for number in ends.open_zones)
    return tuple(
        flow
        for flow, (source, destination) in zip(policy.flows, pairs, strict=True)
        if not (ends.alone(source, destination, counts) and ends.plain(flow))
    )


class _Ends:
    """The spaces that ends name, numbered, and which of them have addresses in common."""

    def __init__(self, policy: Policy) -> None:
        self.own = own_addresses(policy)
        self.numbers: dict[End, tuple[int, ...]] = {}  # of the parts and gateways of each
        self._known: dict[PrefixSet | str, int] = {}
        self._families: dict[End, int] = {}
        self._services: dict[ServiceSet, int] = {}
        for end in dict.fromkeys(chain.from_iterable(flow.ends for flow in policy.flows)):
            self._add(end)
        zones = (zone for zone in policy.zones.values() if not zone.isolated and zone.space)
        self.open_zones = [self._number(zone.space) for zone in zones]
        self._touched = self._neighbours()

    def _add(self, end: End) -> None:
        named: list[PrefixSet | str] = [*(part.space for part in end.parts), *end.gateways]
        self.numbers[end] = tuple(self._number(each) for each in named)
        if len(named) == len(end.parts) == 1:
            self._families[end] = _families(end.parts[0].space - self.own)

    def _number(self, named: PrefixSet | str) -> int:
        return self._known.setdefault(named, len(self._known))

    def _neighbours(self) -> list[frozenset[int] | None]:
        """For each number, those of what has an address in common with it; None where they are many."""
        spaces = [(number, named) for named, number in self._known.items() if isinstance(named, PrefixSet)]
        found: list[frozenset[int] | None] = [frozenset((number,)) for number in self._known.values()]
        for cell in partition([space for _, space in spaces]):
            members = frozenset(spaces[each][0] for each in cell.members)
            for number in members:
                so_far = found[number]
                together = None if so_far is None else so_far | members
                found[number] = together if together and len(together) <= TOUCHED else None
        return found

    def alone(
        self, source: tuple[int, ...], destination: tuple[int, ...], counts: Counter[tuple[int, int]]
    ) -> bool:
        """Whether one statement is all that is on any pair that touches this one."""
        if len(source) != 1 or len(destination) != 1:
            return False
        here, there = self._touched[source[0]], self._touched[destination[0]]
        if here is None or there is None:
            return False
        if len(here) == len(there) == 1:
            return counts[source[0], destination[0]] == 1
        return sum(counts.get(pair, 0) for pair in product(here, there)) == 1

    def plain(self, flow: Flow) -> bool:
        """Whether a flow allows at all times, whoever asks, and some packet matches it."""
        if flow.action != "allow" or not flow.certain:
            return False
        families = self._services.get(flow.services)
        if families is None:
            families = self._services[flow.services] = _families_of_services(flow.services)
        both = self._families.get(flow.source, 0) & self._families.get(flow.destination, 0)
        return bool(both & families)


def _families(space: PrefixSet) -> int:
    return V4 * bool(space.v4) | V6 * bool(space.v6)


def _families_of_services(services: ServiceSet) -> int:
    return V4 * services.exist_in(4) | V6 * services.exist_in(6)
