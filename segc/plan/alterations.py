"""Changes that no set of packets shows: rates, postures, sessions, who vouches, who is let in, NAT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from segc.analysis.identity.postures import fact_text
from segc.plan.concerned import placed
from segc.plan.model import Alteration, Statement
from segc.policy.model import Flow, Limit, Policy, Posture, SessionRule, Source, Zone
from segc.source import Span

COMES_AND_GOES = ("session", "source", "dot1x", "publish", "masquerade")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
T = TypeVar("T")
State = Callable[[Span, str], Statement]
Looser = Callable[[T | None, T | None], bool]


def alterations(
    before: Policy, after: Policy, same: Iterable[tuple[Flow, Flow]], statement: State
) -> tuple[Alteration, ...]:
    """`same` pairs the flows that mean the same but for their rate; `statement` words a span of `after`."""
    return placed(_alterations(before, after, tuple(same), statement), before, after)


def _alterations(
    before: Policy, after: Policy, same: tuple[tuple[Flow, Flow], ...], statement: State
) -> Iterator[Alteration]:
    for old, new in same:
        if old.limit != new.limit:
            faster = _faster(old.limit, new.limit)
            yield Alteration(
                "limit", new.id, _rate(old.limit), _rate(new.limit), faster, statement(new.span, new.id)
            )
    yield from _beside(before, after, same, statement)
    denying = _Denying(before, after)
    yield from _named("posture", before.postures, after.postures, _facts, denying.posture)
    was, now = ({rule.group: rule for rule in policy.sessions} for policy in (before, after))
    yield from _named("session", was, now, _bounds, denying.either_way(_trusts_longer))
    believed = denying.either_way(_Believed(before, after).more, _Believed(after, before).more)
    yield from _named("source", before.sources, after.sources, _says, believed)
    yield from _named("dot1x", _taken_in(before), _taken_in(after), ", ".join, _lets_in)
    yield from _named("publish", _published(before), _published(after), str, lambda was, now: now is not None)
    yield from _named("masquerade", _hidden(before), _hidden(after), str, lambda was, now: False)
    yield from _named("refuse", before.zones, after.zones, _refusal, lambda was, now: False)


def _named(
    kind: str,
    before: Mapping[str, T],
    after: Mapping[str, T],
    say: Callable[[T], str],
    looser: Looser[T],
) -> Iterator[Alteration]:
    """What both have and say otherwise, and of some kinds what comes or goes."""
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        old, new = ("" if each is None else say(each) for each in (was, now))
        if old != new and (kind in COMES_AND_GOES or (old and new)):
            yield Alteration(kind, name, old, new, looser(was, now), None)


def _beside(
    before: Policy, after: Policy, same: tuple[tuple[Flow, Flow], ...], statement: State
) -> Iterator[Alteration]:
    """New flows that allow some of what was bounded, at a higher rate or at any."""
    stays = {new.id for _, new in same}
    come = [
        flow for flow in after.flows if flow.action == "allow" and not flow.staged and flow.id not in stays
    ]
    for old in before.flows:
        if old.limit is None or old.staged:
            continue
        new = next((each for each in come if _faster(old.limit, each.limit) and _meet(old, each)), None)
        if new is not None:
            words = f"{_rate(new.limit)} by {new.id}"
            yield Alteration("limit", old.id, _rate(old.limit), words, True, statement(new.span, new.id))


def _meet(one: Flow, other: Flow) -> bool:
    ends = zip(one.ends, other.ends, strict=True)
    return one.services.overlaps(other.services) and all(
        a.space.overlaps(b.space) or not {*a.gateways}.isdisjoint(b.gateways) for a, b in ends
    )


def _rate(limit: Limit | None) -> str:
    return f"{limit.rate}/{limit.unit}" if limit else "no limit"


def _faster(was: Limit | None, now: Limit | None) -> bool:
    if was is None or now is None:
        return now is None
    return now.rate * SECONDS[was.unit] > was.rate * SECONDS[now.unit]


def _facts(posture: Posture) -> str:
    return ", ".join(map(fact_text, posture.facts))


class _Denying:
    """Where a session takes access away, what makes it harder to have one gives access."""

    def __init__(self, before: Policy, after: Policy) -> None:
        flows = [flow for policy in (before, after) for flow in policy.flows if not flow.staged]
        denies = [flow for flow in flows if flow.action == "deny"]
        self.postures = {name for flow in denies for name in flow.conditions.postures}
        asked = {part.subject for flow in denies for end in flow.ends for part in end.parts}
        spared = {
            part.unless for flow in flows if flow.action == "allow" for end in flow.ends for part in end.parts
        }
        self.sessions = any(asked) or any(spared)

    def posture(self, was: Posture | None, now: Posture | None) -> bool:
        if was is None or now is None:
            return False
        old, new = {*was.facts}, {*now.facts}
        return not old <= new or (now.name in self.postures and not new <= old)

    def either_way(self, looser: Looser[T], back: Looser[T] | None = None) -> Looser[T]:
        """`looser`, and its reverse where sessions take access away."""
        reverse = back or looser
        return lambda was, now: looser(was, now) or (self.sessions and reverse(now, was))


def _bounds(rule: SessionRule) -> str:
    bounds = (("max", rule.max_age), ("idle", rule.idle))
    return ", ".join(f"{name} {seconds} s" for name, seconds in bounds if seconds is not None)


def _trusts_longer(was: SessionRule | None, now: SessionRule | None) -> bool:
    if was is None or now is None:
        return now is None
    pairs = ((was.max_age, now.max_age), (was.idle, now.idle))
    return any(old is not None and (new is None or new > old) for old, new in pairs)


def _says(source: Source) -> str:
    words = [source.kind + (f" in {', '.join(source.zones)}" if source.zones else "")]
    words += ["mfa"] * source.mfa + [f"posture {name}" for name in source.postures]
    return ", ".join(words + ([f"max {source.max_age} s"] if source.max_age is not None else []))


class _Believed(NamedTuple):
    """Whose word is taken. A policy without any source takes everybody's."""

    before: Policy
    after: Policy

    def more(self, was: Source | None, now: Source | None) -> bool:
        if was is None:
            return bool(self.before.sources)
        if now is None:
            return not self.after.sources
        longer = was.max_age is not None and (now.max_age is None or now.max_age > was.max_age)
        gained = {*now.zones} - {*was.zones} or {*now.postures} - {*was.postures}
        return bool(gained) or now.mfa > was.mfa or longer or now.kind != was.kind


def _taken_in(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Whom 802.1X puts into each zone, in words."""
    found: dict[str, tuple[str, ...]] = {}
    for each in policy.admissions:
        who = str(each.subject) if each.subject else "hosts by their MAC addresses"
        found[each.zone] = (*found.get(each.zone, ()), who)
    return found


def _lets_in(was: tuple[str, ...] | None, now: tuple[str, ...] | None) -> bool:
    return not {*(now or ())} <= {*(was or ())}


def _published(policy: Policy) -> dict[str, str]:
    """Where what is asked for on an interface leads."""
    found: dict[str, list[str]] = {}
    for gateway in policy.gateways.values():
        for each in gateway.publishes:
            found.setdefault(each.where(gateway.name), []).append(f"{each.target} {each.inner}")
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}


def _hidden(policy: Policy) -> dict[str, str]:
    """The families whose addresses are translated by interface."""
    return {
        each.where(gateway.name): " and ".join(f"IPv{family}" for family in each.masquerade)
        for gateway in policy.gateways.values()
        for each in gateway.interfaces
        if each.masquerade
    }


def _refusal(zone: Zone) -> str:
    return zone.refuse
