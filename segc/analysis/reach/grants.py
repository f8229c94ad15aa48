"""What each statement opens once denies have taken theirs, as boxes that nothing divides any further."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.survey import Clause, Region, Survey
from segc.policy.making import make_flow
from segc.policy.model import End, Flow, Policy, Zone
from segc.source import Span
from segc.space.services import EMPTY, ServiceSet


class Box(NamedTuple):
    """Traffic: classes of a survey as bit masks, services, and the number of a guard."""

    source: int
    destination: int
    services: ServiceSet
    guard: int

    def __and__(self, other: Box) -> Box:
        """What is common to both; the guard stays."""
        services = self.services & other.services
        return Box(self.source & other.source, self.destination & other.destination, services, self.guard)

    def outside(self, inner: Box) -> Iterator[Box]:
        """What sticks out of a part of it: at most three boxes."""
        if not (inner.source and inner.destination and inner.services):
            yield self
            return
        if source := self.source & ~inner.source:
            yield self._replace(source=source)
        if destination := self.destination & ~inner.destination:
            yield inner._replace(destination=destination, services=self.services)
        if services := self.services - inner.services:
            yield inner._replace(services=services)


class Grant(NamedTuple):
    """Traffic that `by` opens: every packet of the box is allowed to somebody at some time.

    `partly` are denies that take it from others, or at other times; whatever is always denied is cut out.
    """

    by: Flow | Zone
    box: Box
    partly: tuple[Flow, ...] = ()

    @property
    def always(self) -> bool:
        """Whether it is open to whoever sits there, at any time."""
        return self.box.guard == 0 and not self.partly


def question(source: End, destination: End, services: ServiceSet, span: Span) -> Flow:
    """Something to be asked of a policy, as a flow that is never enforced."""
    return make_flow(
        action="allow",
        staged=True,
        source=source,
        destination=destination,
        services=services,
        kind="question",
        span=span,
    )


def asked(policy: Policy, questions: Iterable[Flow]) -> Context:
    """The policy surveyed together with questions, so that its classes are cut where they cut."""
    return Context(replace(policy, flows=(*policy.flows, *questions)))


def box_of(clause: Clause, survey: Survey) -> Box:
    services = survey.services.sets[clause.services]
    return Box(survey.masks[clause.source], survey.masks[clause.destination], services, clause.guard)


def of_clause(clause: Clause, context: Context) -> Iterator[Grant]:
    """What denies leave of an allow or an open zone."""
    if context.survey.matches(clause):
        yield from _left(box_of(clause, context.survey), clause, context)


def within(box: Box, clause: Clause, context: Context) -> Iterator[Grant]:
    """The part of that which lies in a box, under the conditions of both."""
    both = box_of(clause, context.survey) & box
    both = both._replace(guard=context.survey.guards.join(box.guard, clause.guard))
    if real(both, context.survey):
        yield from _left(both, clause, context)


def real(box: Box, survey: Survey) -> bool:
    """Whether some packet lies in a box."""
    return bool(existing(box, survey)) and survey.guards.possible(box.guard)


def existing(box: Box, survey: Survey) -> ServiceSet:
    """The services of a box that exist in an address family which both of its ends have."""
    shared = [f for f, mask in survey.families.items() if box.source & mask and box.destination & mask]
    if len(shared) == 1:
        return box.services.in_family(shared[0])
    return box.services if shared else EMPTY


def _left(box: Box, clause: Clause, context: Context) -> Iterator[Grant]:
    denies = context.denies.index
    near = list(denies.touching(clause)) if denies.pairs else []
    if not near:
        yield Grant(clause.by, box)
        return
    survey = context.survey
    for piece, partly in _cut(box, near, survey):
        if not real(piece, survey):
            continue
        if partly and gap_of(piece, context) is None:
            continue  # none of these denies takes all of it, but together they do
        yield Grant(
            clause.by, piece, tuple(dict.fromkeys(each.by for each in partly if isinstance(each.by, Flow)))
        )


def _cut(box: Box, denies: list[Clause], survey: Survey) -> list[tuple[Box, tuple[Clause, ...]]]:
    """The box in disjoint pieces, less what is always denied; each lies wholly within the denies beside it,
    and outside of all others."""
    pieces: list[tuple[Box, tuple[Clause, ...]]] = [(box, ())]
    for deny in denies:
        if not survey.guards.possible(survey.guards.join(box.guard, deny.guard)):
            continue
        taken, always = box_of(deny, survey), survey.guards.implies(box.guard, deny.guard)
        cut: list[tuple[Box, tuple[Clause, ...]]] = []
        for piece, partly in pieces:
            if not (piece.source & taken.source and piece.destination & taken.destination):
                cut.append((piece, partly))  # most are, and need no services compared
                continue
            inner = piece & taken
            cut += [(rest, partly) for rest in piece.outside(inner)]
            if inner.source and inner.destination and inner.services and not always:
                cut.append((inner, (*partly, deny)))
        pieces = cut
    return pieces


def _region(box: Box, survey: Survey) -> Region:
    services = survey.services.mask(survey.services.number(box.services))
    return Region(box.source, box.destination, services, box.guard)


def gap_of(box: Box, context: Context) -> Gap | None:
    """One packet of a box that no deny takes, with somebody who may send it."""
    return context.denies.of_region(_region(box, context.survey), lambda each: True)[0]
