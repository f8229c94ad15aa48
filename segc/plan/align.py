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
from segc.policy.model import Conditions, End, Flow, Part, Policy, Subject, Zone
from segc.space.partition import partition
from segc.space.prefixes import EMPTY, PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet

BEFORE, AFTER = 0, 1
NO_CONDITIONS = Conditions()


class Place(NamedTuple):
    """Addresses, or one gateway."""

    space: PrefixSet
    gateway: str = ""


Sides = tuple[tuple[Place, Who], ...]  # of an end, each with who must sit there


Meaning = tuple[int, int, int, Conditions, tuple[str, bool, bool]]  # ends and services by number


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
    subjects, numbers = Subjects(before, after), dict[Sides | ServiceSet, int]()
    sides = [_Side(n, *pair, subjects, numbers) for n, pair in enumerate(((before, after), (after, before)))]
    was, now = meanings = [side.meanings() for side in sides]
    clauses: list[Clause] = []
    for side, mine, theirs in zip(sides, meanings, reversed(meanings), strict=True):
        for by in (by for key, by in mine.items() if key not in theirs):
            clauses += side.clauses(by, changed=True)
    if clauses:
        near = _Near(clauses, list(numbers))
        same = [key for key in was if key in now and near.meets(key)]
        clauses += [c for n, side in enumerate(sides) for key in same for c in side.clauses(meanings[n][key])]
    flows = [(was[key], by) for key, by in now.items() if key in was]
    pairs = [(one, other) for one, other in flows if isinstance(one, Flow) and isinstance(other, Flow)]
    shared = before.gateways.keys() & after.gateways.keys()
    own = {name: before.gateways[name].own & after.gateways[name].own for name in sorted(shared)}
    return Aligned(clauses, pairs, subjects, own)


@dataclass
class _Side:
    """One policy in common terms. `numbers` counts what both have: equal things have equal numbers."""

    number: int
    policy: Policy
    other: Policy
    subjects: Subjects
    numbers: dict[Sides | ServiceSet, int]
    _ends: dict[int, tuple[int, Sides]] = field(default_factory=dict)
    _services: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = own_addresses(self.policy)
        self.lone = {
            name: gateway.own - (self.other.gateways[name].own if name in self.other.gateways else EMPTY)
            for name, gateway in self.policy.gateways.items()
        }

    def meanings(self) -> dict[Meaning, Flow | Zone]:
        """The first of all statements that decide, log or count the same."""
        found: dict[Meaning, Flow | Zone] = {}
        ends, services = self._ends, self._services
        for flow in self.policy.flows:
            source = ends.get(id(flow.source)) or self.end(flow.source)
            destination = ends.get(id(flow.destination)) or self.end(flow.destination)
            held = services.get(id(flow.services))
            if held is None:
                held = services[id(flow.services)] = self._number(flow.services)
            said = flow.action, flow.staged, flow.log
            found.setdefault((source[0], destination[0], held, flow.conditions, said), flow)
        everything = self._number(ANY_SERVICE)
        for zone in self.policy.zones.values():
            if not zone.isolated and (space := zone.space - self.own):
                place = self._number(((Place(space), ANYBODY),))
                found.setdefault((place, place, everything, NO_CONDITIONS, ("allow", False, False)), zone)
        return found

    def _number(self, thing: Sides | ServiceSet) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))

    def end(self, end: End) -> tuple[int, Sides]:
        """An end by its number, and as places with who must sit there."""
        found = self._ends.get(id(end))
        if found is None:
            parts = end.parts
            if len(parts) == 1 and not (end.gateways or parts[0].unless or parts[0].subject or self.own):
                sides: Sides = ((Place(parts[0].space), ANYBODY),)  # most are so
            else:
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
        cut = [(part.space - self.own if part.space.overlaps(self.own) else part.space, who)]
        for subject, space in part.unless:
            out = frozenset((self._named(subject),))
            inside = [(s & space, Who(who.subjects, who.without | out)) for s, who in cut]
            cut = inside + [(s - space, who) for s, who in cut]
        return cut

    def _named(self, subject: Subject) -> Subject:
        return self.subjects.of(subject, self.number)

    def clauses(self, by: Flow | Zone, changed: bool = False) -> Iterator[Clause]:
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


class _Near:
    """Finds which statements may meet a changed clause: bit masks of the clauses that each end touches."""

    def __init__(self, clauses: list[Clause], numbered: list[Sides | ServiceSet]) -> None:
        self._numbered = numbered
        self._sources = _Touch([clause.source for clause in clauses])
        self._destinations = _Touch([clause.destination for clause in clauses])

    def meets(self, meaning: Meaning) -> bool:
        source, destination = meaning[:2]
        near = self._sources.of(source, self._numbered)
        return bool(near and near & self._destinations.of(destination, self._numbered))


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

    def of(self, number: int, numbered: list[Sides | ServiceSet]) -> int:
        """The clauses that an end touches; ends are asked for again and again."""
        found = self._known.get(number)
        if found is None:
            found = 0
            sides = numbered[number]
            for place, _ in () if isinstance(sides, ServiceSet) else sides:
                found |= self._at(place)
            self._known[number] = found
        return found

    def _at(self, place: Place) -> int:
        found = self._gateways.get(place.gateway, 0)
        if place.space and place.space.overlaps(self._all):
            for each in self._index.touching(place.space & self._all):
                found |= self._members[each]
        return found
