"""What one policy opens and another does not: exactly, as sets of traffic, and in which situations.

Both policies are put into one survey. Only statements that differ can make a difference, so regions are
those of changed statements alone; what unchanged ones decide is only asked after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from segc.analysis.conflicts.atoms import mask_of
from segc.analysis.conflicts.cover import Cover, Gap
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.survey import Clause, Region, Survey
from segc.analysis.conflicts.wording import Witness, Wording
from segc.frozen import frozen
from segc.policy.model import Flow, Policy, Zone
from segc.space.intervals import contains
from segc.space.prefixes import EMPTY, PrefixSet
from segc.space.typical import SMB, TCP

Parts = Callable[[Region], Iterable[Region]]


@frozen
class Change:
    """Traffic that is open in one policy only, for somebody, at some time; `gap` is a packet of it."""

    region: Region
    gap: Gap


class Comparison:
    """`gains` is what `after` opens and `before` does not, `losses` the reverse.

    A statement that both policies hold must be the same object in both, or it counts as changed; that
    costs time and nothing else. Every change lies within `cell` at both ends, or has an end without;
    `cell` is made of whole zones.
    """

    def __init__(self, before: Policy, after: Policy, cell: PrefixSet = EMPTY) -> None:
        both = {id(flow): flow for flow in (*before.flows, *after.flows)}
        apart = {f"{name} afterwards": z for name, z in after.zones.items() if before.zones.get(name) != z}
        policy = replace(
            before,
            flows=tuple(both.values()),
            zones={**before.zones, **apart},
            groups={**after.groups, **before.groups},
        )
        self.survey = Survey(policy)
        self.wording = Wording(self.survey)
        self._before = _Side(self.survey, before)
        self._after = _Side(self.survey, after)
        within = (i for i, space in enumerate(self.survey.spaces) if space and space <= cell)
        self.cell = mask_of(list(within))

    def gains(self) -> Iterator[Change]:
        return chain(self.gains_beyond(), self.gains_inside())

    def gains_beyond(self) -> Iterator[Change]:
        """Those with an end without the cell."""
        return self._opened(self._before, self._after, self._beyond)

    def gains_inside(self) -> Iterator[Change]:
        """Those with both ends in the cell. Of many zones that become one there are very many."""
        return self._opened(self._before, self._after, self._within)

    def losses(self) -> Iterator[Change]:
        return self._opened(self._after, self._before, lambda r: [*self._beyond(r), *self._within(r)])

    def witness(self, change: Change) -> Witness:
        """A packet of a change; TCP if it can be, for any service of a region is as good as another."""
        tcp = self.survey.services.of_mask(change.region.services).values(TCP)
        return self.wording.witness(
            change.gap._replace(service=(TCP, SMB if contains(tcp, SMB) else tcp[0][0]))
            if tcp
            else change.gap
        )

    def inside(self, change: Change) -> bool:
        """Whether both ends lie in the cell."""
        return not (change.region.source | change.region.destination) & ~self.cell

    def _opened(self, without: _Side, within: _Side, parts: Parts) -> Iterator[Change]:
        """What `within` opens and `without` does not, in parts of regions; disjoint in no particular way."""
        fresh = [clause for clause in within.allows if not without.holds(clause)]
        closed = Uncovered(self.survey, [*without.allows, *within.denies])
        for clause in fresh:
            for region in parts(self.survey.region(clause)):
                yield from closed.of(region)
        lifted = [clause for clause in without.denies if not within.holds(clause)]
        denied = Uncovered(self.survey, within.denies)
        for deny in lifted:
            region = self.survey.region(deny)
            for allow in within.allows:
                both = self.survey.meet(region, allow)
                for part in parts(both) if both is not None else ():
                    yield from denied.of(part)

    def _beyond(self, region: Region) -> Iterator[Region]:
        yield region._replace(source=region.source & ~self.cell)
        yield region._replace(source=region.source & self.cell, destination=region.destination & ~self.cell)

    def _within(self, region: Region) -> Iterator[Region]:
        yield region._replace(source=region.source & self.cell, destination=region.destination & self.cell)


class _Side:
    """The clauses of one of the policies that decide anything."""

    def __init__(self, survey: Survey, policy: Policy) -> None:
        self._flows = {id(flow) for flow in policy.flows}
        self._zones = set(policy.zones.values())
        mine = [clause for clause in survey.clauses if self.holds(clause)]
        self.denies = [each for each in mine if isinstance(each.by, Flow) and each.by.action == "deny"]
        self.allows = [each for each in mine if isinstance(each.by, Zone) or each.by.action == "allow"]

    def holds(self, clause: Clause) -> bool:
        by = clause.by
        return by in self._zones if isinstance(by, Zone) else id(by) in self._flows and not by.staged


class Uncovered:
    """What is left of regions by a list of clauses: all of it, where `Cover` asks for one packet."""

    def __init__(self, survey: Survey, clauses: Sequence[Clause]) -> None:
        self.survey, self.clauses = survey, clauses
        self.cover = Cover(Index(survey, clauses))

    def of(self, region: Region) -> Iterator[Change]:
        if self.survey.real(region):
            yield from self._split(region, self._near(region, self.clauses))

    def _near(self, region: Region, clauses: Iterable[Clause]) -> list[Clause]:
        masks, services = self.survey.masks, self.survey.services
        return [
            each
            for each in clauses
            if masks[each.source] & region.source
            and masks[each.destination] & region.destination
            and services.mask(each.services) & region.services
        ]

    def _split(self, region: Region, near: Sequence[Clause]) -> Iterator[Change]:
        """Cut the region until every clause near a part holds all of it; then only guards can tell."""
        waiting = [(region, near)]
        while waiting:
            region, near = waiting.pop()
            if not self.survey.real(region) or any(self._covers(each, region) for each in near):
                continue
            cut = next((parts for each in near if (parts := self._cut(region, each))), None)
            if cut is None:
                gap, _ = self.cover.of_region(region, lambda clause: True)
                if gap is not None:
                    yield Change(region, gap)
            else:
                waiting += [(part, self._near(part, near)) for part in cut]

    def _covers(self, clause: Clause, region: Region) -> bool:
        return self._cut(region, clause) is None and self.survey.guards.implies(region.guard, clause.guard)

    def _cut(self, region: Region, clause: Clause) -> tuple[Region, Region] | None:
        """Inside and outside of the first side of a clause that sticks out of it."""
        inside = self.survey.region(clause)
        for name in ("source", "destination", "services"):
            mask = getattr(region, name)
            common = mask & getattr(inside, name)
            if common != mask:
                return region._replace(**{name: common}), region._replace(**{name: mask & ~common})
        return None
