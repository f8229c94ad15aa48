"""Two policies side by side: statements that mean the same cancel, and what is left is on common terms.

Where no changed statement matches, the same statements match in both policies, so the verdict is the same. So
all differences lie within the changed statements, and only what meets one of these has to be looked at.
A gateway is its known addresses and one more place, which stands for those that no policy names. An address
that is a gateway's in one policy only is told apart from both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from segc.analysis.conflicts.people import ANYBODY, Who
from segc.analysis.relation import own_addresses
from segc.frozen import frozen
from segc.plan.guards import PLAIN, Guard, guard_of
from segc.plan.subjects import Subjects
from segc.policy.model import Conditions, End, Flow, Part, Policy, Subject, Zone
from segc.space.partition import partition
from segc.space.prefixes import EMPTY, PrefixSet
from segc.space.services import ANY_SERVICE, ServiceSet

BEFORE, AFTER = 0, 1
NO_CONDITIONS = Conditions()


class Place(NamedTuple):
    """Addresses, or one gateway."""

    space: PrefixSet
    gateway: str = ""


Sides = tuple[tuple[Place, Who], ...]  # of an end, each with who must sit there


Rest = tuple[Conditions, str, bool, bool]  # of a flow, beside its ends and services: action, staged, log
BITS = 32
LOW = (1 << BITS) - 1


class Effect(NamedTuple):
    action: str
    staged: bool
    log: bool


class Clause(NamedTuple):
    """What a statement does between two places. `changed` where the other policy has none that means it."""

    side: int
    source: Place
    destination: Place
    services: ServiceSet
    guard: Guard
    effect: Effect
    changed: bool
    by: Flow | Zone


@frozen
class Aligned:
    """`clauses` are the changed ones and all that meet one; `same` pairs flows that mean the same in both."""

    clauses: list[Clause]
    same: list[tuple[Flow, Flow]]
    subjects: Subjects
    own: Mapping[str, PrefixSet]  # addresses that are a gateway's in both policies


def align(before: Policy, after: Policy) -> Aligned:
    """O(n) in the flows of both policies, and what the changed ones meet."""
    subjects, numbers = Subjects(before, after), _Numbers()
    sides = [_Side(n, *pair, subjects, numbers) for n, pair in enumerate(((before, after), (after, before)))]
    was, now = (side.meanings() for side in sides)
    clauses: list[Clause] = []
    for side, mine, theirs in ((sides[BEFORE], was, now), (sides[AFTER], now, was)):
        changed = [mine[key] for key in set(mine).difference(theirs)]  # which asks for no hash again
        for by in sorted(changed, key=lambda by: (by.span.path, by.span.start, by.span.end)):
            clauses += side.clauses(by, changed=True)
    same = set(was).intersection(now)
    if clauses:
        near = _Near(clauses, numbers.ends)
        for key in [key for key in was if near.meets(key) and key in same]:
            clauses += sides[BEFORE].clauses(was[key])
            clauses += sides[AFTER].clauses(now[key])
    pairs = ((was[key], by) for key, by in now.items() if key in same)
    flows = [(one, other) for one, other in pairs if isinstance(one, Flow) and isinstance(other, Flow)]
    shared = before.gateways.keys() & after.gateways.keys()
    own = {name: before.gateways[name].own & after.gateways[name].own for name in sorted(shared)}
    return Aligned(clauses, flows, subjects, own)


@dataclass
class _Numbers:
    """Numbers for what statements are made of; equal things of both policies have equal numbers."""

    ends: dict[Sides, int] = field(default_factory=dict)
    services: dict[ServiceSet, int] = field(default_factory=dict)
    rest: dict[Rest, int] = field(default_factory=dict)


def _meaning(source: int, destination: int, services: int, rest: int) -> int:
    """One number for all that a statement means: integers are hashed and compared at once."""
    return ((rest << BITS | services) << BITS | destination) << BITS | source


@dataclass
class _Side:
    """One policy in common terms."""

    number: int
    policy: Policy
    other: Policy
    subjects: Subjects
    numbers: _Numbers
    _ends: dict[End, Sides] = field(default_factory=dict)
    _whos: dict[Subject, Who] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = own_addresses(self.policy)
        self.lone = {
            name: gateway.own - (self.other.gateways[name].own if name in self.other.gateways else EMPTY)
            for name, gateway in self.policy.gateways.items()
        }

    def meanings(self) -> dict[int, Flow | Zone]:
        """The first of all statements that decide, log or count the same."""
        found: dict[int, Flow | Zone] = {}
        flows = self.policy.flows
        ends, held = self.numbers.ends, self.numbers.services
        numbers = {
            end: ends.setdefault(self.sides(end), len(ends))
            for end in dict.fromkeys([f.source for f in flows] + [f.destination for f in flows])
        }
        distinct = {id(flow.services): flow.services for flow in flows}
        services = {name: held.setdefault(each, len(held)) for name, each in distinct.items()}
        rests = self.numbers.rest
        for flow in flows:
            rest = rests.setdefault((flow.conditions, flow.action, flow.staged, flow.log), len(rests))
            ours = numbers[flow.source], numbers[flow.destination], services[id(flow.services)], rest
            found.setdefault(_meaning(*ours), flow)
        everything = held.setdefault(ANY_SERVICE, len(held))
        for zone in self.policy.zones.values():
            if not zone.isolated and (space := zone.space - self.own):
                place = ends.setdefault(((Place(space), ANYBODY),), len(ends))
                rest = rests.setdefault((NO_CONDITIONS, "allow", False, False), len(rests))
                found.setdefault(_meaning(place, place, everything, rest), zone)
        return found

    def sides(self, end: End) -> Sides:
        """An end as places with who must sit there."""
        found = self._ends.get(end)
        if found is None:
            if self.own or len(end.parts) != 1 or end.gateways or end.parts[0].unless:
                found = tuple(dict.fromkeys(self._split(end)))
            else:  # as most are
                ((space, subject, _),) = end.parts
                found = ((Place(space), self._who(subject) if subject else ANYBODY),) if space else ()
            self._ends[end] = found
        return found

    def _split(self, end: End) -> Iterator[tuple[Place, Who]]:
        for part in end.parts:
            yield from ((Place(space), who) for space, who in self._cut(part) if space)
        for name in end.gateways:
            yield Place(EMPTY, name), ANYBODY
            if lone := self.lone[name]:
                yield Place(lone), ANYBODY

    def _cut(self, part: Part) -> list[tuple[PrefixSet, Who]]:
        """A part cut along the spaces in which an `except` of people applies."""
        who = self._who(part.subject) if part.subject else ANYBODY
        cut = [(part.space - self.own if self.own else part.space, who)]
        for subject, space in part.unless:
            out = self._who(subject).subjects
            inside = [(s & space, Who(who.subjects, who.without | out)) for s, who in cut]
            cut = inside + [(s - space, who) for s, who in cut]
        return cut

    def _who(self, subject: Subject) -> Who:
        found = self._whos.get(subject)
        if found is None:
            found = self._whos[subject] = Who(frozenset((self.subjects.of(subject, self.number),)))
        return found

    def clauses(self, by: Flow | Zone, changed: bool = False) -> Iterator[Clause]:
        if isinstance(by, Zone):
            place = Place(by.space - self.own)
            effect = Effect("allow", False, False)
            yield Clause(self.number, place, place, ANY_SERVICE, PLAIN, effect, changed, by)
            return
        effect = Effect(by.action, by.staged, by.log)
        for source, sender in self.sides(by.source):
            for destination, receiver in self.sides(by.destination):
                guard = guard_of(by.conditions, sender, receiver)
                yield Clause(self.number, source, destination, by.services, guard, effect, changed, by)


class _Near:
    """Finds which statements may meet a changed clause: bit masks of the clauses that each end touches."""

    def __init__(self, clauses: list[Clause], ends: dict[Sides, int]) -> None:
        self._ends = list(ends)  # in the order of their numbers
        sources = _Touch([clause.source for clause in clauses])
        self._sources = [sources.mask(end) for end in ends]
        self._destination = _Touch([clause.destination for clause in clauses])
        self._destinations: dict[int, int] = {}

    def meets(self, meaning: int) -> bool:
        near = self._sources[meaning & LOW]
        if not near:
            return False
        number = meaning >> BITS & LOW
        there = self._destinations.get(number)
        if there is None:
            there = self._destinations[number] = self._destination.mask(self._ends[number])
        return bool(near & there)


class _Touch:
    """One end of the changed clauses, as stretches of addresses that the same clauses hold."""

    def __init__(self, places: list[Place]) -> None:
        cells = partition([place.space for place in places])
        self._stretches = []
        for family in (4, 6):
            found = [(pair, _bits(cell.members)) for cell in cells for pair in cell.space.ranges(family)]
            found.sort()
            lasts = [last for (_, last), _ in found]
            self._stretches.append((family, lasts, found))
        self._gateways: dict[str, int] = {}
        for number, place in enumerate(places):
            if place.gateway:
                self._gateways[place.gateway] = self._gateways.get(place.gateway, 0) | 1 << number

    def mask(self, sides: Sides) -> int:
        """The clauses that an end touches."""
        found = 0
        for place, _ in sides:
            if place.gateway:
                found |= self._gateways.get(place.gateway, 0)
            for family, lasts, stretches in self._stretches:
                for first, last in place.space.ranges(family):
                    at = bisect_left(lasts, first)
                    while at < len(stretches) and stretches[at][0][0] <= last:
                        found |= stretches[at][1]
                        at += 1
        return found


def _bits(members: frozenset[int]) -> int:
    return sum(1 << each for each in members)
