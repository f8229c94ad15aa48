"""Chains of allowed hops, between classes of addresses that nothing in the policy tells apart.

A hop is any traffic at all that somebody may send at some time. A chain may end at a gateway or start from
one, but not pass through it: whoever holds a gateway needs no hop. Breadth first, so that the chain that is
shown is a shortest one; a statement is left alone where it leads nowhere new.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.survey import Clause
from segc.analysis.reach.grants import Grant, of_clause
from segc.space.services import ServiceSet


class Hop(NamedTuple):
    """Between two classes; `nth` counts from 1, backwards where the search went so."""

    source: int
    destination: int
    grant: Grant
    nth: int


Reached = dict[int, Hop]  # by class: the last hop of a shortest chain to it, or the first of one from it


class Hops:
    """Searches in one policy; what statements open is worked out once for all of them."""

    def __init__(self, context: Context) -> None:
        self.context, self.survey = context, context.survey
        self.gateways = mask_of(list(self.survey.gateways))
        self._grants: dict[Clause, tuple[Grant, ...]] = {}
        self._by_end: tuple[dict[int, list[Clause]], ...] = (defaultdict(list), defaultdict(list))
        pairs = context.allows.pairs.values()
        for clause in (each for inner in pairs for found in inner.values() for each in found):
            self._by_end[0][clause.source].append(clause)
            self._by_end[1][clause.destination].append(clause)

    def forth(self, first: Iterable[Grant], barred: int = 0) -> Reached:
        """The classes that chains beginning with `first` lead to, the nearest first. None enters `barred`."""
        return _Search(self, barred, back=False).run(first)

    def back(self, last: Iterable[Grant], barred: int = 0) -> Reached:
        """The classes that chains ending with `last` start from, the nearest first."""
        return _Search(self, barred, back=True).run(last)

    def beside(self, node: int, services: ServiceSet) -> int:
        """The classes that packets of some of `services` can pass to from a class, or come from."""
        found = 0
        for family, mask in self.survey.families.items():
            if mask >> node & 1 and services.exist_in(family):
                found |= mask
        return found

    def grants(self, clause: Clause) -> tuple[Grant, ...]:
        known = self._grants.get(clause)
        if known is None:
            known = self._grants[clause] = tuple(of_clause(clause, self.context))
        return known

    def clauses(self) -> Iterator[Clause]:
        """All that opens anything."""
        yield from (each for found in self._by_end[0].values() for each in found)

    def at(self, node: int, back: bool) -> Iterator[Clause]:
        """What leads on from a class; with `back`, what leads to it."""
        by_end = self._by_end[back]
        for expression in self.survey.members[node]:
            if expression in by_end:
                yield from by_end[expression]


class _Search:
    """One search, along the hops or `back` against them."""

    def __init__(self, hops: Hops, barred: int, back: bool) -> None:
        self.hops, self.survey, self.back = hops, hops.survey, back
        self.found: Reached = {}
        self.unseen = ~barred
        self.waiting: deque[int] = deque()

    def run(self, first: Iterable[Grant]) -> Reached:
        for grant in first:
            for node in bits(self._near(grant)):
                self._step(node, grant, 1)
        while self.waiting:
            node = self.waiting.popleft()
            for grant in self._leading_on(node):
                self._step(node, grant, self.found[node].nth + 1)
        return self.found

    def _near(self, grant: Grant) -> int:
        """The classes that a search takes a grant from."""
        return grant.box.destination if self.back else grant.box.source

    def _leading_on(self, node: int) -> Iterator[Grant]:
        """What can be taken from a class, of statements that may lead to any that is not seen yet."""
        for clause in self.hops.at(node, self.back):
            if self.survey.masks[clause.source if self.back else clause.destination] & self.unseen:
                yield from (grant for grant in self.hops.grants(clause) if self._near(grant) >> node & 1)

    def _step(self, node: int, grant: Grant, nth: int) -> None:
        entered = (grant.box.source if self.back else grant.box.destination) & self.unseen
        entered = entered and entered & self.hops.beside(node, grant.box.services)
        new = self.survey.alike.with_alike(entered) & self.unseen
        self.unseen &= ~new
        for each in bits(new) if new else ():
            by = self.survey.alike.one_in(entered, each)  # the hop is to what the grant has
            self.found[each] = Hop(by, node, grant, nth) if self.back else Hop(node, by, grant, nth)
            if not self.hops.gateways >> each & 1:
                self.waiting.append(each)


def chain_to(reached: Reached, node: int) -> list[Hop]:
    """The hops of a shortest chain that leads to a class."""
    found = [reached[node]]
    while found[-1].nth > 1:
        found.append(reached[found[-1].source])
    return found[::-1]


def chain_from(reached: Reached, node: int) -> list[Hop]:
    """The hops of a shortest chain that starts from a class."""
    found = [reached[node]]
    while found[-1].nth > 1:
        found.append(reached[found[-1].destination])
    return found
