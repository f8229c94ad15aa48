"""A policy in the terms of exact analysis: endpoint classes, expressions, clauses.

*Classes* are addresses that no end tells apart (`space.partition`), and each gateway. An *expression* is a
set of classes that some end names, as a bit mask. A *clause* is a pair of expressions with services and a
guard; a flow whose ends mix addresses and people has several. Open zones are clauses too: what their hosts
may do among themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segc.analysis.conflicts.alike import Alike, alike
from segc.analysis.conflicts.atoms import Services, bits, mask_of
from segc.analysis.conflicts.guards import PLAIN, Guard, Guards
from segc.analysis.conflicts.listed import listed
from segc.analysis.conflicts.moments import times_of
from segc.analysis.conflicts.people import ANYBODY, Who
from segc.analysis.relation import own_addresses
from segc.policy.model import Conditions, End, Flow, Policy, Subject, Zone
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet


class Clause(NamedTuple):
    """`source` and `destination` number expressions, `services` a service set, `guard` a guard."""

    source: int
    destination: int
    services: int
    guard: int
    by: Flow | Zone


class Region(NamedTuple):
    """Traffic: masks of classes and of service atoms, and a guard's number. Only pairs of classes with an
    address family in common hold packets."""

    source: int
    destination: int
    services: int
    guard: int


class Piece(NamedTuple):
    """A part of an end in which the same people are asked for everywhere."""

    expression: int
    who: Who


class Survey:
    """Numbers everything once. O(n log n) in the intervals of all ends, and the members of each class."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.own = own_addresses(policy)
        self.services = Services()
        self.clauses: list[Clause] = []
        self.by_flow: dict[Flow, list[Clause]] = {}
        self._guards: dict[Guard, int] = {PLAIN: 0}
        self._expressions: dict[tuple[PrefixSet, str], int] = {}
        self._pieces: dict[int, list[Piece]] = {}
        self.zones: dict[str, int] = {}  # the expression of each
        self.terms: dict[End, list[tuple[str, int]]] = {}  # of ends that list several, each with its own
        self._add_all()
        self._classify()
        self.zone_names = {number: name for name, number in reversed(self.zones.items())}
        self.guards = Guards(self._guards, policy)
        self.people = self.guards.people

    # -- clauses -----------------------------------------------------------------------------------

    def _add_all(self) -> None:
        for flow in self.policy.flows:
            found = self.by_flow[flow] = list(self._clauses(flow))
            self.clauses += found
        everything = self.services.number(ANY_SERVICE)
        for name, zone in self.policy.zones.items():
            space = zone.space - self.own
            if not space:
                continue
            within = self.zones[name] = self._expression(space, "")
            if not zone.isolated:
                self.clauses.append(Clause(within, within, everything, 0, zone))
        lists = {id(end): end for flow in self.by_flow for end in flow.ends if len(end.parts) == 1}
        for end in lists.values():
            for term, space in listed(end, self.policy):
                space = (space & end.parts[0].space) - self.own
                if space and not end.parts[0].unless:
                    self.terms.setdefault(end, []).append((term, self._expression(space, "")))

    def _clauses(self, flow: Flow) -> Iterator[Clause]:
        services = self.services.number(flow.services)
        for source in self.pieces(flow.source):
            for destination in self.pieces(flow.destination):
                guard = self._guard(flow.conditions, source.who, destination.who)
                yield Clause(source.expression, destination.expression, services, guard, flow)

    def _guard(self, conditions: Conditions, source: Who, destination: Who) -> int:
        if source is ANYBODY and destination is ANYBODY and conditions == NO_CONDITIONS:
            return 0
        postures = frozenset(conditions.postures)
        guard = Guard(conditions.mfa, postures, times_of(conditions), source, destination)
        return self._guards.setdefault(guard, len(self._guards))

    def pieces(self, end: End) -> list[Piece]:
        known = self._pieces.get(id(end))
        if known is None:
            known = self._pieces[id(end)] = list(self._split(end))
        return known

    def _split(self, end: End) -> Iterator[Piece]:
        """An end cut along the spaces in which an `except` of people applies."""
        for part in end.parts:
            subjects = frozenset((part.subject,)) if part.subject else frozenset[Subject]()
            who = Who(subjects) if subjects else ANYBODY
            cut = [(part.space - self.own if self.own else part.space, who)]
            for subject, space in part.unless:
                inside = [(s & space, Who(w.subjects, w.without | {subject})) for s, w in cut]
                cut = inside + [(s - space, w) for s, w in cut]
            yield from (Piece(self._expression(space, ""), who) for space, who in cut if space)
        for name in end.gateways:
            yield Piece(self._expression(PrefixSet(), name), ANYBODY)

    def _expression(self, space: PrefixSet, gateway: str) -> int:
        return self._expressions.setdefault((space, gateway), len(self._expressions))

    # -- classes -----------------------------------------------------------------------------------

    def _classify(self) -> None:
        named = [(number, space) for (space, _), number in self._expressions.items() if space]
        cells = partition([space for _, space in named])
        self.spaces = [cell.space for cell in cells]
        self.members = [tuple(sorted(named[each][0] for each in cell.members)) for cell in cells]
        self.gateways: dict[int, str] = {}
        for (_, gateway), number in self._expressions.items():
            if gateway:
                self.gateways[len(self.spaces)] = gateway
                self.spaces.append(PrefixSet())
                self.members.append((number,))
        holders: list[list[int]] = [[] for _ in self._expressions]
        for index, members in enumerate(self.members):
            for number in members:
                holders[number].append(index)
        self.holders = holders
        self.masks = [mask_of(found) for found in holders]
        both = mask_of(list(self.gateways))
        self.families = {
            family: both | mask_of([i for i, space in enumerate(self.spaces) if space.ranges(family)])
            for family in (4, 6)
        }
        told = {number for clause in self.clauses for number in clause[:2]} | set(self.zones.values())
        self.alike = alike(self.members, told) if len(told) < len(self._expressions) else Alike({}, 0)
        self.firsts = {family: [self._first(found, family) for found in holders] for family in (4, 6)}

    def _first(self, holders: list[int], family: int) -> int:
        """The lowest class of an expression that has addresses of a family; -1 if none has."""
        there = (i for i in holders if self.spaces[i].ranges(family) or i in self.gateways)
        return next(there, -1)

    def mask_of_space(self, space: PrefixSet) -> int:
        """The mask of a set that some end names; 0 for any other."""
        number = self._expressions.get((space, ""))
        return 0 if number is None else self.masks[number]

    def space_of(self, mask: int) -> PrefixSet:
        return union(self.spaces[each] for each in bits(mask))

    # -- regions -----------------------------------------------------------------------------------

    def region(self, clause: Clause) -> Region:
        return Region(
            self.masks[clause.source],
            self.masks[clause.destination],
            self.services.mask(clause.services),
            clause.guard,
        )

    def matches(self, clause: Clause) -> bool:
        """Whether any packet at all lies in a clause."""
        return self.first_pair(clause) is not None and self.guards.possible(clause.guard)

    def first_pair(self, clause: Clause) -> tuple[int, int, ServiceSet] | None:
        """The lowest pair of classes of a clause that packets may have, with their services."""
        for family, firsts in self.firsts.items():
            source, destination = firsts[clause.source], firsts[clause.destination]
            if source >= 0 and destination >= 0:
                services = self.services.sets[self.services.in_family(clause.services, family)]
                if services:
                    return source, destination, services
        return None

    def meet(self, region: Region, clause: Clause) -> Region | None:
        """The traffic that a region and a clause have in common; None where there is none."""
        services = region.services & self.services.mask(clause.services)
        if not services:
            return None
        source = region.source & self.masks[clause.source]
        destination = region.destination & self.masks[clause.destination]
        both = Region(source, destination, services, self.guards.join(region.guard, clause.guard))
        return both if self.real(both) else None

    def real(self, region: Region) -> bool:
        """Whether some packet lies in a region."""
        exists = self.services.exists
        for family, classes in self.families.items():
            if region.services & exists[family] and region.source & classes and region.destination & classes:
                return self.guards.possible(region.guard)
        return False


NO_CONDITIONS = Conditions()
