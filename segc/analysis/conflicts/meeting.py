"""Which flows meet another at all. In a large policy most do not, and nothing can be wrong with them.

A flow that always allows, that some packet matches and that shares no pair of addresses with any other
statement takes part in no conflict. It is found by counting: how many statements are on each pair of
expressions that touches its own. O(flows) look-ups where an end touches few others; where it touches many,
its flows count as meeting, which is always safe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product

from segc.analysis.relation import own_addresses
from segc.policy.model import Conditions, End, Flow, Policy
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet

TOUCHED = 16  # pairs of expressions looked up for a flow
ALWAYS = Conditions()
V4, V6 = 1, 2
FAMILY_OF = {1: V4, 58: V6}  # ICMP and ICMPv6; every other protocol exists in both


def meeting_flows(policy: Policy) -> tuple[Flow, ...]:
    """The flows of a policy without those that meet no other statement and could not be idle either."""
    ends = _Ends(policy)
    pairs = [(ends.of(flow.source), ends.of(flow.destination)) for flow in policy.flows]
    counts = Counter(pair for sides in pairs for pair in product(*sides))
    counts.update((number, number) for number in ends.open_zones())
    return tuple(
        flow
        for flow, (source, destination) in zip(policy.flows, pairs, strict=True)
        if not (ends.plain(flow) and _alone(source[0], destination[0], ends, counts))
    )


def _alone(source: int, destination: int, ends: _Ends, counts: Counter[tuple[int, int]]) -> bool:
    if counts[source, destination] > 1:
        return False
    here, there = ends.touched(source), ends.touched(destination)
    if len(here) * len(there) == 1:
        return True
    return len(here) * len(there) <= TOUCHED and sum(counts[pair] for pair in product(here, there)) == 1


class _Ends:
    """The spaces that ends name, numbered, and which of them have addresses in common."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.own = own_addresses(policy)
        self._numbers: dict[PrefixSet | str, int] = {}
        self._of: dict[End, tuple[int, ...]] = {}
        self._families: dict[End, int] = {}
        self._services: dict[ServiceSet, int] = {}
        self._touched: dict[int, frozenset[int]] = {}
        for flow in policy.flows:
            for end in flow.ends:
                if end not in self._of:
                    self._add(end)
        self._zones = tuple(self._open_zones())
        self._near = self._neighbours()

    def _add(self, end: End) -> None:
        named = (*(part.space for part in end.parts), *end.gateways)
        self._of[end] = tuple(self._number(each) for each in named)
        if len(end.parts) == 1 and not end.gateways and not end.parts[0].subject and not end.parts[0].unless:
            self._families[end] = _families(end.parts[0].space - self.own)

    def _number(self, named: PrefixSet | str) -> int:
        return self._numbers.setdefault(named, len(self._numbers))

    def _open_zones(self) -> Iterator[int]:
        for zone in self.policy.zones.values():
            if not zone.isolated and zone.space:
                yield self._number(zone.space)

    def _neighbours(self) -> list[list[frozenset[int]]]:
        """For each number, the memberships of the classes that it holds."""
        spaces = [(number, named) for named, number in self._numbers.items() if isinstance(named, PrefixSet)]
        found: list[list[frozenset[int]]] = [[] for _ in self._numbers]
        for cell in partition([space for _, space in spaces]):
            members = frozenset(spaces[each][0] for each in cell.members)
            for number in members:
                found[number].append(members)
        return found

    def of(self, end: End) -> tuple[int, ...]:
        return self._of[end]

    def open_zones(self) -> Iterable[int]:
        return self._zones

    def touched(self, number: int) -> frozenset[int]:
        """The numbers of what has an address in common with a number, itself included."""
        if number not in self._touched:
            self._touched[number] = frozenset((number,)).union(*self._near[number])
        return self._touched[number]

    def plain(self, flow: Flow) -> bool:
        """Whether a flow allows at all times, whoever asks, and some packet matches it."""
        if flow.action != "allow" or flow.staged or flow.log or flow.limit or flow.conditions != ALWAYS:
            return False
        if flow.services not in self._services:
            self._services[flow.services] = _families_of_services(flow.services)
        both = self._families.get(flow.source, 0) & self._families.get(flow.destination, 0)
        return bool(both & self._services[flow.services])


def _families(space: PrefixSet) -> int:
    return V4 * bool(space.v4) | V6 * bool(space.v6)


def _families_of_services(services: ServiceSet) -> int:
    found = 0
    for protocol, _ in services.parts:
        found |= FAMILY_OF.get(protocol, V4 | V6)
    return found
