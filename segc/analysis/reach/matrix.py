"""The matrix of who reaches whom: zones, gateways and groups by zones and gateways, with their services."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from segc.analysis.conflicts.guards import Guard
from segc.analysis.conflicts.people import Who
from segc.analysis.conflicts.survey import Clause
from segc.analysis.reach.grants import Box, Grant, asked, existing, of_clause, question, within
from segc.analysis.reach.places import Place, split
from segc.analysis.reach.questions import EVERY, speaks_of
from segc.policy.model import End, Flow, Part, Policy, Subject
from segc.source import Span
from segc.space.prefixes import union
from segc.space.services import ANY_SERVICE

NOWHERE = Span("", 0, 0, 1)


Cells = dict[tuple[Place, Place], list[Grant]]


class Matrix:
    """Cells hold what of each statement lies between two places; linear in statements and what they open."""

    def __init__(self, policy: Policy) -> None:
        self.context = asked(policy, _groups(policy))
        self.survey = self.context.survey
        self._split: dict[int, tuple[tuple[Place, int], ...]] = {}

    @cached_property
    def cells(self) -> Cells:
        """Zones and gateways by zones and gateways, then groups by them. Empty cells are left out."""
        found: Cells = {}
        for clause in self._clauses():
            for grant in of_clause(clause, self.context):
                for row, mask in self.split(grant.box.source):
                    self._enter(found, row, grant, mask)
        for row, grant in self._of_groups():
            self._enter(found, row, grant, grant.box.source)
        return found

    def _enter(self, found: Cells, row: Place, grant: Grant, source: int) -> None:
        for column, destination in self.split(grant.box.destination):
            box = grant.box._replace(source=source, destination=destination)
            services = existing(box, self.survey)
            if services:
                part = grant._replace(box=box._replace(services=services))
                found.setdefault((row, column), []).append(part)

    def _clauses(self) -> Iterator[Clause]:
        for flow in self.context.enforced("allow"):
            yield from self.survey.by_flow[flow]
        yield from (each for each in self.survey.clauses if not isinstance(each.by, Flow))

    def _of_groups(self) -> Iterator[tuple[Place, Grant]]:
        for name in self.context.policy.groups:
            yield from ((Place("group", name), grant) for grant in self.of_group(name))

    def of_group(self, name: str) -> Iterator[Grant]:
        """What flows open to members of a group that they do not open to a mere address."""
        guards, number = self.survey.guards, self.guard_of(name)
        box = Box(EVERY, EVERY, ANY_SERVICE, number)
        for clause in self._personal:
            if speaks_of(guards[number].source, guards[clause.guard].source, self.context):
                yield from within(box, clause, self.context)

    @cached_property
    def _personal(self) -> list[Clause]:
        """What asks the source for a session."""
        guards = self.survey.guards
        return [each for each in self._clauses() if guards[each.guard].source.subjects]

    def guard_of(self, group: str) -> int:
        """The number of the guard that asks for members of a group."""
        return self.survey.guards.number(Guard(source=Who(frozenset((Subject("group", group),)))))

    def split(self, mask: int) -> tuple[tuple[Place, int], ...]:
        """The parts of a mask, by zone and gateway."""
        known = self._split.get(mask)
        if known is None:
            known = self._split[mask] = tuple(split(mask, self.survey))
        return known


def _groups(policy: Policy) -> Iterator[Flow]:
    """A question for each group, so that the survey tells its members from others."""
    everywhere = union(zone.space for zone in policy.zones.values())
    anywhere = End("any", (Part(everywhere),))
    for name in policy.groups:
        members = End(f"group {name}", (Part(everywhere, Subject("group", name)),))
        yield question(members, anywhere, ANY_SERVICE, NOWHERE)
