"""What two policies promise, and what they accept: what is taken back, and what comes.

Nobody gains or loses by it now, but who reviews the next change relies on it. A promise in other words that
means the same is the same, and so is one in the same words where what it speaks of has moved.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from segc.diagnostics.accept import acceptances
from segc.plan.access import Sources, whole, worded
from segc.plan.concerned import tags_of, zones_of
from segc.plan.model import Alteration, Statement
from segc.plan.words import Names
from segc.policy.model import End, Expectation, Never, Policy, Step
from segc.source import Span
from segc.space.prefixes import EMPTY


class _Promise(NamedTuple):
    """`name` is how it is told; equal `words` or an equal `meaning` say the same."""

    kind: str
    name: str
    words: Hashable
    meaning: Hashable
    span: Span
    ends: tuple[End, End] | None = None


def promise_changes(
    policies: tuple[Policy, Policy], sources: tuple[Sources, Sources]
) -> tuple[Alteration, ...]:
    """What is taken back first, then what comes; policies and sources by path, before and after."""
    names = [Names(policy, policy.groups) for policy in policies]
    was, now = ([*_promises(*side)] for side in zip(policies, sources, strict=True))
    gone = (_altered(each, True, sources[0], names) for each in _only(was, now))
    come = (_altered(each, False, sources[1], names) for each in _only(now, was))
    return (*gone, *come)


def _only(mine: list[_Promise], theirs: list[_Promise]) -> Iterator[_Promise]:
    said = {(each.kind, each.words) for each in theirs}
    meant = {(each.kind, each.meaning) for each in theirs}
    for each in mine:
        if (each.kind, each.words) not in said and (each.kind, each.meaning) not in meant:
            yield each


def _altered(promise: _Promise, gone: bool, sources: Sources, names: list[Names]) -> Alteration:
    state = "accepted" if promise.kind == "accept" else "promised"
    span = promise.span
    statement = Statement("before" if gone else "after", span.path, span.line, worded(span, sources), "")
    source, destination = (end.space for end in promise.ends) if promise.ends else (EMPTY, EMPTY)
    return Alteration(
        promise.kind,
        promise.name,
        state if gone else "",
        "" if gone else state,
        looser=False,
        statement=statement,
        from_zones=zones_of(names, source),
        to_zones=zones_of(names, destination),
        from_tags=tags_of(names, source),
        to_tags=tags_of(names, destination),
    )


def _promises(policy: Policy, sources: Sources) -> Iterator[_Promise]:
    for rule in policy.revocations:
        words = whole(rule.span, sources).removeprefix("revoke ")
        yield _Promise("revoke", words, words, (rule.group, rule.within), rule.span)
    for kind, title, line, facts in _lines(policy):
        words = title + whole(line.span, sources).removeprefix(f"{kind} ")
        ends = line.source, line.destination
        meaning = (facts, line.services, *((end.parts, end.gateways) for end in ends))
        yield _Promise(kind, words, words, meaning, line.span, ends)
    yield from _accepted(sources)


def _lines(policy: Policy) -> Iterator[tuple[str, str, Never | Step | Expectation, Hashable]]:
    """Those with ends: kind, title, and what they say beside ends and services."""
    for never in policy.nevers:
        yield "never", "", never, never.transitive
    for workflow in policy.workflows:
        for step in workflow.steps:
            yield "workflow", f"{workflow.name}: ", step, ()
    for test in policy.tests:
        for line in test.expectations:
            facts = (line.action, line.mfa, line.postures, line.at)
            yield "test", f"{test.title}: ", line, facts


def _accepted(sources: Sources) -> Iterator[_Promise]:
    """Each code with its reason, for the text of the line that it speaks of."""
    for source in sources.values():
        for each in acceptances(source):
            name = f"{each.code}: {each.reason}"
            about = " ".join(source.line_text(each.line).partition("#")[0].split())
            yield _Promise("accept", name, (name, about), (name, about), each.span)
