"""Whether clauses together cover traffic.

`Cover.of_region` proves that clauses cover a region, or finds traffic that they do not. It looks at
the lowest pair of classes. If that is covered, so is the whole block on which the same clauses hold, and
what sticks out of the block is looked at in turn, at most two boxes. Most regions are settled by their first
pair; the worst case is the number of blocks, bounded by the cuts that clauses meeting the region make in its
two sides multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from segc.analysis.conflicts.atoms import low_bit
from segc.analysis.conflicts.guards import Guard
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.moments import Times
from segc.analysis.conflicts.people import NO_SUBJECTS, Person
from segc.analysis.conflicts.survey import Clause, Region
from segc.space.typical import typical_service

Wanted = Callable[[Clause], bool]


class Gap(NamedTuple):
    """Traffic between two classes: (protocol, value), who sits at the ends, with which facts, and when."""

    source: int
    destination: int
    service: tuple[int, int]
    guard: Guard
    sender: Person
    receiver: Person
    times: Times


class Cover:
    """Questions about regions and the clauses of one index."""

    def __init__(self, index: Index) -> None:
        self.index, self.survey = index, index.survey

    def of_clause(self, clause: Clause, wanted: Wanted) -> tuple[Gap | None, list[Clause]]:
        """`of_region` for a clause, without making its masks where no other is near."""
        pair = self.survey.first_pair(clause)
        if pair is None:
            return None, []
        source, destination, services = pair
        if not any(map(wanted, self.index.at(source, destination))):
            gap = self._anyone(source, destination, typical_service(services), clause.guard)
            return gap, []
        return self.of_region(self.survey.region(clause), wanted)

    def _anyone(self, source: int, destination: int, service: tuple[int, int], number: int) -> Gap | None:
        guard, people = self.survey.guards[number], self.survey.people
        if not self.survey.guards.possible(number):
            return None
        sender, receiver = people.least(guard.source)[0], people.least(guard.destination)[0]
        return Gap(source, destination, service, guard, sender, receiver, guard.times)

    def of_region(self, region: Region, wanted: Wanted) -> tuple[Gap | None, list[Clause]]:
        """Traffic of the region that no wanted clause covers; or None, and the clauses that cover it."""
        used: dict[Clause, None] = {}
        for source, destination, services in self._boxes(region):
            waiting = [(source, destination)]
            while waiting:
                here, there = waiting.pop()
                block = self._block(here, there, region._replace(services=services), wanted)
                if isinstance(block, Gap):
                    return block, []
                inner_here, inner_there = here, there
                for clause in block:
                    used[clause] = None
                    inner_here &= self.survey.masks[clause.source]
                    inner_there &= self.survey.masks[clause.destination]
                if here != inner_here:
                    waiting.append((here & ~inner_here, there))
                if there != inner_there:
                    waiting.append((inner_here, there & ~inner_there))
        return None, list(used)

    def _boxes(self, region: Region) -> Iterator[tuple[int, int, int]]:
        """The region by families. What the first has of both families the second need not repeat."""
        v4, v6 = self.survey.families[4], self.survey.families[6]
        source, destination, services = region.source, region.destination, region.services
        exists = self.survey.services.exists
        only6 = services & ~exists[4]
        boxes = (
            (source & v4, destination & v4, services & exists[4]),
            (source & v6 & ~v4, destination & v6, services & exists[6]),
            (source & v6 & v4, destination & v6 & ~v4, services & exists[6]),
            (source & v6 & v4, destination & v6 & v4, only6 & exists[6]),
        )
        return (box for box in boxes if all(box))

    def _block(self, here: int, there: int, region: Region, wanted: Wanted) -> Gap | Sequence[Clause]:
        """Of a box of classes, traffic at its lowest pair that is not covered, or what covers that pair."""
        source, destination = low_bit(here), low_bit(there)
        survey = self.survey
        masks, services = survey.masks, survey.services
        whole: list[Clause] = []
        partly: list[Clause] = []
        best, widest = None, -1
        for clause in self.index.at(source, destination):
            if not wanted(clause):
                continue
            mask = services.mask(clause.services)
            if not mask & region.services:
                continue
            if not (clause.guard == 0 or survey.guards.implies(region.guard, clause.guard)):
                partly.append(clause)
            elif region.services & ~mask:
                whole.append(clause)
            else:
                inner = (here & masks[clause.source]), (there & masks[clause.destination])
                if inner == (here, there):
                    return (clause,)
                width = inner[0].bit_count() * inner[1].bit_count()
                if width > widest:
                    best, widest = clause, width
        if best is not None:
            return (best,)
        rest, used = self._together(region.services, whole)
        if not rest:
            return used
        gap = self._guarded(source, destination, region._replace(services=rest), partly)
        return gap or [*used, *partly]

    def _together(self, rest: int, clauses: Iterable[Clause]) -> tuple[int, list[Clause]]:
        """The services that clauses, each of which takes a part, leave; and those of them that take any."""
        used = []
        for clause in clauses:
            mask = self.survey.services.mask(clause.services)
            if rest & mask:
                rest &= ~mask
                used.append(clause)
        return rest, used

    def _guarded(self, source: int, destination: int, region: Region, partly: list[Clause]) -> Gap | None:
        """What clauses that hold only at times or for some people leave of a pair of classes."""
        survey, guard = self.survey, self.survey.guards[region.guard]
        found = [(survey.guards[each.guard], survey.services.mask(each.services)) for each in partly]
        found = [(g, m) for g, m in found if guard.mfa >= g.mfa and guard.postures >= g.postures]
        people = survey.people
        senders = people.least(guard.source, NO_SUBJECTS.union(*(g.source.without for g, _ in found)))
        without = NO_SUBJECTS.union(*(g.destination.without for g, _ in found))
        receivers = people.least(guard.destination, without)
        for sender, receiver in product(senders, receivers):
            here = [
                (g.times, mask)
                for g, mask in found
                if people.holds(g.source, sender) and people.holds(g.destination, receiver)
            ]
            gap = self._timed(region.services, guard.times, here)
            if gap is not None:
                first = survey.services.first(gap[0])
                return Gap(source, destination, first, guard, sender, receiver, gap[1])
        return None

    def _timed(self, rest: int, within: Times, here: list[tuple[Times, int]]) -> tuple[int, Times] | None:
        """Services and moments that are left."""
        while rest:
            atom = rest & -rest
            alike, others = rest, []
            for times, mask in here:
                if mask & atom:
                    alike &= mask
                    others.append(times)
                else:
                    alike &= ~mask
            left = self.survey.guards.left_of(within, others)
            if left is not None:
                return alike, left
            rest &= ~alike
        return None
