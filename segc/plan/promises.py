"""What two policies promise, and what they accept: what is taken back, and what comes.

Nobody gains or loses by it now, but who reviews the next change relies on it. A promise in other words that
means the same is the same. So is one in the same words, unless it leaves out what is there still: a zone, a
host, addresses that have stayed in their zone, or a service.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import NamedTuple

from segc.analysis.relation import own_addresses
from segc.diagnostics.accept import acceptances
from segc.plan.access import Sources, whole, worded
from segc.plan.concerned import tags_of, zones_of
from segc.plan.model import Alteration, Statement
from segc.plan.words import Names
from segc.policy.model import End, Expectation, Never, Policy, Step
from segc.source import Span
from segc.space.prefixes import EMPTY, EVERYTHING, PrefixSet, union
from segc.space.services import ServiceSet


class _Promise(NamedTuple):
    """`name` is how it is told; equal `words` or an equal `meaning` say the same."""

    kind: str
    name: str
    words: Hashable
    meaning: Hashable
    span: Span
    ends: tuple[End, End] | None = None
    services: ServiceSet = ServiceSet()


def promise_changes(
    policies: tuple[Policy, Policy], sources: tuple[Sources, Sources]
) -> tuple[Alteration, ...]:
    """What is taken back first, then what comes; policies and sources by path, before and after."""
    names = [Names(policy, policy.groups) for policy in policies]
    was, now = ([*_promises(*side)] for side in zip(policies, sources, strict=True))
    gone = [_altered(each, "before", sources[0], names, left) for each, left in _lost(was, now, policies)]
    meant, said = {_meant(each) for each in was}, {_said(each) for each in was}
    come = [each for each in now if _meant(each) not in meant and _said(each) not in said]
    return (*gone, *(_altered(each, "after", sources[1], names) for each in come))


def _lost(
    was: list[_Promise], now: list[_Promise], policies: tuple[Policy, Policy]
) -> Iterator[tuple[_Promise, str]]:
    """What is not promised any more, and what is promised of less, with what that leaves out."""
    meant, said = {_meant(each) for each in now}, {_said(each): each for each in now}
    for each in was:
        if _meant(each) in meant:
            continue
        same = said.get(_said(each))
        if same is None:
            yield each, ""
        elif lacks := _lacking(each, same, policies):
            yield each, f"not of {', '.join(lacks)}"


def _meant(promise: _Promise) -> Hashable:
    return promise.kind, promise.meaning


def _said(promise: _Promise) -> Hashable:
    return promise.kind, promise.words


def _lacking(was: _Promise, now: _Promise, policies: tuple[Policy, Policy]) -> list[str]:
    """The zones, hosts, addresses and services that it does not speak of any more, though they are there."""
    before, after = policies
    there = _held(after, EVERYTHING)
    found: set[str] = set()
    lost = EMPTY
    for old, new in zip(was.ends or (), now.ends or (), strict=True):
        found |= (_held(before, old.space) & there) - _held(after, new.space)
        if gone := old.space - new.space:
            lost |= gone & _stayed(before, after, found)
    names = sorted(name for name in found if name.partition(".")[0] not in found - {name})
    services = was.services - now.services
    return [*names, *map(str, filter(None, (lost, services)))]


def _stayed(before: Policy, after: Policy, told: Collection[str]) -> PrefixSet:
    """The addresses that have stayed in their zones, but for the zones `told` and what a host or gateway had
    or has: those move."""
    zones = ((zone, after.zones.get(zone.name)) for zone in before.zones.values() if zone.name not in told)
    stayed = union(old.space & new.space for old, new in zones if new is not None)
    for side in (before, after):
        hosts = union(host.space for zone in side.zones.values() for host in zone.hosts)
        stayed = stayed - hosts - own_addresses(side)
    return stayed


def _held(policy: Policy, space: PrefixSet) -> set[str]:
    """The zones and hosts that lie in a space as a whole."""
    parts = [(zone.name, zone.space) for zone in policy.zones.values()]
    parts += [(f"{z.name}.{h.name}", h.space) for z in policy.zones.values() for h in z.hosts]
    return {name for name, part in parts if part and part <= space}


def _altered(
    promise: _Promise, side: str, sources: Sources, names: list[Names], after: str = ""
) -> Alteration:
    """Of a promise that stands `before`, or only `after`."""
    state = "accepted" if promise.kind == "accept" else "promised"
    span = promise.span
    source, destination = (end.space for end in promise.ends) if promise.ends else (EMPTY, EMPTY)
    return Alteration(
        promise.kind,
        promise.name,
        state if side == "before" else "",
        after if side == "before" else state,
        looser=False,
        statement=Statement(side, span.path, span.line, worded(span, sources), ""),
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
        yield _Promise(kind, words, words, meaning, line.span, ends, line.services)
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
