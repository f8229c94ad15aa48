"""Two policies side by side: statements that mean the same cancel, and what is left is on common terms.

Where no changed statement matches, the same statements match in both policies, so the verdict is the same. So
all differences lie within the changed statements, and only what meets one of these has to be looked at.
A gateway is its known addresses and one more place, which stands for those that no policy names. An address
that is a gateway's in one policy only is told apart from both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from segc.analysis.conflicts.people import ANYBODY, Who
from segc.analysis.relation import own_addresses
from segc.enforcement.places import AreaIndex
from segc.plan.guards import PLAIN, Guard, guard_of
from segc.plan.subjects import Subjects
from segc.policy.model import End, Flow, Part, Policy, Subject, Zone
from segc.space.partition import partition
from segc.space.prefixes import EMPTY, PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet

BEFORE, AFTER = 0, 1


class Place(NamedTuple):
    """Addresses, or one gateway."""

    space: PrefixSet
    gateway: str = ""


Sides = tuple[tuple[Place, Who], ...]  # of an end, each with who must sit there


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


@dataclass(frozen=True, slots=True)
class Aligned:
    """`clauses` are the changed ones and all that meet one; `same` pairs flows that mean the same in both."""

    clauses: list[Clause]
    same: list[tuple[Flow, Flow]]
    subjects: Subjects
    own: Mapping[str, PrefixSet]  # addresses that are a gateway's in both policies


def align(before: Policy, after: Policy) -> Aligned:
    """O(n) in the flows of both policies, and what the changed ones meet."""
    subjects, numbers = Subjects(before, after), dict[object, int]()
    sides = [_Side(n, *pair, subjects, numbers) for n, pair in enumerate(((before, after), (after, before)))]
    keys = [side.meanings() for side in sides]
    clauses: list[Clause] = []
    for side, mine, theirs in ((sides[0], keys[0], keys[1]), (sides[1], keys[1], keys[0])):
        for key in (key for key in mine if key not in theirs):
            clauses += (clause for by in mine[key] for clause in side.clauses(by, changed=True))
    if clauses:
        meets = _Meets(clauses)
        for side, mine, theirs in ((sides[0], keys[0], keys[1]), (sides[1], keys[1], keys[0])):
            for key in (key for key in mine if key in theirs):
                if meets.may(side, mine[key][0]):
                    clauses += side.clauses(mine[key][0], changed=False)
    same = [(keys[0][key][0], found[0]) for key, found in keys[1].items() if key in keys[0]]
    flows = [(was, now) for was, now in same if isinstance(was, Flow) and isinstance(now, Flow)]
    shared = before.gateways.keys() & after.gateways.keys()
    own = {name: before.gateways[name].own & after.gateways[name].own for name in sorted(shared)}
    return Aligned(clauses, flows, subjects, own)


@dataclass
class _Side:
    """One policy in common terms. `numbers` counts what both have: equal things have equal numbers."""

    number: int
    policy: Policy
    other: Policy
    subjects: Subjects
    numbers: dict[object, int]
    _ends: dict[int, tuple[int, Sides]] = field(default_factory=dict)
    _services: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = own_addresses(self.policy)
        self.lone = {
            name: gateway.own - (self.other.gateways[name].own if name in self.other.gateways else EMPTY)
            for name, gateway in self.policy.gateways.items()
        }

    def meanings(self) -> dict[object, list[Flow | Zone]]:
        """What every statement that decides, logs or counts means, with those that mean it."""
        found: dict[object, list[Flow | Zone]] = {}
        for flow in self.policy.flows:
            ends = self.end(flow.source)[0], self.end(flow.destination)[0]
            services = self._services.get(id(flow.services))
            if services is None:
                services = self._services[id(flow.services)] = self._number(flow.services)
            key = (*ends, services, flow.conditions, flow.action, flow.staged, flow.log)
            found.setdefault(key, []).append(flow)
        for zone in self.policy.zones.values():
            if not zone.isolated and (space := zone.space - self.own):
                found.setdefault(space, []).append(zone)
        return found

    def _number(self, thing: object) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))

    def end(self, end: End) -> tuple[int, Sides]:
        """An end by its number, and as places with who must sit there."""
        found = self._ends.get(id(end))
        if found is None:
            sides = tuple(dict.fromkeys(self._split(end)))
            found = self._ends[id(end)] = self._number(sides), sides
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
        who = Who(frozenset((self._named(part.subject),))) if part.subject else ANYBODY
        cut = [(part.space - self.own if self.own else part.space, who)]
        for subject, space in part.unless:
            out = frozenset((self._named(subject),))
            inside = [(s & space, Who(who.subjects, who.without | out)) for s, who in cut]
            cut = inside + [(s - space, who) for s, who in cut]
        return cut

    def _named(self, subject: Subject) -> Subject:
        return self.subjects.of(subject, self.number)

    def clauses(self, by: Flow | Zone, changed: bool) -> Iterator[Clause]:
        if isinstance(by, Zone):
            place = Place(by.space - self.own)
            effect = Effect("allow", False, False)
            yield Clause(self.number, place, place, ANY_SERVICE, PLAIN, effect, changed, by)
            return
        effect = Effect(by.action, by.staged, by.log)
        for source, sender in self.end(by.source)[1]:
            for destination, receiver in self.end(by.destination)[1]:
                guard = guard_of(by.conditions, sender, receiver)
                yield Clause(self.number, source, destination, by.services, guard, effect, changed, by)


class _Meets:
    """Finds which statements may meet a changed clause: bit masks of the clauses that each end touches."""

    def __init__(self, clauses: list[Clause]) -> None:
        self._sources = _Touch([clause.source for clause in clauses])
        self._destinations = _Touch([clause.destination for clause in clauses])

    def may(self, side: _Side, by: Flow | Zone) -> bool:
        if isinstance(by, Zone):
            place = Place(by.space - side.own)
            return bool(self._sources.at(place) & self._destinations.at(place))
        source = self._sources.of(*side.end(by.source))
        return bool(source and source & self._destinations.of(*side.end(by.destination)))


class _Touch:
    """One end of the changed clauses."""

    def __init__(self, places: list[Place]) -> None:
        cells = partition([place.space for place in places])
        self._all = union(place.space for place in places)
        self._index = AreaIndex([cell.space for cell in cells])
        self._members = [sum(1 << each for each in cell.members) for cell in cells]
        self._gateways: dict[str, int] = {}
        for number, place in enumerate(places):
            if place.gateway:
                self._gateways[place.gateway] = self._gateways.get(place.gateway, 0) | 1 << number
        self._known: dict[int, int] = {}

    def of(self, number: int, sides: Sides) -> int:
        """The clauses that an end touches; ends are asked for again and again."""
        found = self._known.get(number)
        if found is None:
            found = 0
            for place, _ in sides:
                found |= self.at(place)
            self._known[number] = found
        return found

    def at(self, place: Place) -> int:
        found = self._gateways.get(place.gateway, 0)
        if place.space and place.space.overlaps(self._all):
            for each in self._index.touching(place.space & self._all):
                found |= self._members[each]
        return found
