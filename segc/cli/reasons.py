"""Why a flow that speaks of a packet does not decide it, and what would change that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

from segc.policy import calendar
from segc.policy.claims import NOBODY, Claims, Situation, held_space, met
from segc.policy.model import Conditions, End, Flow, Policy
from segc.space.addresses import Address
from segc.trace import Decision, Location, Packet, trace


def reasons(flow: Flow, decision: Decision, situation: Situation, policy: Policy) -> list[str]:
    """What of the flow's conditions fails here, in words."""
    found = [
        text
        for end, place, claims, where in (
            (flow.source, decision.source, situation.source, "source"),
            (flow.destination, decision.destination, situation.destination, "destination"),
        )
        for text in _session(end, place, claims, where, policy)
    ]
    conditions, facts = flow.conditions, situation.source
    if conditions.mfa and not facts.mfa:
        found.append("mfa is missing")
    found += [f"posture {name} is missing" for name in conditions.postures if name not in facts.postures]
    if not met(Conditions(schedule=conditions.schedule), situation):
        found.append("it is outside its hours")
    if not met(Conditions(not_before=conditions.not_before), situation):
        found.append("it has not begun yet")
    if not met(Conditions(not_after=conditions.not_after), situation):
        found.append("it has expired")
    return found


def _session(end: End, place: Location, claims: Claims, where: str, policy: Policy) -> Iterator[str]:
    if place.gateway is not None or place.address in held_space(end, claims, policy):
        return
    here = [part for part in end.parts if place.address in part.space]
    subjects = list(dict.fromkeys(str(part.subject) for part in here if part.subject))
    if subjects:
        yield f"no session of {' or '.join(subjects)} at the {where}"
    else:
        yield f"the session at the {where} is one that it excepts"


def remedy(policy: Policy, packet: Packet, situation: Situation, unmet: tuple[Flow, ...]) -> str:
    """The fewest options under which a denied packet would be allowed; empty if there are none.

    Those under which the source is who it is come first.
    """
    tried = []
    known = situation.source
    for flow in unmet:
        if flow.action == "allow":
            options, there = _granted(flow, packet, situation, policy)
            if options and trace(policy, packet, there).verdict == "allow":
                other = there.source.user != known.user or there.source.groups != known.groups
                tried.append((other and known != NOBODY, len(options), " ".join(options)))
    return min(tried)[2] if tried else ""


def _granted(flow: Flow, packet: Packet, situation: Situation, policy: Policy) -> tuple[list[str], Situation]:
    """The options that fulfil what a flow asks for, and the situation that they make."""
    source, options = _bound(flow.source, packet.source, situation.source, policy, "")
    destination, more = _bound(flow.destination, packet.destination, situation.destination, policy, "dst-")
    options += more
    conditions = flow.conditions
    if conditions.mfa and not source.mfa:
        options.append("--mfa")
    missing = [name for name in conditions.postures if name not in source.postures]
    options += [f"--posture {name}" for name in missing]
    source = replace(source, mfa=source.mfa or conditions.mfa, postures=source.postures | {*missing})
    there = Situation(source, destination, situation.at)
    if not met(conditions, there) and situation.at is not None:
        at = _next_time(conditions, there, situation.at, policy.timezone)
        there = replace(there, at=at)
        options.append(f'--at "{clock(at, policy.timezone)}"')
    return options, there


def _bound(
    end: End, address: Address, claims: Claims, policy: Policy, prefix: str
) -> tuple[Claims, list[str]]:
    """The claims with one subject more, where an end holds the address only for its subjects."""
    if address in held_space(end, claims, policy):
        return claims, []
    for part in end.parts:
        if part.subject is not None and address in part.space:
            kind, name = part.subject
            if kind == "user":
                return replace(claims, user=name), [f'--{prefix}user "{name}"']
            return replace(claims, groups=claims.groups | {name}), [f"--{prefix}group {name}"]
    return claims, []


def _next_time(conditions: Conditions, situation: Situation, at: int, zone: str) -> int:
    """The first moment from `at` on, within a week of when the flow begins, at which it holds; else `at`."""
    earliest = max(at, conditions.not_before or at)
    candidates = [earliest]
    if conditions.schedule is not None:
        today = datetime.fromtimestamp(earliest, calendar.timezone(zone)).date()
        days = (today + timedelta(days=n) for n in range(8))
        candidates += [_at(day, conditions.schedule.start, zone) for day in days]
    fitting = (c for c in candidates if c >= earliest and met(conditions, replace(situation, at=c)))
    return min(fitting, default=at)


def _at(day: date, minute: int, zone: str) -> int:
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=calendar.timezone(zone))
    return int(local.timestamp())


def clock(at: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, calendar.timezone(zone)):%Y-%m-%d %H:%M}"
