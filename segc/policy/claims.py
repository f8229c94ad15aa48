"""What a session proves of an address, and which traffic a flow decides under it."""

from __future__ import annotations

from collections.abc import Iterator

from segc.frozen import frozen
from segc.policy import calendar
from segc.policy.model import Conditions, End, Flow, Policy, Subject
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ANY_SERVICE
from segc.space.traffic import Box


@frozen
class Claims:
    """A verified session: who, with which facts. `groups` are memberships that the policy does not list."""

    user: str | None = None
    groups: frozenset[str] = frozenset()
    mfa: bool = False
    postures: frozenset[str] = frozenset()

    def proves(self, subject: Subject, policy: Policy) -> bool:
        if subject.kind == "user":
            return self.user == subject.name
        group = policy.groups.get(subject.name)
        return group is not None and (self.user in group.users or bool(self.groups & group.members))


NOBODY = Claims()


@frozen
class Situation:
    """Under what a packet is judged: the sessions of its two ends, and when.

    `at` is in Unix seconds; None where nothing hangs on it, and then no flow with hours or dates holds.
    """

    source: Claims = NOBODY
    destination: Claims = NOBODY
    at: int | None = None


def met(conditions: Conditions, situation: Situation) -> bool:
    """Whether the source's facts and the time fulfil what a flow requires."""
    if conditions.mfa and not situation.source.mfa:
        return False
    if not situation.source.postures.issuperset(conditions.postures):
        return False
    return _on_time(conditions, situation)


def _on_time(conditions: Conditions, situation: Situation) -> bool:
    if not conditions.timed:
        return True
    at = situation.at
    if at is None:
        return False
    if conditions.not_before is not None and at < conditions.not_before:
        return False
    if conditions.not_after is not None and at >= conditions.not_after:
        return False
    return conditions.schedule is None or calendar.holds(*conditions.schedule, at)


def held_space(end: End, claims: Claims, policy: Policy) -> PrefixSet:
    """The addresses that an end holds while a session with `claims` binds each of them."""
    spaces = []
    for part in end.parts:
        if part.subject is not None and not claims.proves(part.subject, policy):
            continue
        excluded = [space for subject, space in part.unless if claims.proves(subject, policy)]
        spaces.append(part.space - union(excluded) if excluded else part.space)
    return spaces[0] if len(spaces) == 1 else union(spaces)


def decided(flow: Flow, situation: Situation, policy: Policy) -> Box | None:
    """The traffic that a flow decides in a situation; gateways' own addresses are not taken out yet."""
    if not met(flow.conditions, situation):
        return None
    box = Box(
        held_space(flow.source, situation.source, policy),
        held_space(flow.destination, situation.destination, policy),
        flow.services,
        frozenset(flow.source.gateways),
        frozenset(flow.destination.gateways),
    )
    return box if box else None


def intra_boxes(policy: Policy) -> Iterator[Box]:
    """Within a zone without `intra deny`, hosts talk freely."""
    for zone in policy.zones.values():
        if not zone.isolated:
            yield Box(zone.space, zone.space, ANY_SERVICE)
