"""Changes that no set of packets shows: rates, postures, sessions, who vouches, who is let in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from segc.analysis.identity.postures import fact_text
from segc.plan.model import Alteration, Statement
from segc.policy.model import Flow, Limit, Policy, Posture, SessionRule, Source, Zone
from segc.source import Span

COMES_AND_GOES = ("session", "source", "dot1x")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
T = TypeVar("T")
State = Callable[[Span, str], Statement]


def alterations(
    before: Policy, after: Policy, same: Iterable[tuple[Flow, Flow]], statement: State
) -> tuple[Alteration, ...]:
    """`same` pairs the flows that mean the same but for their rate; `statement` words a span of `after`."""
    found = [
        Alteration("limit", new.id, _rate(old.limit), _rate(new.limit), _faster(old.limit, new.limit),
                   statement(new.span, new.id))
        for old, new in same
        if old.limit != new.limit
    ]  # fmt: skip
    found += _named("posture", before.postures, after.postures, _facts, _asks_less)
    was, now = ({rule.group: rule for rule in policy.sessions} for policy in (before, after))
    found += _named("session", was, now, _bounds, _trusts_longer)
    found += _named("source", before.sources, after.sources, _says, _Believed(before, after).more)
    found += _named("dot1x", _taken_in(before), _taken_in(after), ", ".join, _lets_in)
    found += _named("refuse", before.zones, after.zones, _refusal, lambda was, now: False)
    return tuple(found)


def _named(
    kind: str,
    before: Mapping[str, T],
    after: Mapping[str, T],
    say: Callable[[T], str],
    looser: Callable[[T | None, T | None], bool],
) -> Iterator[Alteration]:
    """What both have and say otherwise, and of some kinds what comes or goes."""
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        old, new = ("" if each is None else say(each) for each in (was, now))
        if old != new and (kind in COMES_AND_GOES or (old and new)):
            yield Alteration(kind, name, old, new, looser(was, now), None)


def _rate(limit: Limit | None) -> str:
    return f"{limit.rate}/{limit.unit}" if limit else "no limit"


def _faster(was: Limit | None, now: Limit | None) -> bool:
    if was is None or now is None:
        return now is None
    return now.rate * SECONDS[was.unit] > was.rate * SECONDS[now.unit]


def _facts(posture: Posture) -> str:
    return ", ".join(map(fact_text, posture.facts))


def _asks_less(was: Posture | None, now: Posture | None) -> bool:
    return was is not None and now is not None and not {*was.facts} <= {*now.facts}


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


def _refusal(zone: Zone) -> str:
    return zone.refuse
