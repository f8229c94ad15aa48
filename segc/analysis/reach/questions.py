"""Who can reach an end, and what an end can reach: in one hop, or through any chain of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.guards import Guard
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.people import Who
from segc.analysis.conflicts.survey import Clause
from segc.analysis.reach.grants import Box, Grant, box_of, within
from segc.analysis.reach.hops import Hop, Hops, chain_from, chain_to
from segc.policy.model import Flow
from segc.space.services import ANY_SERVICE

EVERY = -1  # all classes, as a bit mask


class Question(NamedTuple):
    """Traffic that is asked about. `to_all` and `from_all` say that an end was left open.

    Somebody in one group may be in any other as well, and what they reach by the other may be no answer for
    the first. Without `sessions` it is one. With it, only sessions count that prove what an end asks for and
    nothing besides; where it says so of an end, only by what asks that end for a session.
    """

    boxes: tuple[Box, ...]
    from_all: bool = False
    to_all: bool = False
    sessions: tuple[bool, bool] | None = None


def question_of(context: Context, flow: Flow) -> Question:
    """All traffic of a flow of the context (see `grants.question`)."""
    return Question(tuple(box_of(each, context.survey) for each in context.survey.by_flow[flow]))


def one_hop(context: Context, asked: Question) -> Iterator[Grant]:
    """All that is open of some traffic, by the statement that opens it."""
    for box in asked.boxes:
        for clause in around(context.allows, box.source, box.destination):
            if _concerns(asked, box.guard, clause.guard, context):
                yield from within(box, clause, context)


def around(index: Index, source: int, destination: int) -> Iterator[Clause]:
    """The clauses of an index that touch anything between two masks of classes."""
    masks = index.survey.masks
    for here, inner in index.pairs.items():
        if masks[here] & source:
            for there, clauses in inner.items():
                if masks[there] & destination:
                    yield from clauses


def _concerns(asked: Question, mine: int, theirs: int, context: Context) -> bool:
    if asked.sessions is None or mine == 0:
        return True
    one, other = context.survey.guards[mine], context.survey.guards[theirs]
    pairs = (one.source, other.source), (one.destination, other.destination)
    return all(
        speaks_of(who, other_who, context) and not (personal and who.subjects and not other_who.subjects)
        for personal, (who, other_who) in zip(asked.sessions, pairs, strict=True)
    )


def speaks_of(who: Who, other: Who, context: Context) -> bool:
    """Whether somebody of whom no more is known than `who` says is asked for by `other`."""
    people = context.survey.people
    return not who.subjects or any(people.holds(Who(other.subjects), each) for each in people.least(who))


class Reached(NamedTuple):
    """A class of addresses at the far end of a shortest chain."""

    node: int
    chain: list[Hop]


def begins(question: Question) -> bool:
    """Whether any chain does, outside of the end that it leads to."""
    goal = _union(box.destination for box in question.boxes)
    return any(box.source & ~goal for box in question.boxes)


def chains(context: Context, question: Question, hops: Hops | None = None) -> Iterator[Reached]:
    """A shortest chain of hops for every class that the question's far end has, the nearest first.

    The far end is where chains lead to, or where they come from if only the destination was given. The
    first hop is one that the source may make, the last one enters the destination by the services asked
    for. No chain starts in the destination that was given, or passes through it.
    """
    hops = hops or Hops(context)
    if question.from_all and not question.to_all:
        return _back(context, question, hops)
    return _forth(context, question, hops)


def _back(context: Context, question: Question, hops: Hops) -> Iterator[Reached]:
    goal = _union(box.destination for box in question.boxes)
    boxes = tuple(box._replace(source=box.source & ~goal) for box in question.boxes)
    reached = hops.back(one_hop(context, question._replace(boxes=boxes)), goal)
    return (Reached(node, chain_from(reached, node)) for node in reached)


def _forth(context: Context, question: Question, hops: Hops) -> Iterator[Reached]:
    goal = 0 if question.to_all else _union(box.destination for box in question.boxes)
    question = question._replace(boxes=tuple(b._replace(source=b.source & ~goal) for b in question.boxes))
    boxes = question.boxes
    first = one_hop(context, question._replace(boxes=tuple(_first(b, context) for b in boxes)))
    if question.to_all and all(box.services == ANY_SERVICE for box in boxes):
        reached = hops.forth(first)
        yield from (Reached(node, chain_to(reached, node)) for node in reached)
        return
    reached = hops.forth(first, goal)
    seen = 0
    for node, grant, direct in _last_hops(context, question, reached, hops):
        new = grant.box.destination & ~seen
        new = new and new & hops.beside(node, grant.box.services)
        if new:
            seen |= new
            before = [] if direct else chain_to(reached, node)
            for each in bits(new):
                yield Reached(each, [*before, Hop(node, each, grant, len(before) + 1)])


def _last_hops(
    context: Context, question: Question, reached: Mapping[int, Hop], hops: Hops
) -> Iterator[tuple[int, Grant, bool]]:
    """What enters the destination: straight from the source, then from classes that chains lead to."""
    for grant in one_hop(context, question):
        for node in bits(grant.box.source):
            yield node, grant, True
    final = question._replace(boxes=tuple(_final(box, context) for box in question.boxes))
    last = list(one_hop(context, final))
    sources = _union(grant.box.source for grant in last) & ~hops.gateways
    for node in reached:
        if sources >> node & 1:
            yield from ((node, grant, False) for grant in last if grant.box.source >> node & 1)


def horizon(question: Question, hops: Hops) -> tuple[int, int]:
    """The classes that the source reaches or is, and those that the destination is or is reached from."""
    context = hops.context
    goal = _union(box.destination for box in question.boxes)
    start = _union(box.source for box in question.boxes) & ~goal
    first = question._replace(boxes=tuple(_first(box, context) for box in question.boxes))
    last = question._replace(boxes=tuple(_final(box, context) for box in question.boxes))
    reached = hops.forth(one_hop(context, first), goal)
    leading = hops.back(one_hop(context, last), goal)
    return start | mask_of(list(reached)), goal | mask_of(list(leading))


def _first(box: Box, context: Context) -> Box:
    """Any hop that the source of a box may make."""
    guard = Guard(source=context.survey.guards[box.guard].source)
    return box._replace(destination=EVERY, services=ANY_SERVICE, guard=context.survey.guards.number(guard))


def _final(box: Box, context: Context) -> Box:
    """Any hop into the destination of a box by its services."""
    guard = Guard(destination=context.survey.guards[box.guard].destination)
    return box._replace(source=EVERY, guard=context.survey.guards.number(guard))


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
